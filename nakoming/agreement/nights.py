"""The nights of backups: which date an instant belongs to, and when that night's window is open (S-3.1.9).

A night opens when the wall clock of Amsterdam shows 02:00 and lasts one hour. In March, when that hour is
skipped, it opens at 03:00, the moment at which it would have been 02:00. In October, when it occurs twice,
it is the first one: the agreement grants one hour, and a second one would make the night due twice.
So one of the instants 00:00 and 01:00 UTC opens the window of each date, and the other lies outside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from nakoming.agreement.local_time import aware, local_date, to_utc

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENS: Final = time(2)
LENGTH: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Night:
    """A night: its date, and the window [start, end) of its backups. It lasts until the next one opens."""

    on: date

    @property
    def start_at(self) -> datetime:
        """The instant at which the window opens."""
        return to_utc(self.on, OPENS)

    @property
    def end_at(self) -> datetime:
        """The instant at which the window is over."""
        return self.start_at + LENGTH

    @property
    def next_at(self) -> datetime:
        """The instant at which the next night begins."""
        return Night(self.on + DAY).start_at

    def is_open(self, at: datetime) -> bool:
        """Tell whether `at` lies in the window; a run at another instant is not due."""
        return self.start_at <= aware(at) < self.end_at


def night_of(at: datetime) -> Night:
    """Return the night to which `at` belongs: the last one that has begun.

    Raises:
        ClockError: `at` has no time zone.
    """
    night = Night(local_date(at))
    return night if night.start_at <= aware(at) else Night(night.on - DAY)


def nights_between(first: date, end: date) -> Iterator[Night]:
    """Yield the nights from `first` on, before `end`."""
    on = first
    while on < end:
        yield Night(on)
        on += DAY
