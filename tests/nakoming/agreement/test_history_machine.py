"""History over many simulated days of failures, outages and clocks that jump."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from nakoming.agreement import history
from nakoming.agreement.history import BackupSet, HistoryTerms, Rule, Verdict
from nakoming.agreement.nights import night_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.clause("S-2.4.3", "S-2.4.7")

DAY = timedelta(days=1)
BEGIN = datetime(2026, 3, 1, 1, 10, tzinfo=UTC)
DECIDE = history.decide


class Vault(RuleBasedStateMachine):
    """The backups of one customer, as a site would keep them, and a clock that may be wrong."""

    days: ClassVar[int] = 0
    decide: ClassVar[Callable[..., list[Verdict]]] = staticmethod(DECIDE)

    def __init__(self) -> None:
        super().__init__()
        self.true_at = BEGIN
        self.wrong = timedelta(0)
        self.sets: list[BackupSet] = []
        self.sequence = 0
        self.last_known_at: datetime | None = None
        self.had_two = False
        self.terms = HistoryTerms()

    @initialize(days=st.sampled_from([7, 7, 7, 1, 2, 30]), generations=st.integers(2, 4))
    def agreed(self, days: int, generations: int) -> None:
        """What this customer agreed."""
        self.terms = HistoryTerms(days=days, is_contracted=days != 7, generations=generations)

    @rule(nights=st.integers(1, 60), minutes=st.integers(0, 49))
    def good_nights(self, nights: int, minutes: int) -> None:
        """All is well."""
        for number in range(nights):
            self._night(minutes=(minutes + 7 * number) % 50)

    @rule(outcomes=st.lists(st.sampled_from(["good", "good", "dead", "late"]), min_size=1, max_size=30))
    def bad_nights(self, outcomes: list[str]) -> None:
        """Some die before they are verified; some are verified in the afternoon."""
        for outcome in outcomes:
            self._night(minutes=600 if outcome == "late" else 5, verified=outcome != "dead")

    @rule(nights=st.integers(1, 20))
    def no_success(self, nights: int) -> None:
        """Not one is verified."""
        for _ in range(nights):
            self._night(verified=False)

    @rule(nights=st.integers(1, 20))
    def outage(self, nights: int) -> None:
        """Nothing runs at all."""
        self.true_at += nights * DAY
        type(self).days += nights

    @rule(by=st.sampled_from([-10, -3, 3, 10, 400]))
    def jump(self, by: int) -> None:
        """Somebody sets the clock."""
        self.wrong += by * DAY

    @rule()
    def clock_set_right(self) -> None:
        """The clock is right again."""
        self.wrong = timedelta(0)

    @rule(hours=st.integers(1, 100))
    def asked_between_nights(self, hours: int) -> None:
        """History is decided at another moment than after a backup."""
        self._history(self.now + timedelta(hours=hours))

    @property
    def now(self) -> datetime:
        return self.true_at + self.wrong

    def _night(self, *, minutes: int = 5, verified: bool = True) -> None:
        type(self).days += 1
        self.true_at += DAY
        taken_at = self.now + timedelta(minutes=minutes)
        self.sequence += 1
        ended_at = taken_at + timedelta(minutes=5)
        night_on = night_of(taken_at).on
        self.sets.append(BackupSet(self.sequence, night_on, taken_at, ended_at if verified else None))
        if verified:
            self._history(ended_at)
        self.last_known_at = taken_at

    def _history(self, now: datetime) -> None:
        verdicts = self.decide(self.sets, now, self.terms, last_known_at=self.last_known_at)
        self._each_has_one(verdicts)
        gone = {each.backup.sequence for each in verdicts if each.is_deleted}
        kept = [each for each in self.sets if each.sequence not in gone]
        self._two_generations(kept)
        self._nothing_goes_in_doubt(gone, now)
        self._nothing_is_too_old(verdicts, kept, now)
        self.sets = kept

    def _each_has_one(self, verdicts: Sequence[Verdict]) -> None:
        assert [each.backup for each in verdicts] == self.sets
        assert all(each.reason and each.clause.startswith("S-2.4.") for each in verdicts)

    def _two_generations(self, kept: Sequence[BackupSet]) -> None:
        verified = sum(1 for each in kept if each.verified_at)
        assert verified >= 2 or not self.had_two, "fewer than two verified backups are left"
        self.had_two = self.had_two or verified >= 2

    def _nothing_goes_in_doubt(self, gone: set[int], now: datetime) -> None:
        verified = [each for each in self.sets if each.verified_at]
        if gone:
            assert not any(now < each.taken_at for each in verified), "the clock was set back"
            assert now - verified[-1].taken_at <= timedelta(hours=36), "the newest is old"
            assert self.last_known_at is None or abs(now - self.last_known_at) <= timedelta(hours=36), (
                "the clock was set forward"
            )

    def _nothing_is_too_old(
        self, verdicts: Sequence[Verdict], kept: Sequence[BackupSet], now: datetime
    ) -> None:
        """Written out anew, by age alone: what is too old is among the newest few, or nothing may go."""
        told = {each.backup.sequence for each in verdicts if each.overstays}
        frozen = any(each.rule in {Rule.CLOCK_JUMPED, Rule.NEWEST_TOO_OLD} for each in verdicts)
        newest = [each.sequence for each in kept if each.verified_at][-self.terms.generations :]
        for each in kept:
            later = any(other.verified_at and other.sequence > each.sequence for other in kept)
            if later and now - each.taken_at > timedelta(days=self.terms.days):
                assert frozen or each.sequence in newest, "a backup is older than agreed"
                assert each.sequence in told, "an overstay is not told"


def simulate(machine: type[Vault], days: int) -> int:
    """Run the machine until so many days are over; how many they were."""
    machine.days = 0
    bounds = settings(
        max_examples=50,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    while machine.days < days:
        run_state_machine_as_test(machine, settings=bounds)
    return machine.days


def test_20_000_days() -> None:
    assert simulate(Vault, 20_000) >= 20_000


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_1_000_000_days() -> None:
    assert simulate(Vault, 1_000_000) >= 1_000_000


def wrong(terms: Callable[[HistoryTerms], HistoryTerms]) -> Callable[..., list[Verdict]]:
    """The decision under terms that are not those agreed."""

    def decide(
        sets: list[BackupSet], now: datetime, agreed: HistoryTerms, *, last_known_at: datetime | None
    ) -> list[Verdict]:
        return DECIDE(sets, now, terms(agreed), last_known_at=last_known_at)

    return decide


def without_last_known(
    sets: list[BackupSet], now: datetime, agreed: HistoryTerms, *, last_known_at: datetime | None
) -> list[Verdict]:
    """The decision of somebody who trusts the clock."""
    del last_known_at
    return DECIDE(sets, now, agreed)


def by_age_alone(
    sets: list[BackupSet], now: datetime, agreed: HistoryTerms, *, last_known_at: datetime | None
) -> list[Verdict]:
    """The decision of most backup scripts: older than a week goes, whatever else there is."""
    return [
        replace(each, rule=Rule.TOO_OLD if each.over else Rule.WITHIN_HISTORY)
        for each in DECIDE(sets, now, agreed, last_known_at=last_known_at)
    ]


FORTNIGHT = (("good_nights", 14, 0),)
TWO_LEFT_OF_MANY = (*FORTNIGHT, ("no_success", 9), ("good_nights", 1, 0))
SILENCE = (*FORTNIGHT, ("no_success", 4), ("asked_between_nights", 1))
FORWARD = (*FORTNIGHT, ("jump", 10), ("good_nights", 1, 0))
BACK = (*FORTNIGHT, ("jump", -10), ("good_nights", 9, 0))


def live(decide: Callable[..., list[Verdict]], days: Sequence[tuple[Any, ...]]) -> None:
    """Let these days pass at a customer who agreed a week, under a rule."""

    class Judged(Vault):
        """The same vault."""

    Judged.decide = staticmethod(decide)
    vault = Judged()
    for happens, *given in days:
        getattr(vault, happens)(*given)


@pytest.mark.parametrize(
    ("decide", "days", "complaint"),
    [
        (wrong(lambda agreed: replace(agreed, generations=1)), TWO_LEFT_OF_MANY, "fewer than two verified"),
        (wrong(lambda agreed: replace(agreed, newest_age=timedelta(days=9))), SILENCE, "the newest is old"),
        (wrong(lambda agreed: replace(agreed, days=agreed.days + 1)), FORTNIGHT, "older than agreed"),
        (without_last_known, FORWARD, "set forward"),
        (by_age_alone, TWO_LEFT_OF_MANY, "fewer than two"),
        (by_age_alone, SILENCE, "the newest is old"),
        (by_age_alone, FORWARD, "fewer than two|set forward"),
    ],
)
def test_a_wrong_rule_is_found(
    decide: Callable[..., list[Verdict]], days: Sequence[tuple[Any, ...]], complaint: str
) -> None:
    live(DECIDE, days)
    with pytest.raises(AssertionError, match=complaint):
        live(decide, days)


@pytest.mark.parametrize(("days", "complaint"), [(FORWARD, "set forward"), (BACK, "set back")])
def test_a_clock_that_is_believed_is_found(
    days: Sequence[tuple[Any, ...]], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(DECIDE, days)
    guard = history._guard
    monkeypatch.setattr(
        history, "_guard", lambda *given: None if guard(*given) is Rule.CLOCK_JUMPED else guard(*given)
    )
    with pytest.raises(AssertionError, match=complaint):
        live(DECIDE, days)
