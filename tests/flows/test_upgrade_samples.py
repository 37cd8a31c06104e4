"""Cases and links that were under way in an earlier version go on in this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows.rfc_street import PROCESS
from nakoming.records import backup, evidence_check, gates, links, migrate
from nakoming.records.store import Records
from tests.harness.installation import Walker
from tests.harness.street import GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("rfc-street-*.tar"))


@pytest.fixture(params=SAMPLES, ids=lambda path: path.stem)
def sample(request: pytest.FixtureRequest) -> Path:
    kept: Path = request.param
    return kept


@pytest.fixture
def records(tmp_path: Path, database_url: str, sample: Path) -> Iterator[Records]:
    """The sample in a new installation, on the schema of today."""
    opened = Records(database_url, keys=tmp_path / "keys", documents=tmp_path / "documents")
    backup.restore(sample, opened)
    migrate.upgrade(opened)
    yield opened
    opened.engine.dispose()


def test_there_is_a_sample_of_every_revision() -> None:
    kept = {path.stem for path in SAMPLES}
    assert kept >= {f"rfc-street-{number}" for number in range(1, PROCESS.revision + 1)}


def test_a_case_goes_on_where_it_waited(records: Records, sample: Path) -> None:
    facts = json.loads(sample.with_suffix(".json").read_text("utf-8"))
    walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], GIVEN)
    assert walker.step_names() == facts["steps"]
    walker.enter()
    assert walker.step_names() == facts["steps"], "nothing is done again, and nothing new before the answer"
    walker.answer("functional-specification/2/approval", "approve")
    walker.enter()
    assert [gate.name for gate in walker.open_gates()] == ["build/1/revision"]
    assert [found for found in evidence_check.verify(records) if found.is_damage] == []


def test_a_link_that_is_under_way_opens_its_question(records: Records, sample: Path) -> None:
    facts = json.loads(sample.with_suffix(".json").read_text("utf-8"))
    with records.read() as tx:
        link = links.resolve(tx, facts["token"])
        assert link is not None
        gate = gates.get(tx, link.gate_id)
    assert gate.name == "functional-specification/2/approval"
    assert gate.question.texts["nl"]["title"] == "Akkoord met de functionele specificatie?"
