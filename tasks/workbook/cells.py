"""Values as cells, a column of some hundred rows at a time.

Each kind has a quick way, which looks at all values at once in C and is taken when none of them is unusual,
and a way for one value, which decides what Excel can hold. What Excel would change is written as text,
exactly, and counted; what is not of the column's kind is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from tasks.workbook import moments, styles
from tasks.workbook.errors import CellUnfit
from tasks.workbook.model import Kind
from tasks.workbook.text import CELL_LIMIT, element, escaped_at_once, units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from tasks.workbook.model import SheetColumn
    from tasks.workbook.styles import Styles

DIGITS = 15  # what Excel keeps of a number
_WHOLE = 10**DIGITS
_GREATEST_POWER = 300  # a double ends near 308


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column stands.

    Attributes:
        sheet: The sheet's title, for messages.
        letters: The column's, such as `C`.
        formats: The workbook's styles.
    """

    sheet: str
    letters: str
    formats: Styles


class Cells(ABC):
    """The cells of one column.

    Args:
        column: What the column is.
        place: Where it stands.
        style: The number of its style; without it the style of text.
    """

    wanted: ClassVar[str]

    def __init__(self, column: SheetColumn, place: Place, style: int | None = None) -> None:
        text_style = place.formats.of(styles.TEXT)
        self.column = column
        self.as_text = 0
        self.long_texts = 0
        self.sheet = place.sheet
        self._letters = place.letters
        self._styled = f's="{text_style if style is None else style}"'
        self._styled_text = f's="{text_style}"'

    def encode(self, values: Sequence[Any], rows: Sequence[int]) -> list[str]:
        """Give the cells of these values; "" for an empty one.

        Raises:
            CellUnfit: a value is not of the column's kind.
        """
        found = self._quickly(values, rows)
        if found is None:
            return [
                "" if value is None else self._one(value, row)
                for value, row in zip(values, rows, strict=True)
            ]
        return found

    @abstractmethod
    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        """All of them at once; None when one is unusual."""

    @abstractmethod
    def _one(self, value: Any, row: int) -> str:
        """One value."""

    @staticmethod
    def _each(one: Callable[[Any, int], str], values: Sequence[Any], rows: Sequence[int]) -> list[str]:
        return ["" if value is None else one(value, row) for value, row in zip(values, rows, strict=True)]

    def _text(self, value: str, row: int) -> str:
        """A value that Excel would change, as text."""
        self.as_text += 1
        return self._inline(value, row, self._styled_text)

    def _inline(self, value: str, row: int, styled: str) -> str:
        return f'<c r="{self._letters}{row}" {styled} t="inlineStr"><is>{element(value)}</is></c>'

    def _number(self, value: str, row: int) -> str:
        return f'<c r="{self._letters}{row}" {self._styled}><v>{value}</v></c>'

    def _numbers(self, texts: Sequence[str | None], rows: Sequence[int]) -> list[str]:
        start, middle = f'<c r="{self._letters}', f'" {self._styled}><v>'
        return [
            "" if text is None else f"{start}{row}{middle}{text}</v></c>"
            for text, row in zip(texts, rows, strict=True)
        ]

    def _refusal(self, value: Any, row: int) -> CellUnfit:
        return CellUnfit(
            sheet=self.sheet, row=row, column=self.column.name, found=_named(value), wanted=self.wanted
        )


class TextCells(Cells):
    """Text: never a formula, whatever it begins with.

    Args:
        lengthy: Takes a text longer than a cell, with the cell's place, and gives what the cell shows.
    """

    wanted = "text"

    def __init__(
        self,
        column: SheetColumn,
        place: Place,
        style: int | None = None,
        *,
        lengthy: Callable[[str, str], str],
    ) -> None:
        super().__init__(column, place, style)
        self._lengthy = lengthy

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not _only(values, str):
            return None
        texts = ["" if value is None else value for value in values]
        if max(map(len, texts)) * 2 > CELL_LIMIT or (found := escaped_at_once(texts)) is None:
            return None
        start, middle = f'<c r="{self._letters}', f'" {self._styled} t="inlineStr"><is><t>'
        return [
            f"{start}{row}{middle}{text}</t></is></c>" if text else ""
            for text, row in zip(found, rows, strict=True)
        ]

    def _one(self, value: Any, row: int) -> str:
        if not isinstance(value, str):
            raise self._refusal(value, row)
        value = str(value)
        if units(value) > CELL_LIMIT:
            self.long_texts += 1
            value = self._lengthy(value, f"{self._letters}{row}")
        return self._inline(value, row, self._styled) if value else ""


