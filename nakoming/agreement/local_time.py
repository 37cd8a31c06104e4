"""Between instants (aware UTC) and the wall clock the agreement speaks of (Europe/Amsterdam, D-1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from nakoming.agreement.errors import ClockError

ZONE: Final = ZoneInfo("Europe/Amsterdam")
MIDNIGHT: Final = time(0)


def to_utc(on: date, wall: time) -> datetime:
    """Return the instant at which the wall clock shows `wall` on `on`.

    A time that occurs twice means the first; a time that is skipped means the same moment as one hour later
    on the clock, so that a window of skipped time is empty.
    """
    return datetime.combine(on, wall, tzinfo=ZONE).astimezone(UTC)


def local_date(at: datetime) -> date:
    """Return the date on the wall clock at the instant `at`."""
    return aware(at).astimezone(ZONE).date()


def aware(at: datetime) -> datetime:
    """Return `at` in UTC.

    Raises:
        ClockError: `at` has no time zone, so it is no instant.
    """
    if at.tzinfo is None or at.utcoffset() is None:
        raise ClockError(value=at.isoformat(), allowed="an instant with its time zone, stored as UTC")
    return at.astimezone(UTC)


def start_of_day(on: date) -> datetime:
    """Return the instant at which `on` begins on the wall clock."""
    return to_utc(on, MIDNIGHT)


def next_day(on: date) -> date:
    """Return the date after `on`."""
    return on + timedelta(days=1)
