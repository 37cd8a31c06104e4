"""The build command: the same bytes for the same revision, and clear words for what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from demo import build
from demo.artefacts import read_artefact, unpack
from demo.errors import ArtefactError, DamagedRepositoryError
from demo.revisions import REPOSITORY, read_revision

HOUSE = Path(__file__).resolve().parents[2]


def test_the_command_prints_one_line_of_facts_that_hold(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo.build", "--revision", "1.1", "--out", str(tmp_path)]
    ended = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=True)
    (line,) = ended.stdout.splitlines()
    facts = json.loads(line)
    assert facts["path"] == str(tmp_path / "suite-1.1.tar.gz")
    assert facts["sha256"] == hashlib.sha256((tmp_path / "suite-1.1.tar.gz").read_bytes()).hexdigest()
    assert (facts["version"], facts["revision"], facts["schema_revision"]) == ("1.1.0", "1.1", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["suite-1.1.tar.gz"]


def test_the_same_revision_gives_the_same_bytes_wherever_and_whenever(
    repository: Path, artefacts: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in repository.rglob("*.py"):
        os.utime(file, (1, 1))
        file.chmod(0o600)
    (repository / "base" / "suite" / "__pycache__").mkdir(exist_ok=True)
    (repository / "base" / "suite" / "__pycache__" / "app.pyc").write_bytes(b"x")
    for source in (repository, REPOSITORY):
        folder = tmp_path / source.name
        assert build.main(["--revision", "1.1", "--out", str(folder), "--source", str(source)]) == 0
        assert (folder / "suite-1.1.tar.gz").read_bytes() == artefacts["1.1"].read_bytes()
    digests = {json.loads(line)["sha256"] for line in capsys.readouterr().out.splitlines()}
    assert len(digests) == 1
    assert read_artefact(artefacts["1.0"]).sha256 not in digests


def test_an_artefact_holds_no_trace_of_who_built_it(artefacts: dict[str, Path]) -> None:
    with tarfile.open(artefacts["1.1"]) as archive:
        entries = archive.getmembers()
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.mode) for entry in entries} == {
        (0, 0, 0, "", 0o644)
    }
    assert not [entry.name for entry in entries if "__pycache__" in entry.name]


def test_an_unknown_revision_is_one_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(["--revision", "1.9", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said == f"NK6001: There is no revision '1.9' in {REPOSITORY}; known are 1.0, 1.1, 1.1-rc1.\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ('version = "2"\nsummary = "x"\n', "parent None is not usable"),
        ('parent = "odd"\nversion = "2"\nsummary = "x"\n', "parent 'odd' is not usable"),
        ('parent = "1.0"\nversion = "2"\n', "revision.toml lacks summary"),
        ("parent", "Expected '=' after a key"),
    ],
)
def test_a_damaged_description_is_named(tmp_path: Path, description: str, reason: str) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "revision.toml").write_text('version = "1"\nsummary = "x"\n', encoding="utf-8")
    (tmp_path / "changes" / "odd").mkdir(parents=True)
    (tmp_path / "changes" / "odd" / "revision.toml").write_text(description, encoding="utf-8")
    with pytest.raises(DamagedRepositoryError) as caught:
        read_revision("odd", tmp_path)
    assert reason in str(caught.value)
    assert caught.value.data["revision"] == "odd"


def test_files_that_are_no_artefacts_are_refused(artefacts: dict[str, Path], tmp_path: Path) -> None:
    good = artefacts["1.0"].read_bytes()
    damaged = tmp_path / "suite.tar.gz"
    for body in (b"", b"no archive", good[: len(good) // 2], good[:-600], archive_of("x", b"y")):
        damaged.write_bytes(body)
        with pytest.raises(ArtefactError, match="is no artefact of the Suite"):
            read_artefact(damaged)
    with pytest.raises(ArtefactError, match="No such file"):
        read_artefact(tmp_path / "absent.tar.gz")


@pytest.mark.parametrize("name", ["../outside", "/outside", "suite/../../outside"])
def test_an_artefact_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    evil = tmp_path / "evil.tar.gz"
    evil.write_bytes(archive_of(name, b"y"))
    (tmp_path / "release").mkdir()
    with pytest.raises(ArtefactError, match="not a plain file inside it"):
        unpack(evil, tmp_path / "release")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar.gz", "release"]


def archive_of(name: str, body: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()
