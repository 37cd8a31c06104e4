"""The cells of a customer's sheet, row by row, while its XML is unpacked."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from tasks.workbook.book_parts import unescaped
from tasks.workbook.errors import CellsMerged, FormulaWithoutValue
from tasks.workbook.number_formats import Shown, moment
from tasks.workbook.titles import letters

if TYPE_CHECKING:
    from tasks.workbook.book_parts import Book
    from tasks.workbook.container import Container

_DIGITS = "0123456789"
_COLUMNS = 16_384  # of a sheet; a place beyond is no place
_A = ord("A") - 1


class SheetCells:
    """Takes the elements of one sheet; `rows` holds those that are finished.

    Args:
        container: The file, for messages.
        book: What the workbook says of itself.
        title: The sheet's.
        columns: How far to the right values may stand.
    """

    def __init__(self, container: Container, book: Book, title: str, columns: int) -> None:
        self.rows: list[list[Any]] = []
        self.formulas = 0
        self._container = container
        self._book = book
        self._title = title
        self._most = columns
        self._row: list[Any] = []
        self._number = 0
        self._columns: dict[str, int] = {}
        self._cell: dict[str, str] = {}
        self._place = 0
        self._parts: list[str] = []
        self._collects = self._has_value = self._has_formula = self._in_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if name == "c":
            self._begin_cell(attributes)
        elif name == "v":
            self._has_value = self._collects = True
        elif name == "t":
            self._collects = not self._in_phonetic
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._begin_row(attributes)
        elif name == "rPh":
            self._in_phonetic = True
        elif name == "mergeCell":
            where = attributes.get("ref", "")
            raise CellsMerged(sheet=self._title, file=self._container.name, where=where)

    def end(self, name: str) -> None:
        """An element ends."""
        if name == "c":
            self._end_cell()
        elif name in {"v", "t"}:
            self._collects = False
        elif name == "row":
            self.rows.append(self._row)
        elif name == "rPh":
            self._in_phonetic = False

    def text(self, data: str) -> None:
        """Text of an element."""
        if self._collects:
            self._parts.append(data)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        self._number = int(attributes.get("r", self._number + 1))
        self._row, self._place = [], 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._cell = attributes
        self._has_value = self._has_formula = False
        self._parts.clear()
        reference = attributes.get("r")
        self._place = self._column(reference.rstrip(_DIGITS)) if reference else self._place + 1

    def _column(self, name: str) -> int:
        place = self._columns.get(name)
        if place is None:
            place = 0
            for letter in name.upper():
                place = place * 26 + ord(letter) - _A
            if not 1 <= place <= _COLUMNS:
                raise self._container.unreadable(f"a cell of sheet '{self._title}' has no place ('{name}')")
            self._columns[name] = place
        return place

    def _end_cell(self) -> None:
        if self._has_formula:
            if not self._parts and (not self._has_value or self._cell.get("t") != "str"):
                where = f"{letters(self._place)}{self._number}"
                raise FormulaWithoutValue(where=where, sheet=self._title, file=self._container.name)
            self.formulas += 1
        if not self._parts:
            return
        if self._place > self._most:
            raise self._container.too_large(self._place, "columns or more", self._most)
        missing = self._place - len(self._row)
        if missing < 1:
            raise self._container.unreadable(f"the cells of sheet '{self._title}' are not in their order")
        self._row.extend([None] * (missing - 1))
        self._row.append(self._value("".join(self._parts)))

    def _value(self, text: str) -> Any:
        kind = self._cell.get("t", "n")
        try:
            match kind:
                case "s":
                    return self._book.texts[int(text)]
                case "n":
                    return self._number_of(text)
                case "b":
                    return text.strip() in {"1", "true"}
                case "d":
                    return datetime.fromisoformat(text)
                case _:  # text; or an error such as #REF!, which a contract refuses as the text that it is
                    return unescaped(text)
        except (ValueError, IndexError, OverflowError) as problem:
            where = f"{letters(self._place)}{self._number}"
            raise self._container.unreadable(
                f"cell {where} of sheet '{self._title}' holds no value of its kind"
            ) from problem

    def _number_of(self, text: str) -> Any:
        value = float(text)
        if not isfinite(value):
            raise ValueError(text)
        style = int(self._cell.get("s", 0))
        shown = self._book.shown[style] if style < len(self._book.shown) else Shown.NUMBER
        if shown is not Shown.NUMBER:
            found = moment(value, shown, from_1904=self._book.from_1904)
            if found is not None:
                return found
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
