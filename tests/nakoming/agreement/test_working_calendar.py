"""Working days: the agreed days off, counting forwards and back, and years nobody agreed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakoming.agreement.calendar import CalendarYear, WorkingCalendar
from nakoming.agreement.errors import CalendarYearError
from tests.nakoming.agreement.dated import day

OFF = {
    2026: [
        "Thu 2026-01-01", "Fri 2026-04-03", "Mon 2026-04-06", "Mon 2026-04-27", "Tue 2026-05-05",
        "Thu 2026-05-14", "Mon 2026-05-25", "Fri 2026-12-25", "Sat 2026-12-26",
    ],
    2027: [
        "Fri 2027-01-01", "Fri 2027-03-26", "Mon 2027-03-29", "Tue 2027-04-27", "Wed 2027-05-05",
        "Thu 2027-05-06", "Mon 2027-05-17", "Sat 2027-12-25", "Sun 2027-12-26",
    ],
    2028: [
        "Sat 2028-01-01", "Fri 2028-04-14", "Mon 2028-04-17", "Thu 2028-04-27", "Fri 2028-05-05",
        "Thu 2028-05-25", "Mon 2028-06-05", "Mon 2028-12-25", "Tue 2028-12-26",
    ],
}  # fmt: skip
DATES = st.dates(date(2026, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize("year", sorted(OFF))
def test_the_days_off_of_d2_are_the_only_weekdays_off(calendar: WorkingCalendar, year: int) -> None:
    listed = {day(text) for text in OFF[year]}
    every = (date(year, 1, 1) + timedelta(days=number) for number in range(365 + (year % 4 == 0)))
    weekdays_off = {on for on in every if on.weekday() < 5 and not calendar.is_working_day(on)}
    assert weekdays_off == {on for on in listed if on.weekday() < 5}


@pytest.mark.parametrize(
    ("release", "days", "expected"),
    [
        ("Sat 2026-12-05", 10, "Mon 2026-11-23"),
        ("Sat 2027-01-02", 10, "Thu 2026-12-17"),
        ("Sat 2026-12-05", 3, "Wed 2026-12-02"),
        ("Sat 2027-01-02", 3, "Tue 2026-12-29"),
        ("Sat 2026-12-05", 1, "Fri 2026-12-04"),
        ("Mon 2026-12-07", 1, "Fri 2026-12-04"),
        ("Tue 2027-03-30", 1, "Thu 2027-03-25"),
        ("Sat 2027-05-08", 3, "Mon 2027-05-03"),
        ("Sat 2026-12-05", 0, "Sat 2026-12-05"),
    ],
)
def test_working_days_before_exclude_the_date_itself(
    calendar: WorkingCalendar, release: str, days: int, expected: str
) -> None:
    assert calendar.working_days_before(day(release), days) == day(expected)


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        ("Fri 2026-12-04", 1, "Mon 2026-12-07"),
        ("Thu 2026-12-24", 1, "Mon 2026-12-28"),
        ("Thu 2026-12-31", 1, "Mon 2027-01-04"),
        ("Mon 2027-05-03", 2, "Fri 2027-05-07"),
        ("Thu 2027-03-25", 1, "Tue 2027-03-30"),
    ],
)
def test_working_days_are_added_over_weekends_and_days_off(
    calendar: WorkingCalendar, start: str, days: int, expected: str
) -> None:
    assert calendar.add_working_days(day(start), days) == day(expected)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("Fri 2026-12-04", "Fri 2026-12-04"),
        ("Sat 2026-12-05", "Mon 2026-12-07"),
        ("Fri 2026-12-25", "Mon 2026-12-28"),
        ("Fri 2027-03-26", "Tue 2027-03-30"),
    ],
)
def test_the_first_working_day_on_or_after(calendar: WorkingCalendar, start: str, expected: str) -> None:
    assert calendar.first_working_day_on_or_after(day(start)) == day(expected)


def test_a_year_nobody_agreed_is_refused(calendar: WorkingCalendar) -> None:
    with pytest.raises(CalendarYearError) as caught:
        calendar.add_working_days(day("Fri 2028-12-29"), 1)
    assert str(caught.value) == (
        "The working days of plain are not agreed for the year of 2029-01-01; "
        "agreed: 2025, 2026, 2027, 2028. "
        "Agree that year and add it under 'calendars' in the agreement."
    )


def test_the_agreement_chooses_its_own_days() -> None:
    year = CalendarYear(
        good_friday=False,
        liberation_day=False,
        extra=(day("Fri 2027-05-07"),),
        working=(day("Tue 2027-04-27"),),
    )
    off = year.days_off(2027)
    assert day("Fri 2027-03-26") not in off
    assert day("Wed 2027-05-05") not in off
    assert day("Fri 2027-05-07") in off
    assert day("Tue 2027-04-27") not in off
    # 2025 is one of the years in which the library lists 5 May by itself.
    assert day("Mon 2025-05-05") not in CalendarYear(liberation_day=False).days_off(2025)
    assert CalendarYear(based_on="none").days_off(2027) == frozenset()


def test_an_agreed_saturday_is_a_working_day() -> None:
    saturday = day("Sat 2027-04-24")
    calendar = WorkingCalendar(
        "acme", frozenset(range(5)), {2027: frozenset()}, {2027: frozenset({saturday})}
    )
    assert calendar.is_working_day(saturday)
    assert not calendar.is_working_day(day("Sun 2027-04-25"))


def test_the_version_follows_the_days_and_nothing_else(calendar: WorkingCalendar) -> None:
    same = WorkingCalendar("other", calendar.week, dict(calendar.days_off), dict(calendar.days_on))
    changed = WorkingCalendar(
        "plain", calendar.week, {**calendar.days_off, 2027: frozenset()}, calendar.days_on
    )
    assert same.version == calendar.version
    lifted = {**calendar.days_on, 2027: frozenset({day("Sat 2027-04-24")})}
    opened = WorkingCalendar("plain", calendar.week, calendar.days_off, lifted)
    assert changed.version != calendar.version != opened.version


@given(on=DATES, days=st.integers(1, 60))
def test_counting_back_undoes_counting_forwards(calendar: WorkingCalendar, on: date, days: int) -> None:
    start = calendar.first_working_day_on_or_after(on)
    assert calendar.working_days_before(calendar.add_working_days(start, days), days) == start


@given(on=DATES, days=st.integers(0, 60))
def test_more_days_are_later(calendar: WorkingCalendar, on: date, days: int) -> None:
    assert calendar.add_working_days(on, days) < calendar.add_working_days(on, days + 1)


@given(on=DATES, days=st.integers(1, 60))
def test_the_count_holds_as_many_working_days_as_asked(
    calendar: WorkingCalendar, on: date, days: int
) -> None:
    first = calendar.working_days_before(on, days)
    between = [first + timedelta(days=number) for number in range((on - first).days)]
    assert sum(map(calendar.is_working_day, between)) == days
