"""Watermarks as plain data, and back: an instant stays an instant, a number a number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.erp.interfaces import Interface

_KINDS: dict[str, Callable[[str], Any]] = {
    "instant": datetime.fromisoformat,
    "date": date.fromisoformat,
    "decimal": Decimal,
}


@dataclass(frozen=True)
class ChangeSeen:
    """How changes of a table are seen, as a connection asks for it."""

    kind: Literal["row_version", "changed_at", "key"]
    column: str
    overlap: timedelta | None


def change_of(interface: Interface) -> ChangeSeen:
    """How the contract says that changes are seen; by key when it names no column."""
    change = interface.contract.change
    column = change.column or interface.contract.key[0]
    return ChangeSeen(change.by, column, change.overlap if change.by == "changed_at" else None)


def frozen(value: Any) -> Any:
    """A watermark for the bookkeeping."""
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    return value


def thawed(value: Any) -> Any:
    """A watermark as the driver gave it."""
    if isinstance(value, dict):
        ((kind, written),) = value.items()
        return _KINDS[kind](written)
    return value
