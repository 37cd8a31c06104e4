"""Who decides a gate, and when it is decided. Pure: no clock, no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import AwareDatetime, model_validator

from nakoming.agreement.errors import GateRuleError
from nakoming.agreement.gate_words import FULFILS, VERBS, Kind, Obstacle, Reason, State, Verb
from nakoming.agreement.seats import Seat, resolve_seats
from nakoming.agreement.values import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Answer",
    "GateRule",
    "Judgement",
    "Kind",
    "Obstacle",
    "Reason",
    "Seat",
    "State",
    "Verb",
    "judge",
    "obstacle",
    "resolve_seats",
    "standing_answers",
]


class Answer(Frozen):
    """What a person answered at an instant; a retracted answer frees the person to answer again."""

    person: str
    verb: Verb
    option: str | None = None
    at: AwareDatetime
    retracted: bool = False
    reason: str = ""


class GateRule(Frozen):
    """Who must answer for a gate to be fulfilled.

    `needed`: `one` answer, one for each role (`all_roles`), one of everybody (`all_persons`), or a number of
    persons. With `veto` one answer against defeats the gate; without it the gate is defeated when too few are
    left. `excluded` are those whose own request it is. `options` belong to a choice. `verbs` default to the
    kind's own.

    Raises:
        GateRuleError: nobody could ever fulfil the rule, or it contradicts itself.
    """

    kind: Kind
    seats: tuple[Seat, ...]
    needed: Literal["one", "all_roles", "all_persons"] | int = "one"
    veto: bool = True
    excluded: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    verbs: tuple[Verb, ...] = ()

    @model_validator(mode="after")
    def _can_be_fulfilled(self) -> Self:
        problem = self._contradiction() or self._nobody()
        if problem is not None:
            raise GateRuleError(kind=self.kind.value, problem=problem)
        return self

    @property
    def offered(self) -> tuple[Verb, ...]:
        """The verbs a person may choose from."""
        return self.verbs or VERBS[self.kind]

    @property
    def eligible(self) -> frozenset[str]:
        """Who may answer: everyone seated who is not excluded."""
        return frozenset(person for seat in self.seats for person in seat.persons) - set(self.excluded)

    def voices(self, person: str) -> frozenset[tuple[str, str]]:
        """Return the (role, principal) voices that an answer of `person` brings."""
        if person not in self.eligible:
            return frozenset()
        return frozenset((seat.role, voice) for seat in self.seats for voice in seat.stands_for(person))

    def _contradiction(self) -> str | None:
        if (self.kind is Kind.CHOICE) != bool(self.options):
            return "options belong to a choice, and a choice has at least one"
        if len(set(self.options)) != len(self.options):
            return "an option is offered twice"
        foreign = [verb.value for verb in self.offered if verb not in VERBS[self.kind]]
        if foreign:
            return f"the verb {foreign[0]} does not belong to this kind"
        if not FULFILS & set(self.offered) and self.kind is not Kind.OBJECTION_WINDOW:
            return "no verb is offered that would fulfil it"
        if self.kind is Kind.OBJECTION_WINDOW and Verb.OBJECT not in self.offered:
            return "an objection window must offer the objection"
        return None

    def _nobody(self) -> str | None:
        if not self.seats:
            return "no role is asked"
        empty = [seat.role for seat in self.seats if not seat.persons]
        if empty:
            return f"the role {empty[0]} has nobody; add a person or a deputy for that date"
        if not self.eligible:
            return "everyone who could answer is excluded because the request is their own; add a deputy"
        if self.needed == "all_roles":
            shut = [seat.role for seat in self.seats if not set(seat.persons) - set(self.excluded)]
            return f"everyone in the role {shut[0]} is excluded; add a deputy" if shut else None
        if isinstance(self.needed, int):
            most = _distinct(self, self.eligible)
            if not 1 <= self.needed <= most:
                return f"{self.needed} persons are needed and at most {most} can answer"
        return None


class Judgement(Frozen):
    """How a gate stands, with which verb and option, decided by whom, and why."""

    state: State
    verb: Verb | None = None
    option: str | None = None
    decided_by: tuple[str, ...] = ()
    reason: Reason = Reason.WAITING


def standing_answers(rule: GateRule, answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Return the answers that count, in order of time: each person's first that was not taken back."""
    standing: dict[str, Answer] = {}
    for answer in sorted(answers, key=lambda each: each.at):
        if answer.retracted or obstacle(rule, (), answer) is not None:
            continue
        standing.setdefault(answer.person, answer)
    return tuple(standing.values())