class IntegerCells(Cells):
    """Whole numbers; of more than 15 digits as text."""

    wanted = "whole numbers"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not _only(values, int):
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
        if not (_only(values, Decimal) or _only(values, int)):
            return self._floats(values, rows) if _only(values, float) else None
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


class DateCells(Cells):
    """Days; before 1 March 1900 as text."""

    wanted = "dates"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not _only(values, date):
            return None
        if (
            min((value for value in values if value is not None), default=moments.FIRST_DATE)
            < moments.FIRST_DATE
        ):
            return None
        start, middle, zero = f'<c r="{self._letters}', f'" {self._styled}><v>', moments.ZERO_ORDINAL
        return [
            "" if value is None else f"{start}{row}{middle}{value.toordinal() - zero}</v></c>"
            for value, row in zip(values, rows, strict=True)
        ]

    def _one(self, value: Any, row: int) -> str:
        if isinstance(value, datetime) or not isinstance(value, date):
            raise self._refusal(value, row)
        if value < moments.FIRST_DATE:
            return self._text(value.isoformat(), row)
        return self._number(str(value.toordinal() - moments.ZERO_ORDINAL), row)


class InstantCells(Cells):
    """Instants as local time of the workbook's zone; before March 1900 as text in UTC.

    Args:
        zone: Whose local time is written.
    """

    wanted = "instants with a zone"

    def __init__(
        self, column: SheetColumn, place: Place, style: int | None = None, *, zone: ZoneInfo
    ) -> None:
        super().__init__(column, place, style)
        self._quarters = moments.Quarters(zone, place.formats.instant)

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        present = [value for value in values if value is not None]
        if not present or not _only(present, datetime) or any(value.tzinfo is None for value in present):
            return None
        if min(present) < moments.FIRST_BY_QUARTERS or max(present) > moments.LAST_INSTANT:
            return None
        return [
            "" if value is None else self._local(value, row) for value, row in zip(values, rows, strict=True)
        ]

    def _local(self, value: datetime, row: int) -> str:
        since = value - moments.ZERO_INSTANT
        offset, styled = self._quarters[moments.quarter_of(since)]
        return f'<c r="{self._letters}{row}" {styled}><v>{moments.serial(since + offset)!r}</v></c>'

    def _one(self, value: Any, row: int) -> str:
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise self._refusal(value, row)
        if not moments.FIRST_INSTANT <= value <= moments.LAST_INSTANT:
            return self._text(value.astimezone(UTC).isoformat(), row)
        offset, styled = self._quarters.at(value)
        local = moments.serial(value - moments.ZERO_INSTANT + offset)
        return f'<c r="{self._letters}{row}" {styled}><v>{local!r}</v></c>'


class BooleanCells(Cells):
    """True and false."""

    wanted = "true or false"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not _only(values, bool):
            return None
        return [
            "" if value is None else self._one(value, row) for value, row in zip(values, rows, strict=True)
        ]

    def _one(self, value: Any, row: int) -> str:
        if not isinstance(value, bool):
            raise self._refusal(value, row)
        return f'<c r="{self._letters}{row}" t="b"><v>{value:d}</v></c>'


def cells_of(
    column: SheetColumn, place: Place, *, zone: ZoneInfo, lengthy: Callable[[str, str], str]
) -> Cells:
    """The cells of a column, by its kind."""
    formats = place.formats
    match column.kind:
        case Kind.TEXT:
            return TextCells(column, place, lengthy=lengthy)
        case Kind.INTEGER:
            return IntegerCells(column, place, formats.of(styles.INTEGER))
        case Kind.DECIMAL:
            return DecimalCells(column, place, formats.of(_shown(column.places)))
        case Kind.DATE:
            return DateCells(column, place, formats.of(formats.date))
        case Kind.INSTANT:
            return InstantCells(column, place, formats.instant(), zone=zone)
        case Kind.BOOLEAN:
            return BooleanCells(column, place, styles.PLAIN)


def _shown(places: int | None) -> str:
    if places is None:
        return "General"
    return "#,##0." + "0" * places if places else "#,##0"


def _only(values: Sequence[Any], kind: type) -> bool:
    """Whether all are exactly of this type or None: a bool is no int here, a datetime no date."""
    return set(map(type, values)) <= {kind, type(None)}


def _is_kept(number: Decimal) -> bool:
    """Whether a double gives the number back."""
    if not number.is_finite():
        return False
    significant = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(significant) <= DIGITS and abs(number.adjusted()) <= _GREATEST_POWER


def _named(value: Any) -> str:
    if isinstance(value, datetime):
        return "a local time without a zone" if value.utcoffset() is None else "an instant"
    return f"a value of type {type(value).__name__}"
