"""Each date has one night and one due run, also when the clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from nakoming.agreement.errors import ClockError
from nakoming.agreement.nights import Night, night_of, nights_between

pytestmark = pytest.mark.clause("S-3.1.9", "S-2.4.2")

TEN_YEARS = [night.on for night in nights_between(date(2026, 1, 1), date(2036, 1, 1))]
CRONS = (time(0), time(1))  # of the schedule, UTC


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due_runs(on: date) -> list[datetime]:
    """The scheduled instants of a UTC date that lie in the window of their night."""
    instants = [datetime.combine(on, cron, tzinfo=UTC) for cron in CRONS]
    return [at for at in instants if night_of(at).is_open(at)]


def test_of_two_scheduled_instants_one_is_due_for_each_date_of_ten_years() -> None:
    assert len(TEN_YEARS) == 3652
    due = {on: due_runs(on) for on in TEN_YEARS}
    assert {on for on, runs in due.items() if len(runs) != 1} == set()
    assert [night_of(runs[0]).on for runs in due.values()] == TEN_YEARS


def test_nights_follow_each_other_without_a_gap() -> None:
    for on in TEN_YEARS:
        night = Night(on)
        following = Night(on + timedelta(days=1))
        assert night.next_at == following.start_at
        assert night_of(night.start_at) == night
        assert night_of(following.start_at - timedelta(microseconds=1)) == night
        assert night.end_at - night.start_at == timedelta(hours=1)


@pytest.mark.parametrize(
    ("on", "start_at"),
    [
        (date(2026, 11, 24), "2026-11-24T01:00"),  # Tuesday, winter: 02:00 is 01:00 UTC
        (date(2026, 7, 7), "2026-07-07T00:00"),  # Tuesday, summer: 02:00 is 00:00 UTC
        (date(2027, 3, 27), "2027-03-27T01:00"),  # Saturday, the night before the clock goes forward
        (date(2027, 3, 28), "2027-03-28T01:00"),  # Sunday: 02:00 is skipped, the window is 03:00 to 04:00
        (date(2027, 3, 29), "2027-03-29T00:00"),  # Monday
        (date(2027, 10, 30), "2027-10-30T00:00"),  # Saturday
        (date(2027, 10, 31), "2027-10-31T00:00"),  # Sunday: 02:00 occurs twice, the first one counts
        (date(2027, 11, 1), "2027-11-01T01:00"),  # Monday
    ],
)
def test_when_the_window_opens(on: date, start_at: str) -> None:
    assert Night(on).start_at == utc(start_at)


def test_the_second_two_o_clock_of_october_is_not_due() -> None:
    again = utc("2027-10-31T01:00")
    assert night_of(again) == Night(date(2027, 10, 31))
    assert not night_of(again).is_open(again)


@pytest.mark.parametrize(
    ("at", "on"),
    [
        ("2026-11-24T00:59:59", date(2026, 11, 23)),  # 01:59:59 local: still the night before
        ("2026-11-24T01:00", date(2026, 11, 24)),
        ("2026-11-24T22:59", date(2026, 11, 24)),
        ("2026-11-24T23:30", date(2026, 11, 24)),  # 00:30 local on the 25th
    ],
)
def test_to_which_night_an_instant_belongs(at: str, on: date) -> None:
    assert night_of(utc(at)).on == on


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ClockError):
        night_of(datetime(2026, 11, 24, 2))  # noqa: DTZ001 - that it is refused is what is tested
