"""Writes a workbook as its rows come, in constant memory (S-4.2.2).

The sheets of data come first in the file, then the index, the totals and the long texts, of which all must be
known; the workbook lists the index first, whatever the order in the archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

from tasks.workbook.archive import ENTRY_LIMIT, Archive
from tasks.workbook.cells import Cells, Place, TextCells
from tasks.workbook.column_cells import cells_of
from tasks.workbook.errors import SheetUnfit
from tasks.workbook.long_texts import LongTexts
from tasks.workbook.model import Kind, Sheet, SheetColumn, Written, WrittenSheet
from tasks.workbook.package import ListedSheet, part_name, parts
from tasks.workbook.sheet_part import Link, SheetPart
from tasks.workbook.styles import LINK, Styles
from tasks.workbook.target import opened
from tasks.workbook.titles import Titles, letters, reference
from tasks.workbook.totals import Totals
from tasks.workbook.words import WORDS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from nakoming.agreement.people import Language
    from tasks.workbook.model import Total

SHEET_ROWS = 1_048_576  # Excel's limit, header included
SHEET_COLUMNS = 16_384
_CHUNK = 250  # rows encoded at once: enough to be quick, and bounded when every text is a long one
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_SUMMED = {Kind.INTEGER, Kind.DECIMAL}


def write_workbook(
    target: str | os.PathLike[str] | BinaryIO,
    sheets: Iterable[Sheet],
    *,
    language: Language,
    zone: ZoneInfo = _AMSTERDAM,
    sheet_rows: int = SHEET_ROWS,
) -> Written:
    """Write a workbook; equal rows give equal bytes.

    Args:
        target: A file, which is there whole or not at all; or a binary stream, written to in order.
        sheets: Taken one after the other, their rows too; nothing is held.
        language: Of the fixed words and of how dates are shown.
        zone: In whose local time instants are written; named in their headers.
        sheet_rows: Rows of a sheet at most, header included; more rows go on in a further numbered sheet.

    Returns:
        What was written.

    Raises:
        CellUnfit: a value is not of its column's kind.
        RowUnfit: a row has more or fewer values than there are columns.
        SheetUnfit: a sheet has no columns, too many, two of one name, or a total of what has no sum.
    """
    with opened(target) as write:
        book = _Workbook(Archive(write), language, zone, sheet_rows)
        return book.written(sheets)


@dataclass(frozen=True, slots=True)
class _DataSheet:
    """A finished sheet of data."""

    listed: ListedSheet
    said: WrittenSheet


class _Workbook:
    def __init__(self, archive: Archive, language: Language, zone: ZoneInfo, sheet_rows: int) -> None:
        self._archive = archive
        self._zone = zone
        self._most = sheet_rows - 1
        self._words = WORDS[language]
        self._styles = Styles(language)
        self._titles = Titles()
        words = self._words
        self._index, self._totals, self._long = map(
            self._titles.claim, (words.index, words.totals, words.long_texts)
        )
        self._lengthy = LongTexts(words, self._long, sheet_rows)
        self._count = 0
        self._data: list[_DataSheet] = []

    def written(self, sheets: Iterable[Sheet]) -> Written:
        with self._lengthy:
            totals = [total for sheet in sheets for total in self._add(sheet)]
            return self._finish(tuple(totals))

    def _add(self, sheet: Sheet) -> tuple[Total, ...]:
        """Write a sheet of data, in as many parts as its rows need."""
        _check(sheet)
        totals, rows = Totals(sheet), iter(sheet.rows)
        pending, found = list(islice(rows, _CHUNK)), list[tuple[int, SheetPart]]()
        while pending or not found:
            number = self._next()
            with self._archive.entry(part_name(number)) as entry:
                cells = self._cells(sheet, len(self._data) + len(found))
                part = SheetPart(entry, cells, [self._header(column) for column in sheet.columns])
                pending = self._fill(part, pending, rows, totals)
                part.finish(filtered=part.filtered)
            found.append((number, part))
        for place, (number, part) in enumerate(found, 1):
            title = self._titles.claim(sheet.title, f" ({place})" if len(found) > 1 else "")
            self._data.append(_finished(title, number, part))
        return totals.found()

    def _fill(
        self, part: SheetPart, pending: list[Any], rows: Iterator[Any], totals: Totals
    ) -> list[tuple[Any, ...]]:
        """Write rows until they end or the sheet is full; give those that did not fit."""
        while pending:
            room = self._most - part.rows if part.size < ENTRY_LIMIT else 0
            if not room:
                return pending
            part.write(pending[:room])
            totals.add(pending[:room])
            pending = pending[room:] or list(islice(rows, _CHUNK))
        return []

    def _cells(self, sheet: Sheet, number: int) -> list[Cells]:
        keep = partial(self._lengthy.keep, sheet=number)
        return [
            cells_of(
                column,
                Place(sheet.title, letters(place), self._styles),
                zone=self._zone,
                lengthy=lambda text, cell: keep(text, cell=cell),
            )
            for place, column in enumerate(sheet.columns, 1)
        ]

    def _header(self, column: SheetColumn) -> str:
        return f"{column.name} ({self._zone.key})" if column.kind is Kind.INSTANT else column.name

    def _finish(self, totals: tuple[Total, ...]) -> Written:
        own = [self._write_index()]
        if totals:
            own.append(self._write_plain(self._totals, self._totals_sheet(totals)))
        last = [self._write_plain(self._long, self._long_sheet())] if self._lengthy.count else []
        listed = [*own, *(sheet.listed for sheet in self._data), *last]
        for name, content in parts(listed, self._styles.part()):
            with self._archive.entry(name) as entry:
                entry.write(content)
        self._archive.finish()
        said = tuple(sheet.said for sheet in self._data)
        rows = sum(sheet.rows for sheet in said)
        return Written(rows, said, self._archive.sha256, self._archive.size, totals)

    def _write_index(self) -> ListedSheet:
        words, said = self._words, [sheet.said for sheet in self._data]
        names = (words.rows, words.as_text, words.long_texts)
        columns = (
            SheetColumn(words.sheet, Kind.TEXT, 34),
            *(SheetColumn(name, Kind.INTEGER, 20) for name in names),
        )
        plain = self._cells(Sheet(self._index, columns, ()), 0)
        linked = TextCells(columns[0], Place(self._index, "A", self._styles), LINK, lengthy=_as_it_is)
        number = self._next()
        with self._archive.entry(part_name(number)) as entry:
            part = SheetPart(entry, plain, [column.name for column in columns], selected=True)
            if said:
                part.write([(each.title, *_counts([each])) for each in said], [linked, *plain[1:]])
            filtered = part.filtered
            part.write([(words.total, *_counts(said)), *self._legend(said)])
            links = [Link(f"A{row}", reference(each.title)) for row, each in enumerate(said, 2)]
            part.finish(filtered=filtered, links=links)
        return ListedSheet(self._index, number, filtered)

    def _legend(self, said: Sequence[WrittenSheet]) -> list[tuple[str | None, None, None, None]]:
        _, as_text, long_texts = _counts(said)
        lines = [self._words.why_text] * bool(as_text) + [self._words.why_long] * bool(long_texts)
        return [(line, None, None, None) for line in (None, *lines)] if lines else []

    def _totals_sheet(self, totals: Sequence[Total]) -> Sheet:
        words = self._words
        columns = (
            SheetColumn(words.sheet, Kind.TEXT, 34),
            SheetColumn(words.column, Kind.TEXT, 34),
            SheetColumn(words.total, Kind.DECIMAL, 24),
        )
        return Sheet(self._totals, columns, [(each.sheet, each.column, each.value) for each in totals])

    def _long_sheet(self) -> Sheet:
        words, titles = self._words, [sheet.said.title for sheet in self._data]
        columns = (
            SheetColumn(words.sheet, Kind.TEXT, 34),
            SheetColumn(words.place, Kind.TEXT),
            SheetColumn(words.part, Kind.INTEGER),
            SheetColumn(words.text, Kind.TEXT, 100),
        )
        return Sheet(self._long, columns, self._lengthy.rows(titles))

    def _write_plain(self, title: str, sheet: Sheet) -> ListedSheet:
        number, rows = self._next(), iter(sheet.rows)
        with self._archive.entry(part_name(number)) as entry:
            part = SheetPart(entry, self._cells(sheet, 0), [column.name for column in sheet.columns])
            while chunk := list(islice(rows, _CHUNK)):
                part.write(chunk)
            part.finish(filtered=part.filtered)
        return ListedSheet(title, number, part.filtered)

    def _next(self) -> int:
        self._count += 1
        return self._count


def _check(sheet: Sheet) -> None:
    names = [column.name.casefold() for column in sheet.columns]
    if not 1 <= len(names) <= SHEET_COLUMNS:
        raise SheetUnfit(
            sheet=sheet.title, reason=f"it has {len(names)} columns; from 1 to {SHEET_COLUMNS} fit"
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SheetUnfit(sheet=sheet.title, reason=f"two of its columns are called '{twice}'")
    unsummed = next((column for column in sheet.columns if column.total and column.kind not in _SUMMED), None)
    if unsummed:
        raise SheetUnfit(
            sheet=sheet.title, reason=f"'{unsummed.name}' holds {unsummed.kind}, which has no total"
        )


def _finished(title: str, number: int, part: SheetPart) -> _DataSheet:
    as_text = sum(cells.as_text for cells in part.cells)
    long_texts = sum(cells.long_texts for cells in part.cells)
    said = WrittenSheet(title, part.rows, as_text, long_texts)
    return _DataSheet(ListedSheet(title, number, part.filtered), said)


def _counts(said: Sequence[WrittenSheet]) -> tuple[int, int, int]:
    return (
        sum(each.rows for each in said),
        sum(each.as_text for each in said),
        sum(each.long_texts for each in said),
    )


def _as_it_is(text: str, _: str) -> str:
    return text
