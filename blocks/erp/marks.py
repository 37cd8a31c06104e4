"""Watermarks of change time: earlier by an overlap, beside the ERP's clock, in the form of their column."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# What SQLite holds as text: the separator, whether a time follows, a fraction, a zone.
_TEXT: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:(?P<separator>[ T])\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_A_DAY: Final = timedelta(days=1)


def as_instant(value: Any, zone: ZoneInfo) -> datetime | None:
    """The instant in UTC that a value means; None when it is none. Without a zone it is the ERP's time."""
    if isinstance(value, str):
        if not _TEXT.fullmatch(value):
            return None
        try:
            value = datetime.fromisoformat(value.replace(",", "."))
        except ValueError:
            return None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the ERP's zone is given below
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def earlier(value: Any, overlap: timedelta, zone: ZoneInfo) -> Any:
    """The value so long before, rounded down, of the same kind; what is no instant stays as it is.

    Clocks that are put back an hour show the same time twice: around such a night an hour more is read again.
    """
    instant = as_instant(value, zone)
    if instant is None:
        return value
    if _zone_named(value) is None:
        overlap += _put_back(instant, zone)
    return like(value, instant - overlap, zone)


def like(pattern: Any, instant: datetime, zone: ZoneInfo) -> Any:
    """An instant as the same kind of value as `pattern`; as text rounded down to its whole seconds.

    Text without a fraction sorts before the text that goes on with one: nothing of its second is missed.
    """
    named = _zone_named(pattern)
    local = instant.astimezone(named) if named else instant.astimezone(zone).replace(tzinfo=None)
    if isinstance(pattern, datetime):
        return local
    if isinstance(pattern, date):
        return local.date()
    if isinstance(pattern, str):
        shape = _TEXT.fullmatch(pattern)
        separator = shape and shape["separator"]
        return local.strftime(f"%Y-%m-%d{separator}%H:%M:%S") if separator else local.strftime("%Y-%m-%d")
    return local


def _zone_named(value: Any) -> tzinfo | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value.tzinfo if isinstance(value, datetime) else None


def _put_back(instant: datetime, zone: ZoneInfo) -> timedelta:
    before = (instant - _A_DAY).astimezone(zone).utcoffset() or timedelta(0)
    after = (instant + _A_DAY).astimezone(zone).utcoffset() or timedelta(0)
    return max(before - after, timedelta(0))
