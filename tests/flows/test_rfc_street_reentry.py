"""Entered anew after every single step, the street makes the same steps with the same questions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from flows.rfc_street import PROCESS
from tests.harness.cut_runs import enter_in_pieces
from tests.harness.installation import Walker, installed
from tests.harness.street import GIVEN, let_it_be

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nakoming.records.store import Records

Enter = "Callable[[Walker], str | None]"


def refused_after_a_changed_date(walker: Walker, enter: Callable[[Walker], str | None]) -> str | None:
    enter(walker)
    walker.answer("intake/confirmation", "approve")
    enter(walker)
    walker.answer("judgement/choice", "choose", option="specific", remark="Alleen hier.")
    enter(walker)
    walker.deliver("quote/delivery", "De offerte", amount="990.00")
    enter(walker)
    walker.answer("quote/approval", "approve")
    enter(walker)
    walker.deliver("planning/1/proposal", planned_on="2026-12-01")
    enter(walker)
    walker.answer("planning/1/approval", "request_changes", remark="Later.")
    enter(walker)
    walker.deliver("planning/2/proposal", planned_on="2027-01-11")
    enter(walker)
    walker.answer("planning/2/approval", "approve")
    enter(walker)
    walker.deliver("requirement-analysis/1/delivery", "Analyse")
    enter(walker)
    walker.answer("requirement-analysis/1/approval", "approve")
    enter(walker)
    walker.deliver("functional-specification/1/delivery", "Specificatie")
    enter(walker)
    walker.answer("functional-specification/1/approval", "request_changes", remark="Kleur.")
    return enter(walker)


@pytest.mark.parametrize("kind", ["rfc"])
def test_the_walk_is_the_same_in_one_piece_and_in_many(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = []
    for number, enter in enumerate((Walker.enter, enter_in_pieces)):
        home = tmp_path / str(number)
        with installed(home, f"sqlite:///{home / 'records.sqlite'}", monkeypatch) as records:
            walks.append(_walked(records, kind, enter))
    assert walks[0] == walks[1]
    assert len(walks[0][0]) > 25


def _walked(
    records: Records, kind: str, enter: Callable[[Walker], str | None]
) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    given = GIVEN | {"kind": kind, "requester": "iemand@elders.example"}
    walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], given)
    let_it_be(records, datetime(2026, 11, 23, 9, tzinfo=UTC))  # before the dates that are planned
    refused_after_a_changed_date(walker, enter)
    asked = [(gate.name, gate.shown_digest) for gate in walker.open_gates()]
    mails = sorted(f"{mail.kind} {mail.recipient.person}" for mail in walker.mails())
    return walker.step_names(), asked, mails
