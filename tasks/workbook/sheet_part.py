"""One worksheet's part of the file: head, header row, rows as they come, and what stands behind them.

The elements stand in the order of the format (ISO/IEC 29500-1, CT_Worksheet); Excel refuses another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from tasks.workbook.errors import RowUnfit
from tasks.workbook.model import Kind
from tasks.workbook.styles import HEADER
from tasks.workbook.text import attribute, element
from tasks.workbook.titles import letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.workbook.archive import EntryWriter
    from tasks.workbook.cells import Cells

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_FROZEN = (
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '<selection pane="bottomLeft" activeCell="A2" sqref="A2"/>'
)
_WIDTHS = {
    Kind.TEXT: 20,
    Kind.INTEGER: 14,
    Kind.DECIMAL: 16,
    Kind.DATE: 12,
    Kind.INSTANT: 25,
    Kind.BOOLEAN: 10,
}
_WIDEST = 255  # Excel's limit
_BUTTON = 3  # characters that the filter's button takes


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads to a place in the workbook."""

    cell: str
    place: str


class SheetPart:
    """One worksheet.

    Args:
        entry: Takes its XML.
        cells: Its columns.
        headers: The texts of its first row.
        selected: Whether it is shown when the workbook is opened.
    """

    def __init__(
        self, entry: EntryWriter, cells: Sequence[Cells], headers: Sequence[str], *, selected: bool = False
    ) -> None:
        self.cells = cells
        self.rows = 0
        self._entry = entry
        self._headers = headers
        entry.write(self._head(selected=selected).encode())

    @property
    def size(self) -> int:
        """Bytes of XML so far."""
        return self._entry.size

    @property
    def filtered(self) -> str:
        """The cells that the filter covers."""
        return f"A1:{letters(len(self.cells))}{self.rows + 1}"

    def write(self, rows: Sequence[tuple[Any, ...]], cells: Sequence[Cells] | None = None) -> None:
        """Add rows.

        Args:
            rows: In their order.
            cells: When they look otherwise than those before.

        Raises:
            RowUnfit: a row has more or fewer values than there are columns.
            CellUnfit: a value is not of its column's kind.
        """
        first = self.rows + 2
        self._check_widths(rows)
        numbers = range(first, first + len(rows))
        columns = zip(*rows, strict=True)
        found = [
            each.encode(column, numbers) for each, column in zip(cells or self.cells, columns, strict=True)
        ]
        opened = [f'<row r="{number}">' for number in numbers]
        lines = zip(opened, *found, repeat("</row>", len(rows)), strict=True)
        self._entry.write("".join(chain.from_iterable(lines)).encode())
        self.rows += len(rows)

    def finish(self, *, filtered: str, links: Sequence[Link] = ()) -> None:
        """Write what stands behind the rows."""
        self._entry.write(f'</sheetData><autoFilter ref="{filtered}"/>'.encode())
        if links:
            self._entry.write(f"<hyperlinks>{''.join(map(_hyperlink, links))}</hyperlinks>".encode())
        margins = '<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
        self._entry.write(f"{margins}{self._digits_in_text()}</worksheet>".encode())

    def _head(self, *, selected: bool) -> str:
        shown = ' tabSelected="1"' if selected else ""
        columns = "".join(
            f'<col min="{place}" max="{place}" width="{self._width(place)}" customWidth="1"/>'
            for place in range(1, len(self.cells) + 1)
        )
        header = "".join(
            f'<c r="{letters(place)}1" s="{HEADER}" t="inlineStr"><is>{element(text)}</is></c>'
            for place, text in enumerate(self._headers, 1)
        )
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            f'<worksheet xmlns="{_MAIN}"><sheetViews>'
            f'<sheetView{shown} workbookViewId="0">{_FROZEN}</sheetView>'
            f'</sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols>'
            f'<sheetData><row r="1">{header}</row>'
        )

    def _width(self, place: int) -> float:
        column = self.cells[place - 1].column
        if column.width is not None:
            return min(column.width, _WIDEST)
        return min(max(_WIDTHS[column.kind], len(self._headers[place - 1]) + _BUTTON), _WIDEST)

    def _check_widths(self, rows: Sequence[tuple[Any, ...]]) -> None:
        wanted = len(self.cells)
        if set(map(len, rows)) <= {wanted}:
            return
        number, row = next((number, row) for number, row in enumerate(rows) if len(row) != wanted)
        raise RowUnfit(sheet=self.cells[0].sheet, row=self.rows + 2 + number, found=len(row), wanted=wanted)

    def _digits_in_text(self) -> str:
        """No green corner where digits are text on purpose."""
        columns = [
            letters(place)
            for place, each in enumerate(self.cells, 1)
            if each.column.kind is Kind.TEXT or each.as_text
        ]
        if not (columns and self.rows):
            return ""
        ranges = " ".join(f"{column}2:{column}{self.rows + 1}" for column in columns)
        return f'<ignoredErrors><ignoredError sqref="{ranges}" numberStoredAsText="1"/></ignoredErrors>'


def _hyperlink(link: Link) -> str:
    return f'<hyperlink ref="{link.cell}" location="{attribute(link.place)}"/>'
