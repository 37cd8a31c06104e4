"""Watermarks as plain data, and back: an instant stays an instant, a number a number."""

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


def frozen(value: Any) -> Any:
    """A watermark for the bookkeeping."""
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


def thawed(value: Any) -> Any:
    """A watermark as the driver gave it."""
    if isinstance(value, dict):
        ((kind, written),) = value.items()
        return _KINDS[kind](written)
    return value
