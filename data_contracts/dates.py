"""Ways to write a date as text: where its parts stand, and a regular expression that only real days match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ANY_YEAR: Final = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR: Final = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAYS: Final = (
    (_ANY_YEAR, "(?:0[13578]|1[02])", "(?:0[1-9]|[12][0-9]|3[01])"),
    (_ANY_YEAR, "(?:0[469]|11)", "(?:0[1-9]|[12][0-9]|30)"),
    (_ANY_YEAR, "02", "(?:0[1-9]|1[0-9]|2[0-8])"),
    (_LEAP_YEAR, "02", "29"),
)
_TIME: Final = "[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?"


@dataclass(frozen=True, slots=True)
class DateForm:
    """One way to write a date, such as `DD-MM-YYYY`. Places count from 1, as SQL does."""

    text: str

    @property
    def year_at(self) -> int:
        """Where the year begins."""
        return self.text.index("YYYY") + 1

    @property
    def month_at(self) -> int:
        """Where the month begins."""
        return self.text.index("MM") + 1

    @property
    def day_at(self) -> int:
        """Where the day begins."""
        return self.text.index("DD") + 1

    def masked(self, digit: str) -> str:
        """The form with `digit` in the place of each digit."""
        return re.sub("[YMD]", digit.replace("\\", r"\\"), self.text)

    @property
    def regex(self) -> str:
        """Matches the days of the calendar, from 0001-01-01 to 9999-12-31, and nothing else."""
        return f"(?:{'|'.join(self._with(*parts) for parts in _DAYS)})"

    def _with(self, year: str, month: str, day: str) -> str:
        quoted = self.text.replace(".", "[.]")
        return quoted.replace("YYYY", year).replace("MM", month).replace("DD", day)


ISO: Final = DateForm("YYYY-MM-DD")
INSTANT: Final = f"{ISO.regex}{_TIME}"
"""An instant as text, without a zone: a day, a blank or T, and a time to the second or finer."""


def date_regex(formats: tuple[str, ...]) -> str:
    """A regular expression for a whole value in any of the formats."""
    return rf"\A(?:{'|'.join(DateForm(form).regex for form in formats)})\Z"
