"""Numbers and truth values as cells. Excel keeps 15 digits of a number; with more it is written as text."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

from tasks.workbook.cells import Cells, only

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = 15  # what Excel keeps of a number
_WHOLE = 10**DIGITS
_GREATEST_POWER = 300  # a double ends near 308


class IntegerCells(Cells):
    """Whole numbers; of more than 15 digits as text."""

    wanted = "whole numbers"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not only(values, int):
            return None
        present = [value for value in values if value is not None]
        if present and (min(present) <= -_WHOLE or max(present) >= _WHOLE):
            return None
        return self._numbers(values, rows)

    def _one(self, value: Any, row: int) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._refusal(value, row)
        text = f"{value:d}"
        return self._number(text, row) if _is_kept(Decimal(value)) else self._text(text, row)


class DecimalCells(Cells):
    """Numbers: whole ones and decimals of more than 15 digits as text; a float is a double, as in Excel."""

    wanted = "numbers"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not (only(values, Decimal) or only(values, int)):
            return self._floats(values, rows) if only(values, float) else None
        texts = [None if value is None else str(value) for value in values]
        joined = "".join(filter(None, texts))
        # Numbers in scientific notation, infinities and what is no number have a letter in them.
        if not joined.isascii() or "E" in joined or "n" in joined or "N" in joined:
            return None
        longest = max((len(text) for text in texts if text), default=0)
        return self._numbers(texts, rows) if longest <= DIGITS else None

    def _floats(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not all(value is None or isfinite(value) for value in values):
            return None
        return self._numbers([None if value is None else repr(value) for value in values], rows)

    def _one(self, value: Any, row: int) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise self._refusal(value, row)
        if isinstance(value, float):
            return self._number(repr(float(value)), row) if isfinite(value) else self._text(str(value), row)
        number = Decimal(value)
        return self._number(str(number), row) if _is_kept(number) else self._text(str(number), row)


class BooleanCells(Cells):
    """True and false."""

    wanted = "true or false"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not only(values, bool):
            return None
        return [
            "" if value is None else self._one(value, row) for value, row in zip(values, rows, strict=True)
        ]

    def _one(self, value: Any, row: int) -> str:
        if not isinstance(value, bool):
            raise self._refusal(value, row)
        return f'<c r="{self._letters}{row}" t="b"><v>{value:d}</v></c>'


def _is_kept(number: Decimal) -> bool:
    """Whether a double gives the number back."""
    if not number.is_finite():
        return False
    significant = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(significant) <= DIGITS and abs(number.adjusted()) <= _GREATEST_POWER
