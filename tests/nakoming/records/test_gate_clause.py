"""The end of a question is evidence of the clause that asked for it, as its opening is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from nakoming.agreement.gate_rules import Verb
from nakoming.records import schema
from nakoming.records.events import Event

if TYPE_CHECKING:
    from tests.nakoming.records.conftest import World


@pytest.mark.parametrize(
    ("verb", "event"), [(Verb.APPROVE, Event.GATE_FULFILLED), (Verb.REFUSE, Event.GATE_DEFEATED)]
)
@pytest.mark.parametrize("clause", ["S-2.3.2g", None])
def test_the_end_of_a_question_names_its_clause(
    world: World, verb: Verb, event: Event, clause: str | None
) -> None:
    gate = world.gate(world.held(), clause=clause)
    world.give(gate, "anna", verb)
    e = schema.evidence.c
    with world.records.read() as tx:
        rows = tx.connection.execute(select(e.event, e.clause).where(e.about == f"gate:{gate.id}")).all()
    assert [tuple(row) for row in rows] == [(str(Event.GATE_OPENED), clause), (str(event), clause)]
