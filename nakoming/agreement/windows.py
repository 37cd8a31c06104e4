"""When work may be done: daily, in the first weekend of a month, or at any time. Windows are [start, end)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from pydantic import model_validator

from nakoming.agreement.errors import WindowTooShortError
from nakoming.agreement.local_time import ZONE, aware, local_date, start_of_day, to_utc
from nakoming.agreement.values import Frozen, WallTime, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

SATURDAY: Final = 5
DAY: Final = timedelta(days=1)
SKIPPED_FROM: Final = time(2)
SKIPPED_TO: Final = time(3)
# No window recurs less often than monthly, so what does not fit in this many openings never will.
OPENINGS_TRIED: Final = 26


class WindowKind(StrEnum):
    """How a window recurs."""

    DAILY = "daily"
    FIRST_WEEKEND = "first_weekend"
    ANY_TIME = "any_time"


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch [start_at, end_at) in which work may run; `opens_on` is the local date its window opened."""

    start_at: datetime
    end_at: datetime
    opens_on: date

    @property
    def length(self) -> timedelta:
        """How long the slot is open."""
        return self.end_at - self.start_at

    def __contains__(self, at: datetime) -> bool:
        return self.start_at <= at < self.end_at


class Window(Frozen):
    """A recurring window in local wall time.

    `first_weekend` is the weekend of the month's first Saturday: Saturday first, Sunday at the same hours as
    the reserve (S-2.6.10). An end before the start lies on the next day. `any_time` is always open, also
    over midnight, and takes no times.
    """

    kind: WindowKind
    start: WallTime | None = None
    end: WallTime | None = None

    @model_validator(mode="after")
    def _has_times(self) -> Self:
        if self.kind is WindowKind.ANY_TIME:
            if self.start is not None or self.end is not None:
                raise refusal("a window of kind any_time has no hours", "any_time without start and end")
        elif self.start is None or self.end is None:
            raise refusal(
                f"a window of kind {self.kind} needs its hours", "start and end, such as 20:00 and 21:00"
            )
        elif self.start == self.end:
            raise refusal("the window is empty", "an end that differs from the start, or kind any_time")
        elif any(SKIPPED_FROM < wall < SKIPPED_TO for wall in (self.start, self.end)):
            raise refusal(
                "the window starts or ends in the hour that is skipped in March and repeated in October",
                "02:00 or earlier, 03:00 or later",
            )
        return self

    def __str__(self) -> str:
        if self.start is None or self.end is None:
            return self.kind.value
        return f"{self.kind.value} {self.start:%H:%M}–{self.end:%H:%M}"

    def next(self, after_at: datetime, needed: timedelta = timedelta(0)) -> Slot:
        """Return the first slot at or after `after_at` in which work of `needed` also finishes.

        A window that is open counts with what is left of it, from `after_at` on (finish-by, S-2.6.9).

        Raises:
            WindowTooShortError: the work fits no opening of this window.
        """
        after = aware(after_at)
        if self.kind is WindowKind.ANY_TIME:
            return Slot(after, after + max(needed, DAY), local_date(after))
        for count, opening in enumerate(self._openings(after)):
            start_at = max(opening.start_at, after)
            if start_at < opening.end_at and start_at + needed <= opening.end_at:
                return Slot(start_at, opening.end_at, opening.opens_on)
            if count >= OPENINGS_TRIED:
                break
        raise WindowTooShortError(needed=str(needed), window=str(self))

    def slot_containing(self, at: datetime) -> Slot | None:
        """Return the whole opening in which `at` lies, None when the window is shut."""
        instant = aware(at)
        if self.kind is WindowKind.ANY_TIME:
            return Slot(instant, instant + DAY, local_date(instant))
        first = next(self._openings(instant))
        return first if instant in first else None

    def following(self, slot: Slot) -> datetime:
        """Return the instant from which to look for the opening after `slot`, on another date."""
        if self.kind is WindowKind.ANY_TIME:
            return start_of_day(slot.opens_on + DAY)
        return slot.end_at

    def opening_on(self, on: date) -> Slot | None:
        """Return the opening that begins on local date `on`; None when there is none."""
        if self.kind is WindowKind.ANY_TIME or self.start is None or self.end is None:
            return Slot(start_of_day(on), start_of_day(on + DAY), on)
        if self.kind is WindowKind.FIRST_WEEKEND and on not in first_weekend(on):
            return None
        last = on if self.end > self.start else on + DAY
        start_at, end_at = to_utc(on, self.start), to_utc(last, self.end)
        return Slot(start_at, end_at, on) if start_at < end_at else None

    def _openings(self, after: datetime) -> Iterator[Slot]:
        # From the day before, because yesterday's opening may run over midnight.
        on = after.astimezone(ZONE).date() - DAY
        while True:
            opening = self.opening_on(on)
            if opening is not None and opening.end_at > after:
                yield opening
            on += DAY


def first_weekend(month_of: date) -> tuple[date, date]:
    """Return Saturday and Sunday of the first weekend of the month in which `month_of` lies (S-2.6.10)."""
    first = month_of.replace(day=1)
    saturday = first + timedelta(days=(SATURDAY - first.weekday()) % 7)
    return saturday, saturday + DAY
