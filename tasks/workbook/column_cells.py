"""Which cells a column has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.workbook import styles
from tasks.workbook.cells import TextCells
from tasks.workbook.model import Kind
from tasks.workbook.moment_cells import DateCells, InstantCells
from tasks.workbook.number_cells import BooleanCells, DecimalCells, IntegerCells

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from tasks.workbook.cells import Cells, Place
    from tasks.workbook.model import SheetColumn


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
