"""Whether what stands at an ERP is what was written: exactly, though perhaps in another form of the value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo


def differences(
    wanted: Mapping[str, Any], there: Sequence[Any], zone: ZoneInfo
) -> dict[str, tuple[Any, Any]]:
    """The columns that differ: what we wrote, what stands there."""
    pairs = zip(wanted.items(), there, strict=True)
    return {column: (value, found) for (column, value), found in pairs if not same(value, found, zone)}


def same(wanted: Any, found: Any, zone: ZoneInfo) -> bool:
    """Whether both are one value: 1.50 and 1.5 are, 0.1 and its 32-bit float are not.

    Instants without a zone are the ERP's, in its own zone.
    """
    if wanted is None or found is None:
        return wanted is found
    if isinstance(wanted, datetime):
        return _same_instant(wanted, found, zone)
    if isinstance(wanted, date):
        return found in {wanted, wanted.isoformat()} or _midnight(wanted, found)
    if isinstance(wanted, bool | int | float | Decimal):
        return _same_number(wanted, found)
    if isinstance(wanted, bytes | bytearray | memoryview):
        return isinstance(found, bytes | bytearray | memoryview) and bytes(wanted) == bytes(found)
    # A column of fixed width fills up with blanks, at every ERP.
    return str(wanted).rstrip(" ") == str(found).rstrip(" ")


def _same_number(wanted: float | Decimal, found: Any) -> bool:
    number = _number(found)
    return number is not None and number == _number(wanted)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool | int):
        return Decimal(int(value))
    try:
        return Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return None


def _same_instant(wanted: datetime, found: Any, zone: ZoneInfo) -> bool:
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return False
    return isinstance(found, datetime) and _local(wanted, zone) == _local(found, zone)


def _local(value: datetime, zone: ZoneInfo) -> datetime:
    # The hour that comes twice cannot be told apart in a column without a zone.
    return value.astimezone(zone).replace(tzinfo=None, fold=0) if value.tzinfo else value


def _midnight(wanted: date, found: Any) -> bool:
    instant = datetime(wanted.year, wanted.month, wanted.day)  # noqa: DTZ001 - compared with one without a zone
    return isinstance(found, datetime) and found == instant
