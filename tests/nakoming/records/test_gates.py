"""Gates: who answers first, what closes them, what reopens them, and the step that uses them up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.records import answers, cases, documents, failures, gates, links, outbox, steps, wake_ups
from nakoming.records.errors import (
    AlreadyAnswered,
    DocumentMissing,
    GateClosed,
    GateReopened,
    NotAsked,
    RecordsError,
    ShownChanged,
)
from nakoming.records.gate_model import Field, Gate, GateState, Given
from nakoming.records.steps import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nakoming.records.conftest import World

_HOUR = timedelta(hours=1)


def _close_due(world: World, gate: Gate) -> Gate:
    with world.records.write() as tx:
        return gates.close_due(tx, gate.id)


def _consume(world: World, lease: cases.Lease, gate: Gate, by: str = "build/1") -> None:
    with world.records.write() as tx:
        gates.consume(tx, lease, gate.name, by=by)


@pytest.mark.parametrize(
    ("kind", "rule", "verb", "option", "state"),
    [
        (Kind.APPROVAL, {}, Verb.APPROVE, None, GateState.FULFILLED),
        (Kind.APPROVAL, {}, Verb.REQUEST_CHANGES, None, GateState.DEFEATED),
        (Kind.APPROVAL, {}, Verb.REFUSE, None, GateState.DEFEATED),
        (Kind.DELIVERY, {}, Verb.DELIVER, None, GateState.FULFILLED),
        (Kind.DELIVERY, {}, Verb.REFUSE, None, GateState.DEFEATED),
        (Kind.OBJECTION_WINDOW, {}, Verb.OBJECT, None, GateState.DEFEATED),
        (Kind.OBJECTION_WINDOW, {}, Verb.APPROVE, None, GateState.FULFILLED),
        (Kind.CHOICE, {"options": ("may", "june")}, Verb.CHOOSE, "june", GateState.FULFILLED),
        (Kind.DISCHARGE, {}, Verb.DISCHARGE, None, GateState.FULFILLED),
        (Kind.DISCHARGE, {}, Verb.WITHHOLD, None, GateState.DEFEATED),
    ],
)
def test_the_answer_that_decides_closes_the_gate(
    world: World, kind: Kind, rule: dict[str, Any], verb: Verb, option: str | None, state: GateState
) -> None:
    lease = world.held()
    gate = world.gate(lease, kind=kind, rule=rule)
    receipt = world.give(gate, "anna", verb, option=option)
    found = world.look(gate)
    assert (receipt.state, found.state) == (state, state)
    assert (found.verb, found.option, found.decided_by) == (verb, option, ("acme:anna",))
    assert world.events()[-2:] == ["gate:question:answered", f"gate:question:{state}"]


def test_opening_asks_everybody_and_plans_its_deadline(world: World) -> None:
    lease = world.held()
    due_by = world.now() + _HOUR
    gate = world.gate(lease, due_by=due_by)
    with world.records.read() as tx:
        assert {mail.recipient.name for mail in outbox.of_gate(tx, gate.id)} == {"Anna", "Bert"}
        assert [(each.kind, each.at) for each in wake_ups.pending(tx, lease.case_id)] == [
            ("deadline", due_by)
        ]
        found = links.of_gate(tx, gate.id)[0]
        token = links.token(world.records.keys, found.id, 1)
        assert links.resolve(tx, token) == found
        assert links.resolve(tx, token[:-1] + ("A" if token[-1] != "A" else "B")) is None
        assert links.resolve(tx, "nonsense é") is None


def test_the_first_answer_of_a_person_counts_and_the_same_again_is_the_same_receipt(world: World) -> None:
    gate = world.gate(world.held(), rule={"needed": "all_persons"})
    first = world.give(gate, "anna", Verb.APPROVE)
    again = world.give(gate, "anna", Verb.APPROVE)
    assert (again.answer_id, again.at, again.repeated) == (first.answer_id, first.at, True)
    with pytest.raises(AlreadyAnswered, match="You answered 'approve' before"):
        world.give(gate, "anna", Verb.REFUSE)
    assert world.look(gate).state == GateState.OPEN
    world.give(gate, "bert", Verb.APPROVE)
    assert world.look(gate).decided_by == ("acme:anna", "acme:bert")
    with world.records.read() as tx:  # everybody learns of every answer
        kinds = [(mail.kind, mail.recipient.name) for mail in outbox.of_gate(tx, gate.id)][2:]
    assert sorted(kinds) == sorted([("receipt", "Anna"), ("receipt", "Bert")] * 2)


def test_an_objection_reopens_an_approval_until_a_step_consumed_it(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease)
    world.give(gate, "anna", Verb.APPROVE)
    world.give(gate, "bert", Verb.REQUEST_CHANGES)
    assert world.look(gate).state == GateState.DEFEATED
    with pytest.raises(GateReopened, match="is defeated, not fulfilled"):
        _consume(world, lease, gate)
    world.retract(gate, "bert")
    assert world.look(gate).state == GateState.FULFILLED
    _consume(world, lease, gate)
    with pytest.raises(GateClosed):
        world.give(gate, "bert", Verb.REQUEST_CHANGES)
    with pytest.raises(GateClosed):
        world.retract(gate, "anna")


def test_a_misclick_is_taken_back_and_answered_anew(world: World) -> None:
    gate = world.gate(world.held())
    world.give(gate, "anna", Verb.REFUSE)
    world.retract(gate, "anna")
    assert world.look(gate).state == GateState.OPEN
    world.give(gate, "anna", Verb.APPROVE)
    assert world.look(gate).state == GateState.FULFILLED
    assert world.events()[-5:] == [
        "gate:question:defeated",
        "gate:answer:retracted",
        "gate:question:reopened",
        "gate:question:answered",
        "gate:question:fulfilled",
    ]


def test_a_gate_that_is_reopened_after_its_deadline_closes_at_once(world: World) -> None:
    gate = world.gate(world.held(), due_by=world.now() + _HOUR, closes_at_deadline=True)
    world.give(gate, "anna", Verb.APPROVE)
    world.move(2 * _HOUR)
    world.retract(gate, "anna")
    assert world.look(gate).state == GateState.EXPIRED


def test_a_deadline_that_passed_while_the_gate_was_answered_is_due_when_it_reopens(world: World) -> None:
    gate = world.gate(world.held(), due_by=world.now() + _HOUR)
    world.give(gate, "anna", Verb.APPROVE)
    world.move(2 * _HOUR)
    world.retract(gate, "anna")
    with world.records.read() as tx:
        assert [(each.kind, each.gate_id) for each in wake_ups.due(tx)] == [("deadline", gate.id)]


def test_the_deadline_itself_still_counts_and_the_next_reading_does_not(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease, due_by=world.now() + _HOUR, closes_at_deadline=True)
    assert _close_due(world, gate).state == GateState.OPEN
    world.move(_HOUR + timedelta(seconds=1))
    with pytest.raises(GateClosed, match="This question was closed at"):
        world.give(gate, "anna", Verb.APPROVE)
    assert _close_due(world, gate).state == GateState.EXPIRED
    assert world.reread(lease).state == "open"


def test_a_deadline_that_does_not_close_lets_late_answers_in(world: World) -> None:
    gate = world.gate(world.held(), due_by=world.now() + _HOUR)
    world.move(2 * _HOUR)
    assert _close_due(world, gate).state == GateState.OPEN
    assert world.give(gate, "anna", Verb.APPROVE).state == GateState.FULFILLED


@pytest.mark.parametrize(
    ("arrives", "state"),
    [("in time", GateState.FULFILLED), ("too late", GateState.OPEN), ("never", GateState.OPEN)],
)
def test_silence_is_consent_only_when_the_notice_provably_arrived_in_time(
    world: World, arrives: str, state: GateState
) -> None:
    kind = Kind.OBJECTION_WINDOW
    gate = world.gate(world.held(), kind=kind, due_by=world.now() + _HOUR, closes_at_deadline=True)

    def accept() -> None:
        with world.records.write() as tx:
            for mail in outbox.claim(tx, world.owner):
                outbox.sent(tx, mail, accepted=True, digest="0")

    if arrives == "in time":
        accept()
    world.move(2 * _HOUR)
    if arrives == "too late":
        accept()
    assert _close_due(world, gate).state == state


_QUESTION = {
    "fields": (Field(name="amount", kind="amount", verbs=("approve",)),),
    "remark_required": ("refuse",),
    "documents": (0, 1),
}


@pytest.mark.parametrize(
    ("person", "verb", "differing", "sentence"),
    [
        ("carl", "approve", {}, "An answer by this person is not possible here"),
        ("anna", "deliver", {}, "'deliver' is not possible here; allowed: approve, request_changes, refuse."),
        ("anna", "dance", {}, "'dance' is not possible here"),
        ("anna", "approve", {"option": "may"}, "The choice 'may' is not possible here; allowed: none."),
        ("anna", "refuse", {}, "An answer without a reason is not possible here"),
        ("anna", "refuse", {"remark": "x" * 4001}, "A remark of 4001 characters is not possible here"),
        ("anna", "approve", {}, "An answer without 'amount' is not possible here"),
        ("anna", "approve", {"facts": {"amount": "12,50"}}, "'12,50' as 'amount' is not possible here"),
        ("anna", "approve", {"facts": {"sum": "1"}}, "'sum' is not possible here; allowed: amount."),
        ("anna", "refuse", {"remark": "x", "documents": ("a", "b")}, "An answer with 2 documents is not"),
    ],
)
def test_what_does_not_belong_to_the_question_is_refused_in_a_sentence(
    world: World, person: str, verb: str, differing: dict[str, Any], sentence: str
) -> None:
    gate = world.gate(world.held(), question=_QUESTION)
    with pytest.raises(NotAsked) as refused:
        world.give(gate, person, verb, **differing)
    assert str(refused.value).startswith(sentence)
    assert world.look(gate).state == GateState.OPEN


def test_a_document_of_another_customer_is_unknown(world: World) -> None:
    gate = world.gate(world.held(), question={"documents": (0, 1)})
    foreign = documents.add(world.records, "other", "a.txt", b"theirs", by="other:otto")
    with pytest.raises(DocumentMissing, match="There is no document"):
        world.give(gate, "anna", Verb.APPROVE, documents=(foreign.id,))


def test_an_answer_to_what_was_not_shown_is_refused(world: World) -> None:
    gate = world.gate(world.held())
    given = Given(person="acme:anna", verb="approve", shown_digest="0" * 64)
    with pytest.raises(ShownChanged), world.records.write() as tx:
        answers.give(tx, gate.id, given)


def test_nobody_decides_on_their_own_request(world: World) -> None:
    gate = world.gate(world.held(), rule={"excluded": ("acme:anna",)})
    with pytest.raises(NotAsked):
        world.give(gate, "anna", Verb.APPROVE)
    assert world.give(gate, "bert", Verb.APPROVE).state == GateState.FULFILLED


def test_withdrawing_a_case_revokes_what_it_asked(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease, due_by=world.now() + _HOUR)
    with world.records.write() as tx:
        failures.withdraw(tx, lease.case_id, "acme:anna", "no longer needed")
    with pytest.raises(GateClosed):
        world.give(gate, "anna", Verb.APPROVE)
    with world.records.read() as tx:
        link = links.of_gate(tx, gate.id)[0]
        assert links.resolve(tx, links.token(world.records.keys, link.id, 1)) is None
        assert wake_ups.pending(tx, lease.case_id) == []


def test_a_reissued_link_kills_the_one_before(world: World) -> None:
    gate = world.gate(world.held())
    with world.records.write() as tx:
        link = links.by_address(tx, " ANNA@acme.example ")[0]
        links.reissue(tx, link)
        links.reissue(tx, link)  # the same wish twice is one new link
    with world.records.read() as tx:
        assert links.resolve(tx, links.token(world.records.keys, link.id, 1)) is None
        found = links.resolve(tx, links.token(world.records.keys, link.id, 2))
        assert found is not None
        assert (found.gate_id, found.generation) == (gate.id, 2)


def _race(*acts: Callable[[], object]) -> list[object]:
    """Do all at the same instant; each one's result, or the refusal it got."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except RecordsError as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_two_persons_who_decide_at_the_same_instant_give_one_outcome(world: World) -> None:
    lease = world.held()
    for number in range(8):
        gate = world.gate(lease, f"go/{number}")
        results = _race(
            lambda gate=gate: world.give(gate, "anna", Verb.APPROVE),
            lambda gate=gate: world.give(gate, "bert", Verb.REFUSE),
        )
        found = world.look(gate)
        # A refusal defeats whether it comes first or second; an approval after it is too late.
        assert found.state == GateState.DEFEATED
        assert found.decided_by == ("acme:bert",)
        assert isinstance(results[1], answers.Receipt)
        assert isinstance(results[0], answers.Receipt | GateClosed)


