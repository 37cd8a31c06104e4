"""A workbook as its writer is told it, and what is said of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    INSTANT = "instant"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One column.

    Attributes:
        name: Its header; an instant's zone is added by the writer.
        kind: What it holds; None (and, for text, "") leaves a cell empty.
        width: In characters; without it as wide as its kind needs, and its header.
        places: Decimals shown (`#,##0.00`); without it as many as a number has. The value is never rounded.
        total: Whether the sheet of totals has its exact sum.
    """

    name: str
    kind: Kind
    width: float | None = None
    places: int | None = None
    total: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet, or several numbered ones when its rows do not fit in one.

    Attributes:
        title: As wished; made legal and unique.
        columns: One to 16,384, with different names.
        rows: Read once, in order; each with a value for each column.
    """

    title: str
    columns: tuple[SheetColumn, ...]
    rows: Iterable[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class WrittenSheet:
    """One sheet of data as it stands in the file.

    Attributes:
        title: The sheet's name.
        rows: Rows below the header.
        as_text: Values written as text because Excel would have changed them.
        long_texts: Texts that go on in the sheet of long texts.
    """

    title: str
    rows: int
    as_text: int
    long_texts: int


@dataclass(frozen=True, slots=True)
class Total:
    """The exact sum of a column over all numbered sheets of one `Sheet`."""

    sheet: str
    column: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        rows: Rows of data in all sheets.
        sheets: The sheets of data in their order; index, totals and long texts are not among them.
        sha256: Of the whole file, in hexadecimal.
        size: Of the whole file, in bytes.
        totals: As the sheet of totals shows them.
    """

    rows: int
    sheets: tuple[WrittenSheet, ...]
    sha256: str
    size: int
    totals: tuple[Total, ...]

    @property
    def as_text(self) -> int:
        """Values that are text because Excel would have changed them."""
        return sum(sheet.as_text for sheet in self.sheets)

    @property
    def long_texts(self) -> int:
        """Texts that go on in the sheet of long texts."""
        return sum(sheet.long_texts for sheet in self.sheets)
