"""Exact sums of columns, however large: they are held against the ledger's."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from tasks.workbook.model import Total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.workbook.model import Sheet

# Digits enough for a sum of numbers of any size that a database holds; a NaN stays one instead of an error.
_EXACT = Context(prec=2000, traps=[])


class Totals:
    """The sums of one sheet's columns that want one."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet.title
        self._sums = {place: Decimal(0) for place, column in enumerate(sheet.columns) if column.total}
        self._names = [column.name for column in sheet.columns]

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add some rows."""
        if not self._sums:
            return
        with localcontext(_EXACT):
            for place, before in self._sums.items():
                present = (row[place] for row in rows if row[place] is not None)
                self._sums[place] = sum(map(_exactly, present), before)

    def found(self) -> tuple[Total, ...]:
        """The sums."""
        return tuple(Total(self._sheet, self._names[place], value) for place, value in self._sums.items())


def _exactly(value: float | Decimal) -> Decimal:
    """A number as it is shown: a float counts as its shortest decimal form."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
