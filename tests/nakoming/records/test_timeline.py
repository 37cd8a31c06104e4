"""The timeline of a case in order, and what waits, for whom, until when."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from nakoming.agreement.gate_rules import Verb
from nakoming.records import cases, failures, steps
from nakoming.records.timeline import ItemKind, timeline, waiting_overview, waits

if TYPE_CHECKING:
    from tests.nakoming.records.conftest import World

_DAY = timedelta(days=1)


def test_a_timeline_tells_everything_once_in_order_with_its_evidence(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease, due_by=world.now() + _DAY)
    world.give(gate, "anna", Verb.APPROVE, remark="good")
    with world.records.write() as tx:
        steps.record(tx, lease, "build/1", "d", None, output_digest="o")
    with world.records.read() as tx:
        found = timeline(tx, cases.get(tx, lease.case_id))
    assert [item.at for item in found] == sorted(item.at for item in found)
    told = [(item.kind, item.name, item.text) for item in found if item.kind != ItemKind.MAIL]
    assert told[0] == (ItemKind.EVIDENCE, "case:run:opened", "opened")
    assert (ItemKind.ANSWER, "spec/1", "acme:anna answered approve by link: good") in told
    assert (ItemKind.GATE, "spec/1", "fulfilled (approve) by acme:anna") in told
    assert told[-1] == (ItemKind.STEP, "build/1", "done")
    assert sum(item.kind == ItemKind.MAIL for item in found) == 4
    proofs = [item.evidence for item in found if item.evidence]
    assert sorted(proofs) == [f"acme:{number}" for number in range(1, len(world.events()) + 1)]
    json.dumps([item.as_data() for item in found])


def test_what_waits_names_those_who_have_not_answered(world: World) -> None:
    lease = world.held()
    due_by = world.now() + _DAY
    gate = world.gate(lease, rule={"needed": "all_persons"}, due_by=due_by)
    world.give(gate, "anna", Verb.APPROVE)
    with world.records.write() as tx:
        cases.wait(tx, lease, [{"gate": gate.id, "seen": "open", "what": "spec/1", "until": None}])
    with world.records.read() as tx:
        [wait] = waits(tx, cases.get(tx, lease.case_id))
    assert (wait.what, wait.for_whom, wait.until, wait.since) == ("spec/1", ("Bert",), due_by, gate.opened_at)
    assert not wait.is_overdue(due_by)
    assert wait.is_overdue(due_by + timedelta(microseconds=1))


def test_the_overview_begins_with_what_is_overdue(world: World) -> None:
    now = world.now()
    for subject, due_by in (("later", now + 3 * _DAY), ("overdue", now - _DAY), ("no deadline", None)):
        world.gate(world.acquire(world.case(subject)), due_by=due_by)
    stuck = world.case("stuck")
    for _ in range(failures.ATTEMPTS):
        lease = world.acquire(stuck)
        with world.records.write() as tx:
            failures.failed(tx, lease, "ValueError: no")
    instant = world.acquire(world.case("instant"))
    with world.records.write() as tx:
        wish = {"what": "the window opens", "until": (now + _DAY).isoformat(), "name": "window/until"}
        cases.wait(tx, instant, [wish])
    ended = world.acquire(world.case("ended"))
    world.gate(ended)
    with world.records.write() as tx:
        cases.close(tx, ended, "done")
    with world.records.read() as tx:
        found = waiting_overview(tx)
    assert [wait.key.rpartition("/")[2] for wait in found] == [
        "overdue",
        "instant",
        "later",
        "no deadline",
        "stuck",
    ]
    assert [wait.is_overdue(now) for wait in found] == [True, False, False, False, False]
    assert found[-1].what == "stuck: ValueError: no"
    json.dumps([wait.as_data() for wait in found])
