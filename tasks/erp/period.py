"""A period of whole days on the agreement's clock (Europe/Amsterdam), its last day included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from nakoming.agreement.local_time import local_date, next_day, start_of_day
from tasks.erp.errors import PeriodInvalid

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Period:
    """From the first day until the last, both included."""

    first_on: date
    last_on: date

    @classmethod
    def of(cls, first_on: date, last_on: date, now: datetime) -> Self:
        """The period; `PeriodInvalid` when it ends before it begins, or begins after today."""
        reason = None
        if last_on < first_on:
            reason = "the last day comes before the first"
        elif first_on > local_date(now):
            reason = f"it has not begun; today is {local_date(now)}"
        if reason is not None:
            raise PeriodInvalid(first_on=first_on, last_on=last_on, reason=reason)
        return cls(first_on, last_on)

    @property
    def start(self) -> datetime:
        """Where it begins."""
        return start_of_day(self.first_on)

    @property
    def end(self) -> datetime:
        """Where the day after it begins."""
        return start_of_day(next_day(self.last_on))

    def subject(self, now: datetime) -> str:
        """What an overview of it is called: one that is not over yet is told by its instant, too."""
        name = f"{self.first_on}_{self.last_on}"
        return name if now >= self.end else f"{name}_as-of-{now.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
