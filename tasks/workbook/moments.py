"""Dates and instants as Excel counts them: days since 30 December 1899, in local time without a zone.

The hour that comes twice in autumn would be one value for two instants, so both carry their offset in the
cell's format. Excel believes in 29 February 1900: that is why nothing before 1 March 1900 is a date.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

FIRST_DATE = date(1900, 3, 1)
ZERO_ORDINAL = date(1899, 12, 30).toordinal()
ZERO_INSTANT = datetime(1899, 12, 30, tzinfo=UTC)
FIRST_INSTANT = datetime(1900, 3, 2, tzinfo=UTC)  # local time is on or after FIRST_DATE in any zone
# Since then no zone has changed but on a quarter of an hour (Liberia was the last, in 1972).
FIRST_BY_QUARTERS = datetime(1973, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(9999, 12, 30, tzinfo=UTC)  # local time is before the year 10000 in any zone
_DAY = timedelta(days=1)
_QUARTER = 900  # seconds: zones change on a quarter of an hour
QUARTERS_A_DAY = 96
_KEPT = 65_536  # quarters remembered; forgotten all at once


class Quarters(dict[int, tuple[timedelta, str]]):
    """For each quarter of an hour since `ZERO_INSTANT`: the zone's offset, and the attributes of its cells.

    Args:
        zone: Whose local time is written.
        style: Gives the style's number for an offset to be shown, such as `+02:00`; "" for none.
    """

    def __init__(self, zone: ZoneInfo, style: Callable[[str], int]) -> None:
        super().__init__()
        self._zone = zone
        self._style = style

    def __missing__(self, quarter: int) -> tuple[timedelta, str]:
        if len(self) >= _KEPT:
            self.clear()
        found = self.at(ZERO_INSTANT + quarter * timedelta(seconds=_QUARTER))
        self[quarter] = found
        return found

    def at(self, instant: datetime) -> tuple[timedelta, str]:
        """The same for one instant, whenever it was."""
        local = instant.astimezone(self._zone)
        offset = local.replace(tzinfo=None) - instant.astimezone(UTC).replace(tzinfo=None)
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        shown = str(timezone(offset)).removeprefix("UTC") if twice else ""
        return offset, f's="{self._style(shown)}"'


def serial(local: timedelta) -> float:
    """Days since Excel's zero."""
    return local / _DAY


def quarter_of(since_zero: timedelta) -> int:
    """The quarter of an hour in which an instant lies."""
    return since_zero.days * QUARTERS_A_DAY + since_zero.seconds // _QUARTER
