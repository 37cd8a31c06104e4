"""Service hours and calendar hours, deadlines and clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakoming.agreement.clocks import (
    CalendarTime,
    ServiceTime,
    calendar_deadline,
    end_of_day,
    end_of_service_hours,
    service_deadline,
    service_elapsed,
    within,
)
from nakoming.agreement.errors import CalendarYearError, ClockError
from tests.nakoming.agreement.dated import day, local, utc

if TYPE_CHECKING:
    from nakoming.agreement.calendar import WorkingCalendar
    from nakoming.agreement.terms import Agreement

INSTANTS = st.datetimes(datetime(2026, 1, 2), datetime(2027, 12, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001  # the zone follows
MINUTES = st.integers(0, 6000).map(lambda minutes: timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        pytest.param("Mon 2026-11-23 09:00", 1440, "Wed 2026-11-25 15:00", id="A reaction: 24 sh"),
        pytest.param("Mon 2026-11-23 14:00", 480, "Tue 2026-11-24 13:00", id="B reaction: 8 sh"),
        pytest.param("Wed 2026-11-25 11:00", 2700, "Wed 2026-12-02 11:00", id="B resolution: a work week"),
        pytest.param("Fri 2026-11-27 14:00", 540, "Mon 2026-11-30 14:00", id="C resolution over a weekend"),
        pytest.param("Thu 2026-12-24 14:00", 540, "Mon 2026-12-28 14:00", id="C resolution over Christmas"),
        pytest.param("Fri 2026-11-27 17:15", 30, "Mon 2026-11-30 08:45", id="C reaction late on Friday"),
        pytest.param("Fri 2026-11-27 20:00", 30, "Mon 2026-11-30 09:00", id="called in the evening"),
        pytest.param("Sat 2026-11-28 12:00", 30, "Mon 2026-11-30 09:00", id="called on Saturday"),
        pytest.param(
            "Mon 2026-11-23 08:30", 540, "Mon 2026-11-23 17:30", id="met at the end of the day itself"
        ),
        pytest.param("Mon 2026-11-23 17:30", 0, "Tue 2026-11-24 08:30", id="no time, after closing"),
        pytest.param("Fri 2027-03-26 12:00", 60, "Tue 2027-03-30 09:30", id="Good Friday to after Easter"),
        pytest.param("Thu 2027-03-25 17:00", 60, "Tue 2027-03-30 09:00", id="over the March clock change"),
        pytest.param("Fri 2027-10-29 17:00", 60, "Mon 2027-11-01 09:00", id="over the October clock change"),
    ],
)
def test_service_time_runs_in_service_hours(
    plain: Agreement, calendar: WorkingCalendar, start: str, minutes: int, expected: str
) -> None:
    allowed = ServiceTime.of(minutes=minutes)
    assert service_deadline(local(start), allowed, plain.service_hours, calendar) == local(expected)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("Mon 2026-11-23 09:00", "Wed 2026-11-25 15:00", timedelta(hours=24), id="three days"),
        pytest.param("Fri 2026-11-27 17:00", "Mon 2026-11-30 09:00", timedelta(hours=1), id="weekend"),
        pytest.param("Sat 2026-11-28 09:00", "Sun 2026-11-29 09:00", timedelta(0), id="weekend only"),
        pytest.param("Tue 2026-11-24 09:00", "Mon 2026-11-23 09:00", timedelta(0), id="backwards"),
        pytest.param("Thu 2027-03-25 17:00", "Tue 2027-03-30 09:00", timedelta(hours=1), id="March change"),
        pytest.param("Fri 2027-10-29 17:00", "Mon 2027-11-01 09:00", timedelta(hours=1), id="October change"),
    ],
)
def test_service_time_that_went_by(
    plain: Agreement, calendar: WorkingCalendar, start: str, end: str, expected: timedelta
) -> None:
    assert service_elapsed(local(start), local(end), plain.service_hours, calendar) == ServiceTime(expected)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param("Sat 2027-03-27 12:00", "Sun 2027-03-28 13:00", id="the March day has 23 hours"),
        pytest.param("Sat 2027-10-30 12:00", "Sun 2027-10-31 11:00", id="the October day has 25 hours"),
        pytest.param("Mon 2026-11-23 12:00", "Tue 2026-11-24 12:00", id="an ordinary day"),
    ],
)
def test_calendar_time_runs_day_and_night(start: str, expected: str) -> None:
    assert calendar_deadline(local(start), CalendarTime.of(hours=24)) == local(expected)


@pytest.mark.parametrize(
    ("on", "our_end", "their_end"),
    [
        pytest.param("Wed 2026-12-02", "2026-12-02 16:30", "2026-12-02 23:00", id="winter"),
        pytest.param("Wed 2027-06-02", "2027-06-02 15:30", "2027-06-02 22:00", id="summer"),
        pytest.param("Sat 2027-03-27", "2027-03-27 16:30", "2027-03-27 23:00", id="before the March change"),
        pytest.param("Sun 2027-03-28", "2027-03-28 15:30", "2027-03-28 22:00", id="the March change"),
        pytest.param("Sun 2027-10-31", "2027-10-31 16:30", "2027-10-31 23:00", id="the October change"),
    ],
)
def test_our_duties_end_with_service_hours_and_their_rights_at_midnight(
    plain: Agreement, on: str, our_end: str, their_end: str
) -> None:
    assert end_of_service_hours(day(on), plain.service_hours) == utc(our_end)
    assert end_of_day(day(on)) == utc(their_end)


def test_an_act_at_the_deadline_is_in_time() -> None:
    by = end_of_day(day("Wed 2026-12-02"))
    assert within(by, by)
    assert within(by - timedelta(microseconds=1), by)
    assert not within(by + timedelta(microseconds=1), by)


def test_service_time_and_calendar_time_are_never_equal_or_compared() -> None:
    assert ServiceTime.of(hours=1) != CalendarTime.of(hours=1)
    assert ServiceTime.of(hours=1) < ServiceTime.of(hours=2)
    with pytest.raises(TypeError):
        _ = ServiceTime.of(hours=1) < CalendarTime.of(hours=2)  # type: ignore[operator]  # that is the point


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ClockError) as caught:
        ServiceTime(timedelta(hours=-1))
    expected = "-1 day, 23:00:00 cannot be used as a time here; allowed: a duration of zero or more."
    assert str(caught.value) == expected


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ClockError, match="an instant with its time zone"):
        calendar_deadline(datetime(2026, 11, 23, 12), CalendarTime.of(hours=1))  # noqa: DTZ001  # that is the point


def test_a_deadline_in_a_year_nobody_agreed_is_refused(plain: Agreement, calendar: WorkingCalendar) -> None:
    with pytest.raises(CalendarYearError):
        service_deadline(
            local("Fri 2028-12-29 17:00"), ServiceTime.of(hours=1), plain.service_hours, calendar
        )


@given(start=INSTANTS, minutes=MINUTES)
def test_the_deadline_leaves_exactly_the_time_allowed(
    plain: Agreement, calendar: WorkingCalendar, start: datetime, minutes: timedelta
) -> None:
    by = service_deadline(start, ServiceTime(minutes), plain.service_hours, calendar)
    assert by >= start
    assert service_elapsed(start, by, plain.service_hours, calendar) == ServiceTime(minutes)


@given(start=INSTANTS, later=MINUTES, minutes=MINUTES)
def test_a_later_start_never_has_an_earlier_deadline(
    plain: Agreement, calendar: WorkingCalendar, start: datetime, later: timedelta, minutes: timedelta
) -> None:
    first = service_deadline(start, ServiceTime(minutes), plain.service_hours, calendar)
    second = service_deadline(start + later, ServiceTime(minutes), plain.service_hours, calendar)
    assert first <= second


@given(on=st.dates(date(2026, 1, 1), date(2030, 12, 31)))
def test_the_end_of_a_day_is_the_beginning_of_the_next(on: date) -> None:
    following = end_of_day(on) - end_of_day(on - timedelta(days=1))
    assert following in {timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)}
