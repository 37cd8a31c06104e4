"""Whether a source lost more than it should have: a backup of what is gone is good, and worth nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

HUNDRED = 100


def shrinkage(
    *, rows: int, raw_bytes: int, rows_before: int | None, bytes_before: int | None, percent: Decimal
) -> tuple[str, ...]:
    """What alarms, in words; empty when nothing does. Without an earlier backup only an empty one alarms.

    Args:
        rows: rows and files now.
        raw_bytes: bytes before compression now.
        rows_before: the same of the last verified backup.
        bytes_before: the same of the last verified backup.
        percent: the loss that is allowed.
    """
    if not rows:
        return (f"it is empty; the last backup had {rows_before or 0} rows",)
    found = []
    for what, now, before in (("rows", rows, rows_before), ("bytes", raw_bytes, bytes_before)):
        if before and (before - now) * HUNDRED > percent * before:
            lost = round((before - now) * HUNDRED / before)
            found.append(f"{lost}% of its {what} are gone: {now} now, {before} in the last backup")
    return tuple(found)
