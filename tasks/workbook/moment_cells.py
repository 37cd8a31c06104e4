"""Dates and instants as cells."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tasks.workbook import moments
from tasks.workbook.cells import Cells, only

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from tasks.workbook.cells import Place
    from tasks.workbook.model import SheetColumn


class DateCells(Cells):
    """Days; before 1 March 1900 as text."""

    wanted = "dates"

    def _quickly(self, values: Sequence[Any], rows: Sequence[int]) -> list[str] | None:
        if not only(values, date):
            return None
        present = [value for value in values if value is not None]
        if present and min(present) < moments.FIRST_DATE:
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
        if not present or not only(present, datetime) or any(value.tzinfo is None for value in present):
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
