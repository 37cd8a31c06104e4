"""No duty is claimed that lacks a flow, a test or evidence; the list of those not kept yet only shrinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.generators import clauses

if TYPE_CHECKING:
    from pathlib import Path

# It may only be lowered.
NOT_KEPT_AT_MOST = 149


def test_every_claimed_clause_has_a_flow_a_test_and_evidence() -> None:
    lacking = {clause: kept.missing for clause, kept in clauses.claimed().items() if kept.missing}
    assert lacking == {}


def test_only_clauses_of_the_register_are_named() -> None:
    assert clauses.found().keys() <= clauses.register().keys()


def test_the_list_of_clauses_not_kept_only_shrinks() -> None:
    assert len(clauses.not_kept()) <= NOT_KEPT_AT_MOST


def test_a_claim_without_test_and_evidence_is_seen(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "flows" / "bare.py").write_text(
        '@flow(name="bare")\ndef bare():\n    """Bare.\n\n    Clauses: S-2.4.2.\n    Gates: none.\n    """\n'
    )
    found = clauses.claimed(tmp_path)
    assert found["S-2.4.2"].missing == ["a test", "evidence"]