def obstacle(rule: GateRule, before: Iterable[Answer], answer: Answer) -> Obstacle | None:
    """Return why `answer` cannot be admitted after the answers `before`, None when it can."""
    if answer.person in rule.excluded:
        return Obstacle.OWN_REQUEST
    if answer.person not in rule.eligible:
        return Obstacle.NOT_SEATED
    if answer.verb not in rule.offered:
        return Obstacle.VERB_NOT_OFFERED
    if (answer.option not in rule.options) if answer.verb is Verb.CHOOSE else answer.option is not None:
        return Obstacle.OPTION_NOT_OFFERED
    if any(each.person == answer.person and not each.retracted for each in before):
        return Obstacle.ALREADY_ANSWERED
    return None


def judge(
    rule: GateRule,
    answers: Sequence[Answer],
    closed_at_deadline: bool = False,  # noqa: FBT001, FBT002  # part of the contract; always named by callers
    notice_accepted: bool = False,  # noqa: FBT001, FBT002  # the same
) -> Judgement:
    """Return how the gate stands over all its answers.

    An answer against defeats with `veto`, also after the gate was fulfilled: an objection reopens an approval
    until the guarded step consumed it. At the deadline of an objection window silence is consent only when
    the notice was accepted by the customer's mail server (S-2.6.4); an objection without a reason counts
    (S-2.6.5).
    """
    standing = standing_answers(rule, answers)
    against = tuple(answer for answer in standing if answer.verb not in FULFILS)
    return (
        _defeated(rule, against)
        or _fulfilled(rule, standing)
        or _closed(rule, closed=closed_at_deadline, notice_accepted=notice_accepted)
        or Judgement(state=State.OPEN, reason=_why_open(standing))
    )


def _defeated(rule: GateRule, against: tuple[Answer, ...]) -> Judgement | None:
    if not against:
        return None
    first = against[0]
    if rule.kind is Kind.OBJECTION_WINDOW:
        reason = Reason.OBJECTION if first.reason.strip() else Reason.OBJECTION_WITHOUT_REASON
        return Judgement(state=State.DEFEATED, verb=first.verb, decided_by=(first.person,), reason=reason)
    if rule.veto:
        return Judgement(
            state=State.DEFEATED, verb=first.verb, decided_by=(first.person,), reason=Reason.VETO
        )
    opposed = tuple(answer.person for answer in against)
    if _enough(rule, rule.eligible - set(opposed)):
        return None
    return Judgement(state=State.DEFEATED, verb=first.verb, decided_by=opposed, reason=Reason.TOO_FEW_LEFT)


def _fulfilled(rule: GateRule, standing: tuple[Answer, ...]) -> Judgement | None:
    gathered: dict[str | None, list[Answer]] = {}
    for answer in standing:
        if answer.verb not in FULFILS:
            continue
        same = gathered.setdefault(answer.option, [])
        same.append(answer)
        persons = tuple(each.person for each in same)
        if _enough(rule, frozenset(persons)):
            return Judgement(
                state=State.FULFILLED,
                verb=answer.verb,
                option=answer.option,
                decided_by=persons,
                reason=Reason.ENOUGH_ANSWERS,
            )
    return None


def _closed(rule: GateRule, *, closed: bool, notice_accepted: bool) -> Judgement | None:
    if not closed:
        return None
    if rule.kind is not Kind.OBJECTION_WINDOW:
        return Judgement(state=State.EXPIRED, reason=Reason.DEADLINE_PASSED)
    if notice_accepted:
        return Judgement(state=State.SILENT_CONSENT, reason=Reason.SILENCE_AFTER_NOTICE)
    return Judgement(state=State.HELD, reason=Reason.NOTICE_NOT_PROVEN)


def _why_open(standing: tuple[Answer, ...]) -> Reason:
    differ = len({answer.option for answer in standing if answer.verb is Verb.CHOOSE}) > 1
    return Reason.OPTIONS_DIFFER if differ else Reason.WAITING


def _enough(rule: GateRule, persons: frozenset[str]) -> bool:
    """Tell whether agreement of `persons` fulfils `needed`."""
    if rule.needed == "one":
        return bool(persons)
    if isinstance(rule.needed, int):
        return _distinct(rule, persons) >= rule.needed
    heard = frozenset(voice for person in persons for voice in rule.voices(person))
    possible = frozenset(voice for person in rule.eligible for voice in rule.voices(person))
    if rule.needed == "all_persons":
        return heard >= possible
    return {role for role, _ in heard} >= {role for role, _ in possible}


def _distinct(rule: GateRule, persons: Iterable[str]) -> int:
    """Return for how many different principals `persons` speak, each person for one principal only.

    A deputy and the person they stand in for are one pair of eyes, and so is one deputy of two persons.
    """
    matched: dict[str, str] = {}

    def place(person: str, tried: set[str]) -> bool:
        for principal in sorted({voice for _, voice in rule.voices(person)} - tried):
            tried.add(principal)
            if principal not in matched or place(matched[principal], tried):
                matched[principal] = person
                return True
        return False

    return sum(place(person, set()) for person in sorted(persons))
