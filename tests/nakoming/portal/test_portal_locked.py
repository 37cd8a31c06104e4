"""The records are locked or have no room while somebody decides: nothing is half stored, nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.gate_rules import Kind
from nakoming.records import answers
from nakoming.records.gate_model import Question
from tests.harness.held_database import held, impatient
from tests.harness.portal_server import (
    ANNA,
    PDF,
    TEXTS,
    Office,
    Visitor,
    evidence_events,
    office,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.gate_model import Gate

ANSWERED = "gate:question:answered"
SAID = {
    "locked": "Wij kunnen er even niet bij. Er is niets vastgelegd.",
    "full": "Bij ons is geen ruimte om dit op te slaan. Er is niets vastgelegd.",
    "upload": "kon bij ons niet worden opgeslagen",
}


def given(at: Office, gate: Gate) -> int:
    with at.records.read() as tx:
        return len(answers.of_gate(tx, gate.id))


@pytest.fixture
def at(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with office(impatient(database_url), tmp_path, document_limit=200_000) as opened:
        yield opened


def test_decision_on_locked_records_is_not_half_stored_and_counts_once_when_sent_again(at: Office) -> None:
    gate = at.ask()
    with serving(at) as base:
        anna = Visitor(base, at.path(gate))
        before = evidence_events(at)
        with held(at.records.url):
            refused = anna.send(remark="Prima zo.")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "30"
        assert SAID["locked"] in refused.text
        assert f'href="{anna.path}"' in refused.text  # the way back
        assert (given(at, gate), at.gate(gate.id).state) == (0, "open")
        assert evidence_events(at) == before
        assert at.woken == []

        taken, again = anna.send(remark="Prima zo."), anna.send(remark="Prima zo.")
    assert (taken.status_code, again.status_code) == (200, 200)
    assert (given(at, gate), evidence_events(at).count(ANSWERED)) == (1, 1)
    assert at.woken == [gate.case_id]


def test_question_and_health_are_shown_while_the_records_are_locked(at: Office) -> None:
    gate = at.ask()
    with serving(at) as base:
        anna = Visitor(base, at.path(gate))
        with held(at.records.url):
            assert anna.look().status_code == 200
            assert anna.client.get("/health").status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB; mounting one is root's right, and not every container gives it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 - beside mount


def fill(disk: Path) -> Path:
    """Take all that is left of a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(4096))
        except OSError:
            return ballast


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def delivery(at: Office) -> Gate:
    question = Question(texts=TEXTS, documents=(1, 2))
    return at.ask(kind=Kind.DELIVERY, question=question, contacts=(ANNA,))


def test_document_on_a_full_disk_comes_back_with_a_sentence_and_is_taken_later(
    sqlite_url: str, tmp_path: Path, small_disk: Path
) -> None:
    with office(sqlite_url, tmp_path, document_limit=200_000) as at:
        gate = delivery(at)
        at.records.documents_folder = small_disk / "documents"
        files = [("upload", ("Tekening.pdf", PDF + b"%" * 100_000, "application/pdf"))]
        with serving(at) as base:
            anna = Visitor(base, at.path(gate))
            ballast, before = fill(small_disk), evidence_events(at)
            stored = files_in(small_disk)
            refused = anna.send("deliver", files=files, remark="De tekening.")
            assert refused.status_code == 422
            assert f"&#39;Tekening.pdf&#39; {SAID['upload']}" in refused.text
            assert "De tekening." in refused.text  # what was filled in is still there
            assert files_in(small_disk) == stored
            assert (given(at, gate), evidence_events(at)) == (0, before)

            ballast.unlink()
            anna.page = refused.text
            assert anna.send("deliver", files=files).status_code == 200
    assert at.woken == [gate.case_id]


def test_records_without_room_say_so_and_take_the_decision_later(small_disk: Path, tmp_path: Path) -> None:
    with office(f"sqlite:///{small_disk / 'records.sqlite'}", tmp_path) as at:
        gate = at.ask()
        with serving(at) as base:
            anna = Visitor(base, at.path(gate))
            ballast, before = fill(small_disk), evidence_events(at)
            long = "Zo is het goed. " * 100
            refused = anna.send(remark=long)
            assert refused.status_code == 503
            assert SAID["full"] in refused.text
            assert (given(at, gate), evidence_events(at)) == (0, before)

            ballast.unlink()
            assert anna.send(remark=long).status_code == 200
        assert (given(at, gate), evidence_events(at).count(ANSWERED)) == (1, 1)
