"""Which backups are kept and which are deleted: one example per rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from nakoming.agreement.history import BackupSet, HistoryTerms, Rule, Verdict, decide

pytestmark = pytest.mark.clause("S-2.4.3", "S-2.4.7")

FIRST = date(2026, 11, 1)  # Sunday; no clock changes in what follows
DAY = timedelta(days=1)
TERMS = HistoryTerms()


def made(day: int, *, minute: int = 10, verified: bool = True) -> BackupSet:
    """The backup of the so-many-eth night, taken at 02:10 local."""
    on = FIRST + day * DAY
    taken_at = datetime(on.year, on.month, on.day, 1, minute, tzinfo=UTC)
    return BackupSet(day + 1, on, taken_at, taken_at + timedelta(minutes=5) if verified else None)


def after(backup: BackupSet) -> datetime:
    return backup.taken_at + timedelta(minutes=10)


def said(verdicts: list[Verdict]) -> list[Rule]:
    return [each.rule for each in verdicts]


def test_a_week_is_kept() -> None:
    week = [made(day) for day in range(7)]
    assert said(decide(week, after(week[-1]), TERMS)) == [Rule.WITHIN_HISTORY] * 7


def test_the_eighth_verified_run_deletes_the_first() -> None:
    sets = [made(day) for day in range(8)]
    verdicts = decide(sets, after(sets[-1]), TERMS)
    assert said(verdicts) == [Rule.NEXT_ROUND] + [Rule.WITHIN_HISTORY] * 7
    assert verdicts[0].is_deleted
    assert verdicts[0].clause == "S-2.4.3"
    assert verdicts[0].reason == (
        "Backup 1 of 2026-11-01 is deleted: the run of the night that takes its place is verified"
        "; 0:10:00 older than agreed."
    )


def test_the_first_goes_with_the_eighth_night_though_it_is_minutes_short_of_its_age() -> None:
    sets = [made(0, minute=50), *(made(day) for day in range(1, 8))]
    verdicts = decide(sets, after(sets[-1]), TERMS)
    assert (verdicts[0].rule, verdicts[0].over) == (Rule.NEXT_ROUND, timedelta(0))


def test_while_the_eighth_is_not_verified_the_first_is_kept() -> None:
    sets = [*(made(day) for day in range(7)), made(7, verified=False)]
    before_its_time = made(7).taken_at - timedelta(minutes=1)
    assert not [each for each in decide(sets, before_its_time, TERMS) if each.is_deleted]


def test_what_is_older_than_agreed_goes_though_its_night_has_no_successor() -> None:
    sets = [made(day) for day in range(7)]
    verdicts = decide(sets, sets[0].taken_at + 7 * DAY + timedelta(minutes=1), TERMS)
    assert said(verdicts) == [Rule.TOO_OLD] + [Rule.WITHIN_HISTORY] * 6


def test_the_newest_two_are_kept_however_old_and_that_is_an_overstay() -> None:
    sets = [made(0), made(1), made(9)]
    verdicts = decide(sets, after(sets[-1]), TERMS)
    assert said(verdicts) == [Rule.NEXT_ROUND, Rule.GENERATIONS, Rule.WITHIN_HISTORY]
    assert [each.overstays for each in verdicts] == [False, True, False]
    assert verdicts[1].clause == "S-2.4.7"


def test_what_is_not_verified_is_no_generation() -> None:
    sets = [made(0), made(1), made(8, verified=False), made(9)]
    verdicts = decide(sets, after(sets[-1]), TERMS)
    assert said(verdicts) == [Rule.NEXT_ROUND, Rule.GENERATIONS, Rule.UNFINISHED, Rule.WITHIN_HISTORY]


def test_an_unfinished_one_is_kept_while_nothing_later_is_verified() -> None:
    sets = [made(0), made(1), made(2, verified=False)]
    assert said(decide(sets, after(sets[-1]), TERMS))[-1] is Rule.UNFINISHED_NEWEST


def test_nothing_goes_when_the_newest_verified_is_older_than_36_hours() -> None:
    sets = [made(day) for day in range(8)]
    just, late = (sets[-1].taken_at + timedelta(hours=36, seconds=more) for more in (0, 1))
    assert decide(sets, just, TERMS)[0].is_deleted
    verdicts = decide(sets, late, TERMS)
    assert not [each for each in verdicts if each.is_deleted]
    assert (verdicts[0].rule, verdicts[0].overstays) == (Rule.NEWEST_TOO_OLD, True)


@pytest.mark.parametrize("days", [-10, -1])
def test_nothing_goes_when_it_is_earlier_than_the_newest(days: int) -> None:
    sets = [made(day) for day in range(9)]
    verdicts = decide(sets, after(sets[-1]) + days * DAY, TERMS)
    assert not [each for each in verdicts if each.is_deleted]
    assert verdicts[0].rule is Rule.CLOCK_JUMPED


def test_nothing_goes_when_the_clock_is_days_ahead_of_the_last_instant_known() -> None:
    sets = [*(made(day) for day in range(7)), made(17)]
    now, last = after(sets[-1]), after(sets[-2])
    assert {each.rule for each in decide(sets, now, TERMS, last_known_at=last)} == {
        Rule.CLOCK_JUMPED,
        Rule.GENERATIONS,
        Rule.WITHIN_HISTORY,
    }
    assert len([each for each in decide(sets, now, TERMS, last_known_at=now - DAY) if each.is_deleted]) == 6


def test_nothing_goes_when_the_clock_is_behind_the_last_instant_known() -> None:
    sets = [made(day) for day in range(8)]
    now = after(sets[-1])
    verdicts = decide(sets, now, TERMS, last_known_at=now + timedelta(seconds=1))
    assert not [each for each in verdicts if each.is_deleted]


@pytest.mark.clause("S-2.4.4")
def test_a_longer_history_is_kept_and_is_the_contract_s() -> None:
    sets = [made(day) for day in range(31)]
    terms = replace(TERMS, days=30, is_contracted=True)
    verdicts = decide(sets, after(sets[-1]), terms)
    assert [each.backup.sequence for each in verdicts if each.is_deleted] == [1]
    assert verdicts[0].clause == "S-2.4.4"


def test_a_customer_without_backups_has_no_verdicts() -> None:
    assert decide([], datetime(2026, 11, 24, tzinfo=UTC), TERMS) == []


def test_a_backup_of_a_source_that_shrank_ends_no_other() -> None:
    sets = [made(day) for day in range(8)]
    shrunk = [*sets[:-1], replace(sets[-1], has_shrunk=True)]
    verdicts = decide(shrunk, after(sets[-1]), TERMS)
    assert verdicts[0].rule is Rule.SHRUNK
    assert verdicts[0].overstays
    assert verdicts[0].clause == "S-2.4.7"
    assert not [each for each in verdicts if each.is_deleted]
    earlier = [replace(sets[0], has_shrunk=True), *sets[1:]]
    assert decide(earlier, after(sets[-1]), TERMS)[0].is_deleted
