"""Which numbers of a workbook are dates: Excel tells them apart by the format of their cell alone."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Moment = date | datetime | time | timedelta


class Shown(Enum):
    """How a cell shows its number."""

    NUMBER = "number"
    DATE = "date"
    INSTANT = "date and time"
    TIME = "time of day"
    DURATION = "duration"


_BUILT_IN = dict.fromkeys((14, 15, 16, 17, *range(27, 32), 34, 35, 36, *range(50, 59)), Shown.DATE)
_BUILT_IN |= dict.fromkeys((18, 19, 20, 21, 32, 33, 45, 47), Shown.TIME)
_BUILT_IN |= {22: Shown.INSTANT, 46: Shown.DURATION}
_QUOTED = re.compile(r'"[^"]*"|\\.|[_*].')
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
_LAST_DAY = 2_958_465  # 31 December 9999
_PHANTOM = 60  # 29 February 1900, which never was
_ZERO_1900, _ZERO_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001  # workbooks know no zone
_FIRST_1904 = (_ZERO_1904 - _ZERO_1900).days
_MILLISECONDS = 86_400_000  # of a day: as fine as Excel shows
_MIDNIGHT = time(0)


def shown_by(number: int, codes: dict[int, str]) -> Shown:
    """How a format shows a number.

    Args:
        number: Of the format.
        codes: The formats that the workbook defines itself.
    """
    code = codes.get(number)
    return _BUILT_IN.get(number, Shown.NUMBER) if code is None else _by_code(code)


def moment(value: float, shown: Shown, *, from_1904: bool) -> Moment | None:
    """The date, time or duration of a number; None when Excel could not show one either."""
    if shown is Shown.DURATION:
        return timedelta(milliseconds=round(value * _MILLISECONDS)) if abs(value) <= _LAST_DAY else None
    if not 0 <= value < _LAST_DAY + 1 - (_FIRST_1904 if from_1904 else 0):
        return None
    days, milliseconds = divmod(round(value * _MILLISECONDS), _MILLISECONDS)
    since = timedelta(days=days, milliseconds=milliseconds)
    if shown is Shown.TIME and not days:
        return (_ZERO_1900 + since).time()
    if from_1904:
        return _fitting(_ZERO_1904 + since, shown)
    if days in {0, _PHANTOM}:
        return None
    return _fitting(_ZERO_1900 + since + timedelta(days=days < _PHANTOM), shown)


def _fitting(at: datetime, shown: Shown) -> Moment:
    return at.date() if shown is Shown.DATE and at.time() == _MIDNIGHT else at


def _by_code(code: str) -> Shown:
    plain = _QUOTED.sub("", code).partition(";")[0]
    if _ELAPSED.search(plain):
        return Shown.DURATION
    plain = _BRACKETS.sub("", plain).lower()
    if "general" in plain:
        return Shown.NUMBER
    has_date, has_time = _any(plain, "yd"), _any(plain, "hs")
    if has_date or ("m" in plain and not has_time):
        return Shown.INSTANT if has_time else Shown.DATE
    return Shown.TIME if has_time else Shown.NUMBER


def _any(text: str, wanted: Sequence[str]) -> bool:
    return any(each in text for each in wanted)
