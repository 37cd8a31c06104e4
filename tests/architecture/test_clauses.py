"""No duty is claimed that lacks a flow, a test or evidence; the list of those not kept yet only shrinks."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.generators import clauses

# The duties that no flow keeps yet, one a line. Names are only ever taken out.
NOT_KEPT = Path(__file__).with_name("clauses_not_kept.txt")

CLAIMING = """
@flow(name="claiming")
def claiming():
    \"\"\"Claims.

    Clauses: S-2.4.2.
    Gates: none.
    \"\"\"
    {body}
"""
TEST = """
import pytest

@pytest.mark.clause("S-2.4.2")
def test_it():
    assert True
"""


def listed() -> set[str]:
    return set(NOT_KEPT.read_text(encoding="utf-8").split())


def sample(folder: Path, body: str, test: str = TEST) -> clauses.Kept:
    """What is found of S-2.4.2 in a flow with this body and these tests."""
    for name, text in (("flows", CLAIMING.format(body=body)), ("tests", test)):
        (folder / name).mkdir()
        (folder / name / "one.py").write_text(text, encoding="utf-8")
    return clauses.claimed(folder)["S-2.4.2"]


def test_every_claimed_clause_has_a_flow_a_test_and_evidence() -> None:
    lacking = {clause: kept.missing for clause, kept in clauses.claimed().items() if kept.missing}
    assert lacking == {}


def test_only_clauses_of_the_register_are_named() -> None:
    assert clauses.found().keys() <= clauses.register().keys()
    assert listed() <= clauses.register().keys()


def test_no_clause_that_was_kept_is_given_up() -> None:
    given_up = sorted(set(clauses.not_kept()) - listed())
    assert given_up == [], "kept before, and claimed by no flow now"


def test_a_clause_that_is_kept_leaves_the_list_for_good() -> None:
    kept = sorted(listed() - set(clauses.not_kept()))
    assert kept == [], f"kept now: take them out of {NOT_KEPT.name}"


def test_a_claim_without_test_and_evidence_is_seen(tmp_path: Path) -> None:
    assert sample(tmp_path, "pass", test="").missing == ["a test", "evidence"]


@pytest.mark.parametrize(
    "body",
    [
        'due(clause="S-2.4.2")',
        'case.told("notice", clause="S-2.4.2")',
        'case.our_duty("lead_times.maintenance_notice")',
        'case.prove("evidence", name, clause="S-2.4.2")',
        'case.prove("evidence", Event.RFC_PLANNED, clause="S-2.4.1")',
    ],
)
def test_what_writes_no_evidence_of_the_clause_is_none(tmp_path: Path, body: str) -> None:
    assert sample(tmp_path, body).missing == ["evidence"]


@pytest.mark.parametrize(
    ("body", "evidence"),
    [
        ('case.prove("e", Event.RFC_PLANNED, clause="S-2.4.2")', {"Event.RFC_PLANNED"}),
        (
            'event = Event.TEST_PASSED if green else Event.TEST_FAILED; prove("e", event, clause="S-2.4.2")',
            {"Event.TEST_PASSED", "Event.TEST_FAILED"},
        ),
        ('ask(due=Due(by=by, clause="S-2.4.2"))', {"one: Event.GATE_FULFILLED"}),
    ],
)
def test_an_event_written_for_the_clause_is_evidence(tmp_path: Path, body: str, evidence: set[str]) -> None:
    found = sample(tmp_path, body)
    assert (found.missing, found.evidence) == ([], evidence)


def test_a_mark_of_a_whole_file_counts_as_a_test(tmp_path: Path) -> None:
    found = sample(tmp_path, "pass", test='import pytest\n\npytestmark = pytest.mark.clause("S-2.4.2")\n')
    assert found.tests == {"one"}
