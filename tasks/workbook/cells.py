"""Values as cells, a column of some hundred rows at a time.

Each kind has a quick way, which looks at all values at once in C and is taken when none of them is unusual,
and a way for one value, which decides what Excel can hold. What Excel would change is written as text,
exactly, and counted; what is not of the column's kind is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from tasks.workbook import styles
from tasks.workbook.errors import CellUnfit
from tasks.workbook.text import CELL_LIMIT, element, escaped_at_once, units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tasks.workbook.model import SheetColumn
    from tasks.workbook.styles import Styles


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
        if not only(values, str):
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


def only(values: Sequence[Any], kind: type) -> bool:
    """Whether all are exactly of this type or None: a bool is no int here, a datetime no date."""
    return set(map(type, values)) <= {kind, type(None)}


def _named(value: Any) -> str:
    if isinstance(value, datetime):
        return "a local time without a zone" if value.utcoffset() is None else "an instant"
    return f"a value of type {type(value).__name__}"
