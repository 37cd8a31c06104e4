"""Two kinds of time that are never mixed: service hours and calendar hours (D-4); and where deadlines end.

A deadline is met at its own instant (D-5). Our duties end at the end of service hours, the customer's
rights at 24:00 local time (D-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol, Self

from nakoming.agreement.errors import ClockError
from nakoming.agreement.local_time import aware, local_date, next_day, start_of_day, to_utc


@dataclass(frozen=True, order=True, slots=True)
class _Time:
    duration: timedelta

    def __post_init__(self) -> None:
        if self.duration < timedelta(0):
            raise ClockError(value=str(self.duration), allowed="a duration of zero or more")

    @classmethod
    def of(cls, *, hours: int = 0, minutes: int = 0) -> Self:
        """Return the time of so many hours and minutes."""
        return cls(timedelta(hours=hours, minutes=minutes))


class ServiceTime(_Time):
    """Time that runs in service hours: 24 of them are two working days and six hours (S-2.2.27)."""

    __slots__ = ()


class CalendarTime(_Time):
    """Time that runs day and night (S-3.1.0b, S-3.1.0c)."""

    __slots__ = ()


class Hours(Protocol):
    """The service hours of an agreement: wall times of the same day, start before end."""

    @property
    def start(self) -> time:
        """When the service desk opens."""
        ...

    @property
    def end(self) -> time:
        """When it closes."""
        ...


class Calendar(Protocol):
    """What the clocks ask of a calendar of working days."""

    def is_working_day(self, on: date) -> bool:
        """Tell whether service hours run on `on`."""
        ...

    def first_working_day_on_or_after(self, on: date) -> date:
        """Return `on`, or the first working day after it."""
        ...


def service_deadline(start_at: datetime, allowed: ServiceTime, hours: Hours, calendar: Calendar) -> datetime:
    """Return the instant at which `allowed` service time after `start_at` is used up.

    What begins outside service hours begins when they next open (S-2.2.31).

    Raises:
        CalendarYearError: the reckoning reaches a year whose working days are not agreed.
    """
    at = aware(start_at)
    left = allowed.duration
    on = local_date(at)
    while True:
        on = calendar.first_working_day_on_or_after(on)
        opens_at, closes_at = to_utc(on, hours.start), to_utc(on, hours.end)
        begins_at = max(at, opens_at)
        if begins_at < closes_at and left <= closes_at - begins_at:
            return begins_at + left
        left -= max(closes_at - begins_at, timedelta(0))
        on = next_day(on)


def service_elapsed(start_at: datetime, end_at: datetime, hours: Hours, calendar: Calendar) -> ServiceTime:
    """Return the service time between two instants; zero when `end_at` is not after `start_at`.

    Raises:
        CalendarYearError: a year between them has no agreed working days.
    """
    begin, end = aware(start_at), aware(end_at)
    total = timedelta(0)
    on, last = local_date(begin), local_date(end)
    while on <= last:
        if calendar.is_working_day(on):
            opens_at, closes_at = max(begin, to_utc(on, hours.start)), min(end, to_utc(on, hours.end))
            total += max(closes_at - opens_at, timedelta(0))
        on = next_day(on)
    return ServiceTime(total)


def calendar_deadline(start_at: datetime, allowed: CalendarTime) -> datetime:
    """Return the instant `allowed` after `start_at`, day and night."""
    return aware(start_at) + allowed.duration


def end_of_service_hours(on: date, hours: Hours) -> datetime:
    """Return the end of service hours on `on`: the deadline of the vendor's duties of that day."""
    return to_utc(on, hours.end)


def end_of_day(on: date) -> datetime:
    """Return 24:00 local time of `on`: the end of a right the customer has that day (S-2.6.4)."""
    return start_of_day(next_day(on))


def within(at: datetime, by: datetime) -> bool:
    """Tell whether an act at `at` is in time for the deadline `by` (D-5: at the instant still counts)."""
    return aware(at).astimezone(UTC) <= aware(by)
