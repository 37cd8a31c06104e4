"""Text and value of a column in Python: what `data_contracts.sql` says, for rows that are in memory."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
from typing import TYPE_CHECKING, Any, Final

from data_contracts.dates import INSTANT, DateForm
from data_contracts.numbers import NUMBER, WHOLE
from data_contracts.rules import NO, TRIMMED, YES

if TYPE_CHECKING:
    from data_contracts.contract import Column

_WHOLE: Final = re.compile(WHOLE)
_NUMBER: Final = re.compile(NUMBER)
_INSTANT: Final = re.compile(rf"\A{INSTANT}\Z")


def text_of(value: Any) -> str | None:
    """The trimmed text of a value of any type; None when nothing is left."""
    if value is None or _is_missing(value):
        return None
    text = _whole_text(value).replace("\x00", "\ufffd").strip(TRIMMED)
    return text or None


def _is_missing(value: Any) -> bool:
    # NaN and NaT, by which frames say that there is nothing, differ from themselves; NA does not even say.
    try:
        return not isinstance(value, str) and bool(value != value)  # noqa: PLR0124 - that is the question
    except TypeError:
        return True


def _whole_text(value: Any) -> str:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        in_utc = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        return in_utc.isoformat(" ", "microseconds")
    if isinstance(value, decimal.Decimal):
        return f"{value:f}" if value.is_finite() else str(value)
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def value_of(column: Column, text: str | None) -> str | int | float | None:
    """The value that a text stands for; None when it cannot be read as one."""
    if text is None or column.logical_type == "string":
        return text
    if column.logical_type == "integer":
        return int(text.partition(".")[0]) if _WHOLE.match(text) else None
    if column.logical_type == "number":
        return float(text) if _NUMBER.match(text) else None
    if column.logical_type == "boolean":
        return 1 if text in YES else 0 if text in NO else None
    if column.logical_type == "timestamp":
        return int(text[:10].replace("-", "")) if _INSTANT.match(text) else None
    return _day(column, text)


def _day(column: Column, text: str) -> int | None:
    for form in map(DateForm, column.formats):
        if re.fullmatch(form.regex, text):
            year, month, day = (
                text[start - 1 : start - 1 + length]
                for start, length in ((form.year_at, 4), (form.month_at, 2), (form.day_at, 2))
            )
            return int(year + month + day)
    return None


def sortable(value: Any) -> tuple[int, Any]:
    """A value of a change column to sort by: what is not there is less than anything."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return (0, 0) if missing else (1, value)
