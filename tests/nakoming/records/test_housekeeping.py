"""What is due is done once, whoever comes first and however late: deadlines, reminders, ladders, instants."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.records import cases, failures, housekeeping, outbox, wake_ups, wishes
from nakoming.records.cases import State
from nakoming.records.gate_model import Contact, GateState, Nudge

if TYPE_CHECKING:
    from nakoming.records.cases import Lease
    from nakoming.records.gate_model import Gate
    from nakoming.records.housekeeping import Acted
    from nakoming.records.store import Records
    from tests.nakoming.records.conftest import World

DAY = timedelta(days=1)
BREACHES = {"sla": "agreement:term:breached", "agreement": "agreement:term:breached"}
BREACHES |= {"ours": "agreement:own_target:missed"}
CHEF = Contact(person="acme:chef", name="Chef", email="chef@acme.example", language="nl", role="management")


def act(records: Records, case_id: str | None = None, told: list[str] | None = None) -> list[Acted]:
    """Act on what is due; `told` takes the gates whose notice is not proven."""
    told = [] if told is None else told
    return housekeeping.act_on_due(records, case_id, unproven=lambda _, gate: told.append(gate.id))


def due(world: World, case_id: str | None = None, told: list[str] | None = None) -> list[str]:
    """The same; what was done."""
    found = act(world.records, case_id, told)
    assert [acted.error for acted in found] == [None] * len(found)
    return [acted.did for acted in found]


def asked(world: World, lease: Lease, name: str = "spec/1", **differing: Any) -> Gate:
    """A gate whose deadline is a day from now."""
    return world.gate(lease, name, due_by=world.now() + DAY, **differing)


def nudges(world: World, *names: str, contacts: tuple[Contact, ...] = ()) -> tuple[Nudge, ...]:
    """A nudge an hour, the first in an hour."""
    hours = [timedelta(hours=number) for number in range(1, len(names) + 1)]
    return tuple(
        Nudge(kind=name.partition("/")[0], name=name, at=world.now() + after, contacts=contacts)
        for name, after in zip(names, hours, strict=True)
    )


def waits(world: World, lease: Lease, *gates: Gate) -> None:
    """Let go of a case that waits for these gates."""
    with world.records.write() as tx:
        cases.wait(
            tx, lease, [{"gate": gate.id, "seen": str(gate.state), "what": gate.name} for gate in gates]
        )


def mails(world: World, gate: Gate, kind: str) -> list[outbox.QueuedMail]:
    """The mails of one kind of a gate."""
    with world.records.read() as tx:
        return [mail for mail in outbox.of_gate(tx, gate.id) if mail.kind == kind]


@pytest.mark.parametrize("origin", ["sla", "agreement", "ours", "customer"])
def test_a_late_answer_of_ours_is_a_breach_recorded_once(world: World, origin: str) -> None:
    lease = world.held()
    gate = asked(world, lease, due_origin=origin, clause="S-2.3.2a")
    waits(world, lease, gate)
    before = world.events()
    assert due(world) == []
    world.move(DAY + timedelta(seconds=1))
    assert len(due(world)) == 1
    assert due(world) == []
    assert world.events()[len(before) :] == ([BREACHES[origin]] if origin in BREACHES else [])
    assert world.look(gate).state == GateState.OPEN
    assert world.reread(lease).wake_at is None


def test_the_breach_names_the_clause_and_the_deadline(world: World) -> None:
    lease = world.held()
    gate = asked(world, lease, due_origin="sla", clause="S-2.3.2a")
    world.move(DAY * 2)
    due(world)
    with world.records.read() as tx:
        row = tx.connection.exec_driver_sql(
            "SELECT clause, about, case_id FROM evidence WHERE event = 'agreement:term:breached'"
        ).one()
    assert tuple(row) == ("S-2.3.2a", f"gate:{gate.id}", lease.case_id)


def test_an_answer_at_the_deadline_is_in_time_and_nothing_is_due_any_more(world: World) -> None:
    lease = world.held()
    gate = asked(world, lease, due_origin="sla")
    world.give(gate, "anna", Verb.APPROVE)
    world.move(DAY * 2)
    assert due(world) == []


def test_an_answer_after_the_deadline_and_before_the_pass_is_still_late(world: World) -> None:
    lease = world.held()
    gate = asked(world, lease, due_origin="sla")
    world.move(DAY + timedelta(seconds=5))
    world.give(gate, "anna", Verb.APPROVE)
    with world.records.write() as tx:
        cases.close(tx, lease, "done")
    assert due(world) == ["a term was breached"]


def test_a_gate_that_closes_at_its_deadline_closes_and_wakes_its_case(world: World) -> None:
    lease = world.held()
    gate = asked(world, lease, closes_at_deadline=True)
    waits(world, lease, gate)
    world.move(DAY + timedelta(seconds=1))
    assert due(world) == ["the question is expired"]
    assert world.look(gate).state == GateState.EXPIRED
    assert world.events()[-1] == "gate:question:expired"
    with world.records.read() as tx:
        assert [wish.case_id for wish in wishes.wanting(tx)] == [lease.case_id]


def test_a_duty_of_ours_that_expires_is_a_breach_too(world: World) -> None:
    asked(world, world.held(), closes_at_deadline=True, due_origin="agreement")
    world.move(DAY * 2)
    assert due(world) == ["a term was breached"]
    assert world.events()[-2:] == ["gate:question:expired", "agreement:term:breached"]


def test_silence_without_an_accepted_notice_is_no_consent_and_is_told_once(world: World) -> None:
    gate = asked(world, world.held(), kind=Kind.OBJECTION_WINDOW, closes_at_deadline=True)
    told: list[str] = []
    assert due(world, told=told) == []
    world.move(DAY * 2)
    assert due(world, told=told) == ["the question is open"]
    assert world.look(gate).state == GateState.OPEN
    assert due(world, told=told) == []
    assert told == [gate.id]


def test_of_silence_after_an_accepted_notice_and_of_other_questions_nobody_is_told(world: World) -> None:
    window = asked(world, world.held(), kind=Kind.OBJECTION_WINDOW, closes_at_deadline=True)
    asked(world, world.held(), "expires/1", closes_at_deadline=True)
    asked(world, world.held(), "stays/1", due_origin="sla")
    with world.records.write() as tx:
        for mail in outbox.claim(tx, world.owner):
            outbox.sent(tx, mail, accepted=True, digest="0")
    world.move(DAY * 2)
    told: list[str] = []
    assert len(due(world, told=told)) == 3
    assert world.look(window).state == GateState.FULFILLED
    assert told == []


def test_a_reminder_goes_to_those_who_have_not_answered(world: World) -> None:
    lease = world.held()
    everyone = {"needed": "all_persons"}
    gate = world.gate(lease, rule=everyone, nudges=nudges(world, "reminder/1", "reminder/2"))
    world.give(gate, "anna", Verb.APPROVE)
    world.move(timedelta(minutes=61))
    assert due(world) == ["1 reminded"]
    (mail,) = mails(world, gate, "reminder")
    assert (mail.recipient.person, mail.context, mail.generation) == ("acme:bert", {"number": 1}, 1)
    assert mail.link_id is not None
    assert world.events()[-1] == "gate:question:reminded"
    world.move(timedelta(minutes=60))
    assert due(world) == ["1 reminded"]
    assert [mail.context["number"] for mail in mails(world, gate, "reminder")] == [1, 2]


def test_after_an_outage_a_pile_of_reminders_is_one(world: World) -> None:
    names = [f"reminder/{number}" for number in range(1, 5)]
    gate = world.gate(world.held(), nudges=nudges(world, *names))
    other = world.gate(world.held(), nudges=nudges(world, *names))
    world.move(timedelta(minutes=181))
    assert due(world) == ["2 reminded", "2 reminded"]
    for each in (gate, other):
        assert [mail.context["number"] for mail in mails(world, each, "reminder")] == [3, 3]
    world.move(timedelta(minutes=60))
    assert due(world) == ["2 reminded", "2 reminded"]


def test_after_an_outage_a_gate_that_expired_is_not_reminded_of(world: World) -> None:
    plan = nudges(world, "reminder/1", "escalation/1", contacts=(CHEF,))
    gate = asked(world, world.held(), closes_at_deadline=True, nudges=plan)
    world.move(DAY * 2)
    assert due(world) == ["the question is expired"]
    assert mails(world, gate, "reminder") == mails(world, gate, "escalation") == []


def test_an_escalation_tells_its_level_and_gives_the_asked_their_own_link(world: World) -> None:
    anna = Contact(person="acme:anna", name="Anna", email="anna@acme.example", language="nl", role="approver")
    plan = nudges(world, "escalation/1", "escalation/2", contacts=(CHEF, anna))
    gate = world.gate(world.held(), nudges=plan)
    world.move(timedelta(minutes=61))
    assert due(world) == ["escalated to 2"]
    sent = {mail.recipient.person: mail for mail in mails(world, gate, "escalation")}
    assert sent["acme:chef"].link_id is None
    assert sent["acme:anna"].link_id is not None
    assert {mail.context["level"] for mail in sent.values()} == {1}
    assert world.events()[-1] == "gate:question:escalated"
    world.move(timedelta(minutes=60))
    assert due(world) == ["escalated to 2"]
    assert [mail.context["level"] for mail in mails(world, gate, "escalation")] == [1, 1, 2, 2]


def test_nobody_is_nudged_about_a_closed_question(world: World) -> None:
    gate = world.gate(world.held(), nudges=nudges(world, "reminder/1", "escalation/1", contacts=(CHEF,)))
    world.give(gate, "anna", Verb.APPROVE)
    world.move(DAY)
    assert due(world) == []


def test_an_instant_wakes_its_case_only(world: World) -> None:
    lease, other = world.held(), world.held()
    for each in (lease, other):
        until = (world.now() + timedelta(hours=1)).isoformat()
        with world.records.write() as tx:
            cases.wait(tx, each, [{"name": "slot/until", "what": "the window", "until": until}])
    world.move(timedelta(hours=2))
    assert due(world, lease.case_id) == ["the case was woken"]
    with world.records.read() as tx:
        assert [each.case_id for each in wake_ups.due(tx)] == [other.case_id]


def test_of_two_reconcilers_at_once_each_wake_up_is_acted_on_by_one(world: World) -> None:
    leases = [world.held() for _ in range(6)]
    plan = nudges(world, "reminder/1", "escalation/1", contacts=(CHEF,))
    for lease in leases:
        asked(world, lease, due_origin="sla", nudges=plan)
    world.move(DAY * 2)
    barrier = threading.Barrier(2)

    def at_once(_: int) -> list[Acted]:
        twin = world.twin()
        barrier.wait()
        return act(twin)

    with ThreadPoolExecutor(2) as pool:
        acted = [each for found in pool.map(at_once, range(2)) for each in found]
    assert len({each.wake_up_id for each in acted}) == len(acted) == 18
    counted = {name: world.events().count(name) for name in set(world.events())}
    assert counted["agreement:term:breached"] == 6
    assert counted["gate:question:reminded"] == counted["gate:question:escalated"] == 6


def test_one_that_fails_stops_no_other_and_is_tried_again(world: World) -> None:
    plan = nudges(world, "escalation/1", contacts=(CHEF,))
    broken, sound = (world.gate(world.held(), nudges=plan) for _ in range(2))
    with world.records.write() as tx:
        (row,) = wake_ups.pending(tx, broken.case_id)
        table = wake_ups._wake_ups
        swapped = tx.seal("acme", "elsewhere", [])
        tx.connection.execute(table.update().where(table.c.id == row.id).values(contacts_sealed=swapped))
    world.move(DAY)
    acted = {each.case_id: each for each in act(world.records)}
    assert acted[sound.case_id].did == "escalated to 1"
    assert "was changed or does not belong there" in (acted[broken.case_id].error or "")
    again = act(world.records)
    assert [(each.case_id, each.error is None) for each in again] == [(broken.case_id, False)]


def test_a_case_wants_to_run_when_it_is_due_or_nobody_holds_it(world: World) -> None:
    def wanting() -> set[str]:
        with world.records.read() as tx:
            return {wish.case_id for wish in wishes.wanting(tx)}

    never_taken, held = world.case(), world.held()
    assert wanting() == set()
    world.move(timedelta(seconds=14))
    assert wanting() == set()
    world.move(timedelta(seconds=2))
    assert wanting() == {held.case_id}
    world.move(timedelta(seconds=20))
    assert wanting() == {never_taken.id, held.case_id}


def test_prefect_is_told_again_only_after_a_while_and_a_later_holder_is_not_touched(world: World) -> None:
    lease = world.held()
    with world.records.write() as tx:
        failures.failed(tx, lease, "boom")
    world.move(timedelta(seconds=6))
    with world.records.write() as tx:
        (wish,) = wishes.wanting(tx)
        wishes.told(tx, wish)
    with world.records.read() as tx:
        assert wishes.wanting(tx) == []
    world.move(timedelta(seconds=31))
    with world.records.read() as tx:
        assert [each.key for each in wishes.wanting(tx)] == [lease.key]
    later = cases.Lease(lease.case_id, "acme", lease.key, world.other, lease.epoch + 1)
    assert world.acquire(world.reread(lease), world.other) == later
    with world.records.write() as tx:
        wishes.told(tx, wish)
    with world.records.read() as tx:
        found = wishes.of_case(tx, lease.case_id)
    assert found is not None
    assert (found.state, found.woken_at, found.wants_to_run) == (State.OPEN, None, False)
