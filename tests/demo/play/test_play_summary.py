"""The table at the end of the play: each fact in its stage, with who, when and the number of its evidence."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from demo.play.summary import as_table, summarise
from flows.rfc_street import PROCESS
from nakoming.agreement.local_time import ZONE
from nakoming.records.events import Event
from tests.harness.installation import Walker, installed
from tests.harness.street import GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        yield found


def walked(records: Records, stage: str, event: Event) -> Walker:
    """A case that came through intake and build into a stage, where something happened."""

    def walk(case: CaseRun) -> str:
        case.stage("intake")
        case.prove("intake/evidence", Event.RFC_RECEIVED, clause="S-2.2.1")
        case.stage("build", 1)
        case.prove("build/1/evidence", Event.BUILD_MADE, clause="S-2.3.2d")
        case.stage(stage, 1)
        case.prove(f"{stage}/1/evidence", event, clause="S-2.3.2f")
        case.stage("closing")
        return "ended"

    process = type(PROCESS)(kind="rfc", revision=PROCESS.revision, walk=walk)
    walker = Walker(records, process, "brouwer", GIVEN["reference"], dict(GIVEN))
    assert walker.enter() == "ended"
    return walker


@pytest.mark.parametrize("stage", ["beta", "production"])
@pytest.mark.parametrize(
    ("event", "what"),
    [
        (Event.DEPLOYMENT_FAILED, "Installation failed"),
        (Event.DEPLOYMENT_ROLLED_BACK, "Rolled back"),
        (Event.TERM_BREACHED, "A term was breached"),
    ],
)
def test_what_happened_stands_in_the_stage_where_it_did(
    records: Records, stage: str, event: Event, what: str
) -> None:
    found = summarise(records, walked(records, stage, event).case)
    rows = [(row.stage, row.what) for row in found.rows]
    assert rows == [
        ("intake", "Received, requester authorised"),
        ("build", "Artefact built"),
        (stage, what),
    ]
    assert list(found.stages) == ["intake", "build", stage, "closing"]


def test_the_table_names_stage_who_when_and_evidence(records: Records) -> None:
    found = summarise(records, walked(records, "production", Event.DEPLOYMENT_FAILED).case)
    console = Console(file=io.StringIO(), width=80)
    console.print(as_table(found))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    (line,) = [each for each in lines if "Installation failed" in each]
    row = found.rows[-1]
    when = row.at.astimezone(ZONE)
    assert line.split()[0] == "Production"
    assert line.split()[-3:] == ["Nakoming", f"{when:%H:%M:%S}", row.evidence]
    assert row.evidence.startswith("brouwer:")
    assert timedelta(0) <= row.at - found.opened_at <= timedelta(seconds=found.seconds)