def test_two_clicks_of_one_person_are_one_answer(world: World) -> None:
    lease = world.held()
    for number in range(5):
        gate = world.gate(lease, f"go/{number}")
        both = _race(*[lambda gate=gate: world.give(gate, "anna", Verb.APPROVE)] * 2)
        assert sorted(receipt.repeated for receipt in both) == [False, True]  # type: ignore[attr-defined]
        with world.records.read() as tx:
            assert len(answers.of_gate(tx, gate.id)) == 1


def test_an_objection_and_the_step_that_consumes_never_both_win(world: World) -> None:
    lease = world.held()
    outcomes = set()
    for number in range(12):
        gate = world.gate(lease, f"go/{number}")
        world.give(gate, "anna", Verb.APPROVE)

        def begin(gate: Gate = gate) -> object:
            with world.twin().write() as tx:
                return steps.begin(
                    tx,
                    lease,
                    f"install/{gate.name}",
                    "d",
                    doubt=Doubt.REPEAT,
                    timeout=_HOUR,
                    consumes=(gate.name,),
                )

        begun, objected = _race(begin, lambda gate=gate: world.give(gate, "bert", Verb.REFUSE))
        found = world.look(gate)
        if isinstance(begun, steps.Begun):
            assert isinstance(objected, GateClosed)
            assert (found.state, found.consumed_by) == (GateState.FULFILLED, f"install/{gate.name}")
        else:
            assert isinstance(begun, GateReopened)
            assert (found.state, found.consumed_by) == (GateState.DEFEATED, None)
        outcomes.add(type(begun))
    assert outcomes <= {steps.Begun, GateReopened}


def test_an_answer_at_the_deadline_is_stamped_within_the_window_or_refused(world: World) -> None:
    lease = world.held()
    for number in range(10):
        due_by = world.now() + timedelta(milliseconds=3)
        gate = world.gate(lease, f"go/{number}", due_by=due_by, closes_at_deadline=True)
        given, closed = _race(
            lambda gate=gate: world.give(gate, "anna", Verb.APPROVE),
            lambda gate=gate: _close_due(world, gate),
        )
        found = world.look(gate)
        if isinstance(given, answers.Receipt):
            assert given.at <= due_by
            assert found.state == GateState.FULFILLED
        else:
            assert isinstance(given, GateClosed)
            world.move(timedelta(milliseconds=5))
            assert _close_due(world, gate).state == GateState.EXPIRED
        assert isinstance(closed, Gate)
