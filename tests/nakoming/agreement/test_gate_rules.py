"""Who decides a gate and when, for each kind, verb and way to count."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakoming.agreement.errors import GateRuleError
from nakoming.agreement.gate_rules import (
    Answer,
    GateRule,
    Judgement,
    Kind,
    Obstacle,
    Reason,
    Seat,
    State,
    Verb,
    judge,
    obstacle,
)
from tests.nakoming.agreement.dated import utc

START = utc("2026-11-23 10:00")
FA = Seat(role="functional_administrator", persons=("ada", "bob"))
CM = Seat(role="cluster_manager", persons=("cor",))
DEPUTISED = Seat(
    role="functional_administrator",
    persons=("ada", "bob", "dee"),
    holders=("ada", "bob"),
    stand_ins=(("dee", "bob"),),
)


def says(person: str, verb: Verb, after: int = 0, **more: Any) -> Answer:
    return Answer(person=person, verb=verb, at=START + timedelta(minutes=after), **more)


def rule(kind: Kind = Kind.APPROVAL, *seats: Seat, **more: Any) -> GateRule:
    return GateRule(kind=kind, seats=seats or (FA, CM), **more)


@pytest.mark.parametrize(
    ("kind", "verb", "state"),
    [
        (Kind.APPROVAL, Verb.APPROVE, State.FULFILLED),
        (Kind.APPROVAL, Verb.REQUEST_CHANGES, State.DEFEATED),
        (Kind.APPROVAL, Verb.REFUSE, State.DEFEATED),
        (Kind.DELIVERY, Verb.DELIVER, State.FULFILLED),
        (Kind.DELIVERY, Verb.REFUSE, State.DEFEATED),
        (Kind.OBJECTION_WINDOW, Verb.APPROVE, State.FULFILLED),
        (Kind.OBJECTION_WINDOW, Verb.OBJECT, State.DEFEATED),
        (Kind.DISCHARGE, Verb.DISCHARGE, State.FULFILLED),
        (Kind.DISCHARGE, Verb.WITHHOLD, State.DEFEATED),
    ],
)
def test_one_answer_settles_each_kind(kind: Kind, verb: Verb, state: State) -> None:
    found = judge(rule(kind), [says("ada", verb)])
    assert (found.state, found.verb, found.decided_by) == (state, verb, ("ada",))


@pytest.mark.parametrize("kind", [Kind.APPROVAL, Kind.DELIVERY, Kind.DISCHARGE, Kind.OBJECTION_WINDOW])
def test_without_answers_a_gate_is_open(kind: Kind) -> None:
    assert judge(rule(kind), []) == Judgement(state=State.OPEN, reason=Reason.WAITING)


@pytest.mark.parametrize("kind", [Kind.APPROVAL, Kind.DELIVERY, Kind.DISCHARGE])
def test_silence_is_never_consent_outside_an_objection_window(kind: Kind) -> None:
    found = judge(rule(kind), [], closed_at_deadline=True, notice_accepted=True)
    assert (found.state, found.reason) == (State.EXPIRED, Reason.DEADLINE_PASSED)


@pytest.mark.parametrize(
    ("notice_accepted", "state", "reason"),
    [
        (True, State.SILENT_CONSENT, Reason.SILENCE_AFTER_NOTICE),
        (False, State.HELD, Reason.NOTICE_NOT_PROVEN),
    ],
)
def test_silence_is_consent_only_when_the_notice_arrived(
    notice_accepted: bool,  # noqa: FBT001  # a column of the table
    state: State,
    reason: Reason,
) -> None:
    window = rule(Kind.OBJECTION_WINDOW)
    found = judge(window, [], closed_at_deadline=True, notice_accepted=notice_accepted)
    assert (found.state, found.reason, found.verb) == (state, reason, None)
    assert judge(window, [], notice_accepted=notice_accepted).state is State.OPEN


@pytest.mark.parametrize(
    ("text", "reason"),
    [("the totals are wrong", Reason.OBJECTION), (" ", Reason.OBJECTION_WITHOUT_REASON)],
)
def test_an_objection_counts_with_and_without_a_reason(text: str, reason: Reason) -> None:
    objection = says("cor", Verb.OBJECT, reason=text)
    found = judge(rule(Kind.OBJECTION_WINDOW), [objection], closed_at_deadline=True, notice_accepted=True)
    assert (found.state, found.reason) == (State.DEFEATED, reason)


def test_the_first_answer_of_a_person_counts() -> None:
    found = judge(rule(), [says("ada", Verb.REFUSE, 5), says("ada", Verb.APPROVE, 1)])
    assert (found.state, found.verb) == (State.FULFILLED, Verb.APPROVE)


def test_a_retraction_frees_the_person_to_answer_again() -> None:
    answers = [says("ada", Verb.APPROVE, 1, retracted=True)]
    assert judge(rule(), answers).state is State.OPEN
    answers.append(says("ada", Verb.REQUEST_CHANGES, 2))
    assert judge(rule(), answers).verb is Verb.REQUEST_CHANGES


def test_an_objection_reopens_a_fulfilled_approval() -> None:
    answers = [says("ada", Verb.APPROVE, 1), says("cor", Verb.REFUSE, 2)]
    assert judge(rule(), answers[:1]).state is State.FULFILLED
    found = judge(rule(), answers)
    assert (found.state, found.verb, found.decided_by) == (State.DEFEATED, Verb.REFUSE, ("cor",))


def test_nobody_decides_on_their_own_request() -> None:
    own = rule(excluded=("ada",))
    assert judge(own, [says("ada", Verb.APPROVE)]).state is State.OPEN
    assert judge(own, [says("ada", Verb.REFUSE)]).state is State.OPEN
    assert judge(own, [says("bob", Verb.APPROVE)]).state is State.FULFILLED


def test_an_answer_from_elsewhere_changes_nothing() -> None:
    assert judge(rule(), [says("eve", Verb.REFUSE), says("eve", Verb.APPROVE, 1)]).state is State.OPEN


@pytest.mark.parametrize(
    ("needed", "seats", "persons", "state"),
    [
        pytest.param("one", (FA, CM), "ada", State.FULFILLED, id="one"),
        pytest.param("all_roles", (FA, CM), "ada", State.OPEN, id="a role is missing"),
        pytest.param("all_roles", (FA, CM), "ada bob", State.OPEN, id="twice the same role"),
        pytest.param("all_roles", (FA, CM), "bob cor", State.FULFILLED, id="each role"),
        pytest.param("all_persons", (FA, CM), "ada cor", State.OPEN, id="a person is missing"),
        pytest.param("all_persons", (FA, CM), "ada bob cor", State.FULFILLED, id="everybody"),
        pytest.param("all_persons", (DEPUTISED,), "ada dee", State.FULFILLED, id="a deputy for the absent"),
        pytest.param("all_persons", (DEPUTISED,), "ada bob", State.FULFILLED, id="the deputy is not needed"),
        pytest.param("all_persons", (DEPUTISED,), "bob dee", State.OPEN, id="a deputy for nobody else"),
        pytest.param(2, (FA, CM), "ada", State.OPEN, id="one of two"),
        pytest.param(2, (FA, CM), "ada cor", State.FULFILLED, id="two of three"),
        pytest.param(2, (DEPUTISED,), "bob dee", State.OPEN, id="principal and deputy are one pair of eyes"),
        pytest.param(2, (DEPUTISED,), "ada dee", State.FULFILLED, id="another and a deputy"),
    ],
)
def test_how_many_are_needed(needed: Any, seats: tuple[Seat, ...], persons: str, state: State) -> None:
    answers = [says(person, Verb.APPROVE, at) for at, person in enumerate(persons.split())]
    assert judge(rule(Kind.APPROVAL, *seats, needed=needed), answers).state is state


def test_one_deputy_of_two_is_one_pair_of_eyes_and_both_voices() -> None:
    seat = Seat(
        role="management",
        persons=("ada", "bob", "dee"),
        holders=("ada", "bob"),
        stand_ins=(("dee", "ada"), ("dee", "bob")),
    )
    answers = [says("dee", Verb.APPROVE)]
    assert judge(rule(Kind.APPROVAL, seat, needed=2), answers).state is State.OPEN
    assert judge(rule(Kind.APPROVAL, seat, needed="all_persons"), answers).state is State.FULFILLED


def test_a_deputy_gives_way_to_the_person_who_answers_too() -> None:
    seat = Seat(
        role="management",
        persons=("abe", "bob", "cor"),
        holders=("bob", "cor"),
        stand_ins=(("abe", "bob"), ("abe", "cor")),
    )
    answers = [says("abe", Verb.APPROVE), says("bob", Verb.APPROVE, 1)]
    assert judge(rule(Kind.APPROVAL, seat, needed=2), answers).state is State.FULFILLED


def test_the_deputy_of_an_excluded_person_answers_for_all_persons() -> None:
    own = rule(Kind.APPROVAL, DEPUTISED, needed="all_persons", excluded=("bob",))
    assert judge(own, [says("ada", Verb.APPROVE)]).state is State.OPEN
    assert judge(own, [says("ada", Verb.APPROVE), says("dee", Verb.APPROVE, 1)]).state is State.FULFILLED


def test_without_veto_the_gate_is_defeated_when_too_few_are_left() -> None:
    two = rule(needed=2, veto=False)
    answers = [says("ada", Verb.REFUSE, 0)]
    assert judge(two, answers).state is State.OPEN
    assert (
        judge(two, [*answers, says("bob", Verb.APPROVE, 1), says("cor", Verb.APPROVE, 2)]).state
        is State.FULFILLED
    )
    found = judge(two, [*answers, says("bob", Verb.REFUSE, 1)])
    assert (found.state, found.decided_by) == (State.DEFEATED, ("ada", "bob"))
    assert found.reason is Reason.TOO_FEW_LEFT


def test_a_choice_is_made_by_enough_for_the_same_option() -> None:
    choice = rule(Kind.CHOICE, needed=2, options=("postpone", "go"))
    answers = [says("ada", Verb.CHOOSE, 0, option="go"), says("bob", Verb.CHOOSE, 1, option="postpone")]
    found = judge(choice, answers)
    assert (found.state, found.reason) == (State.OPEN, Reason.OPTIONS_DIFFER)
    found = judge(choice, [*answers, says("cor", Verb.CHOOSE, 2, option="go")])
    assert (found.state, found.option, found.decided_by) == (State.FULFILLED, "go", ("ada", "cor"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says("ada", Verb.APPROVE), None),
        (says("eve", Verb.APPROVE), Obstacle.NOT_SEATED),
        (says("cor", Verb.APPROVE), Obstacle.OWN_REQUEST),
        (says("ada", Verb.OBJECT), Obstacle.VERB_NOT_OFFERED),
        (says("ada", Verb.APPROVE, option="x"), Obstacle.OPTION_NOT_OFFERED),
        (says("bob", Verb.APPROVE, 3), Obstacle.ALREADY_ANSWERED),
    ],
)
def test_why_an_answer_is_not_admitted(answer: Answer, expected: Obstacle | None) -> None:
    before = [says("bob", Verb.APPROVE), says("ada", Verb.REFUSE, retracted=True)]
    assert obstacle(rule(excluded=("cor",)), before, answer) is expected


def test_a_choice_takes_only_what_is_offered() -> None:
    choice = rule(Kind.CHOICE, options=("a", "b"))
    assert obstacle(choice, [], says("ada", Verb.CHOOSE)) is Obstacle.OPTION_NOT_OFFERED
    assert obstacle(choice, [], says("ada", Verb.CHOOSE, option="c")) is Obstacle.OPTION_NOT_OFFERED
    assert judge(choice, [says("ada", Verb.CHOOSE, option="c")]).state is State.OPEN


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"seats": ()}, "no role is asked"),
        (
            {"seats": (Seat(role="analyst", persons=()),)},
            "the role analyst has nobody; add a person or a deputy for that date",
        ),
        (
            {"seats": (CM,), "excluded": ("cor",)},
            "everyone who could answer is excluded because the request is their own; add a deputy",
        ),
        (
            {"seats": (FA, CM), "needed": "all_roles", "excluded": ("cor",)},
            "everyone in the role cluster_manager is excluded; add a deputy",
        ),
        ({"needed": 4}, "4 persons are needed and at most 3 can answer"),
        ({"needed": 0}, "0 persons are needed and at most 3 can answer"),
        ({"seats": (DEPUTISED,), "needed": 3}, "3 persons are needed and at most 2 can answer"),
        ({"needed": 3, "excluded": ("ada",)}, "3 persons are needed and at most 2 can answer"),
        ({"options": ("a",)}, "options belong to a choice, and a choice has at least one"),
        ({"kind": Kind.CHOICE}, "options belong to a choice, and a choice has at least one"),
        ({"kind": Kind.CHOICE, "options": ("a", "a")}, "an option is offered twice"),
        ({"verbs": (Verb.DELIVER,)}, "the verb deliver does not belong to this kind"),
        ({"verbs": (Verb.REFUSE,)}, "no verb is offered that would fulfil it"),
        (
            {"kind": Kind.OBJECTION_WINDOW, "verbs": (Verb.APPROVE,)},
            "an objection window must offer the objection",
        ),
    ],
)
def test_a_rule_nobody_can_fulfil_is_refused(arguments: dict[str, Any], problem: str) -> None:
    whole = {"kind": Kind.APPROVAL, "seats": (FA, CM), **arguments}
    with pytest.raises(GateRuleError) as caught:
        GateRule(**whole)
    assert str(caught.value) == f"A gate of kind {whole['kind']} cannot be asked: {problem}."


def test_the_order_in_which_answers_are_read_does_not_matter() -> None:
    answers = [
        says("ada", Verb.APPROVE, 1),
        says("bob", Verb.REFUSE, 2),
        says("cor", Verb.REQUEST_CHANGES, 3),
    ]
    found = {judge(rule(), order).decided_by for order in permutations(answers)}
    assert found == {("bob",)}


ANSWERS = st.lists(
    st.builds(
        says,
        st.sampled_from(["ada", "bob", "cor", "eve"]),
        st.sampled_from([Verb.APPROVE, Verb.REFUSE]),
        st.integers(0, 50),
        retracted=st.booleans(),
    ),
    max_size=8,
)


@given(
    answers=ANSWERS, needed=st.sampled_from(["one", "all_roles", "all_persons", 1, 2, 3]), veto=st.booleans()
)
def test_a_decision_rests_on_the_persons_it_names(answers: list[Answer], needed: Any, *, veto: bool) -> None:
    found = judge(rule(needed=needed, veto=veto), answers)
    alone = [answer for answer in answers if answer.person in found.decided_by]
    assert set(found.decided_by) <= {"ada", "bob", "cor"}
    if found.state is not State.OPEN:
        assert judge(rule(needed=needed, veto=veto), alone) == found
