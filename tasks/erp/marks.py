"""Watermarks as plain data, and back: an instant stays an instant, a number a number.

Each says of which column it is one: after a change of the contract it says nothing about another column.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS: dict[str, Callable[[str], Any]] = {
    "instant": datetime.fromisoformat,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "bytes": bytes.fromhex,
}


def frozen(value: Any, column: str) -> Any:
    """A watermark of a column for the bookkeeping; None when there is none."""
    return None if value is None else {"of": column, "at": _plain(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


def thawed(value: Any, column: str) -> Any:
    """A watermark as the driver gave it; None when there is none of this column, so that all is read."""
    if isinstance(value, dict) and "of" in value:
        return _value(value["at"]) if value["of"] == column else None
    return _value(value)  # of a time when each interface had one contract for all


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, written),) = value.items()
        return _KINDS[kind](written)
    return value
