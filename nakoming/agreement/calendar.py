"""Working days as agreed, year by year (D-2); a year nobody agreed is refused (D-8)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, Self

import holidays

from nakoming.agreement.errors import CalendarYearError
from nakoming.agreement.values import Day, Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nakoming.agreement.terms import Agreement

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY: Final = timedelta(days=1)
MAY_5: Final = (5, 5)


class CalendarYear(Frozen):
    """The days off of one year as the parties agreed them.

    `based_on: nl` takes the days of article 3 of the Algemene termijnenwet; the two choices and the two lists
    are the agreement's own. A day under `working` is a working day whatever else is said.
    """

    based_on: Literal["nl", "none"] = "nl"
    good_friday: bool = True
    liberation_day: bool = True
    extra: tuple[Day, ...] = ()
    working: tuple[Day, ...] = ()

    def days_off(self, year: int) -> frozenset[date]:
        """Return every day off of `year`, weekends not listed."""
        days = set(self.extra)
        if self.based_on == "nl":
            days |= _dutch_holidays(year, good_friday=self.good_friday, liberation_day=self.liberation_day)
        return frozenset(days - set(self.working))


def _dutch_holidays(year: int, *, good_friday: bool, liberation_day: bool) -> set[date]:
    # The language is fixed because days are chosen by name; the library would follow the locale.
    listed = holidays.country_holidays("NL", years=year, language="en_US", expand=False)
    days = {on for on, name in listed.items() if good_friday or name != "Good Friday"}
    # In the library 5 May is a public holiday once in five years; by law it is every year.
    days.discard(date(year, *MAY_5))
    return days | ({date(year, *MAY_5)} if liberation_day else set())


@dataclass(frozen=True)
class WorkingCalendar:
    """The agreed working days of one customer. `week` holds ISO weekdays from 0 (Monday)."""

    customer: str
    week: frozenset[int]
    days_off: Mapping[int, frozenset[date]]
    days_on: Mapping[int, frozenset[date]]

    @classmethod
    def from_terms(cls, agreement: Agreement) -> Self:
        """Return the calendar that `agreement` states."""
        years = agreement.calendars
        return cls(
            customer=agreement.customer,
            week=frozenset(WEEKDAYS.index(day) for day in agreement.service_hours.days),
            days_off={year: terms.days_off(year) for year, terms in years.items()},
            days_on={year: frozenset(terms.working) for year, terms in years.items()},
        )

    @cached_property
    def version(self) -> str:
        """SHA-256 over the week and the days themselves, so that another list of the library shows."""
        content = {
            "week": sorted(self.week),
            "off": {str(year): sorted(map(str, days)) for year, days in sorted(self.days_off.items())},
            "on": {str(year): sorted(map(str, days)) for year, days in sorted(self.days_on.items())},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def is_working_day(self, on: date) -> bool:
        """Tell whether `on` is a working day.

        Raises:
            CalendarYearError: the year of `on` is not agreed.
        """
        if on.year not in self.days_off:
            agreed = ", ".join(map(str, sorted(self.days_off))) or "none"
            raise CalendarYearError(customer=self.customer, on=on.isoformat(), years=agreed)
        if on in self.days_on[on.year]:
            return True
        return on.weekday() in self.week and on not in self.days_off[on.year]

    def add_working_days(self, on: date, days: int) -> date:
        """Return the `days`-th working day after `on`, which is not counted; before it when negative.

        Zero days is `on` itself, working day or not.

        Raises:
            CalendarYearError: the count reaches a year that is not agreed.
        """
        step = ONE_DAY if days > 0 else -ONE_DAY
        left = abs(days)
        while left:
            on += step
            left -= self.is_working_day(on)
        return on

    def working_days_before(self, on: date, days: int) -> date:
        """Return the `days`-th working day counting back from `on`, which is not counted (D-3).

        Raises:
            CalendarYearError: the count reaches a year that is not agreed.
        """
        return self.add_working_days(on, -days)

    def first_working_day_on_or_after(self, on: date) -> date:
        """Return `on` when it is a working day, else the next one.

        Raises:
            CalendarYearError: the search reaches a year that is not agreed.
        """
        while not self.is_working_day(on):
            on += ONE_DAY
        return on
