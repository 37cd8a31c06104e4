"""Reads a workbook that a customer sent, row by row, without trusting it.

A formula counts as the value that Excel stored for it, and is said; merged cells, a password, a formula that
was never calculated and an unclear header are refused, each in one sentence. Only the shared texts are held.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tasks.workbook import xml_stream
from tasks.workbook.book_parts import Book, read_book
from tasks.workbook.container import Container
from tasks.workbook.errors import CellsMerged, SheetUnclear
from tasks.workbook.limits import DEFAULT, Limits
from tasks.workbook.rows import Rows
from tasks.workbook.sheet_cells import SheetCells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=[\"']([A-Z0-9:]{1,30})")
_OVERLAP = 200  # bytes: an element may lie on the border of two pieces


def read_workbook(
    file: str | os.PathLike[str] | BinaryIO, limits: Limits = DEFAULT, *, sheet: str | None = None
) -> Rows:
    """Open a workbook of Excel 2007 or later for reading.

    Values come as text, int, float, bool, date, datetime (without a zone: a workbook knows none), time or
    timedelta; an error value as its text (`#REF!`).

    Args:
        file: A path; or a seekable binary stream, which stays open.
        limits: What the file may hold.
        sheet: Which sheet; without it the only visible one.

    Returns:
        The rows below the header. It is an iterator, a context manager, and knows its `columns`.

    Raises:
        FileTooLarge: it holds more than the limits; also while rows are read.
        WorkbookLocked: it has a password.
        WorkbookUnreadable: it is no workbook, or a damaged one; also while rows are read.
        SheetUnclear: there is no such sheet, or several and none was named.
        CellsMerged: it has merged cells.
        FormulaWithoutValue: it has a formula that was never calculated; while rows are read.
        HeaderUnclear: a name is missing or there twice; also while rows are read.
    """
    with ExitStack() as failing:
        held = failing.enter_context(ExitStack())  # what the rows close at their end; at once when this fails
        opened, name = open_for_reading(file, held)
        container = Container(opened, name, limits)
        book = read_book(container, limits.text_bytes)
        title = _chosen(book, sheet, name)
        _refuse_merged(container, book.sheets[title], title)
        rows = _Sheet(container, limits, book, title, held.close)
        failing.pop_all()
    return rows


def open_for_reading(file: str | os.PathLike[str] | BinaryIO, stack: ExitStack) -> tuple[BinaryIO, str]:
    """The open file, closed with the stack when it was opened here; and what messages call it."""
    if isinstance(file, str | os.PathLike):
        path = Path(file)
        return stack.enter_context(path.open("rb")), path.name
    return file, Path(str(getattr(file, "name", "stream"))).name


class _Sheet(Rows):
    """The rows of one sheet."""

    def __init__(
        self, container: Container, limits: Limits, book: Book, title: str, close: Callable[[], None]
    ) -> None:
        self._cells = SheetCells(container, book, title, limits.columns)
        super().__init__(container.name, limits, self._read(container, book.sheets[title]), close)

    def _read(self, container: Container, part: str) -> Iterator[list[Any]]:
        cells = self._cells
        for _ in xml_stream.steps(container, part, cells):
            found, cells.rows = cells.rows, []
            self.formulas = cells.formulas
            yield from found


def _chosen(book: Book, wish: str | None, name: str) -> str:
    titles = list(book.sheets)
    listed = ", ".join(f"'{title}'" for title in titles) or "none"
    if wish is None:
        if len(titles) == 1:
            return titles[0]
        reason = f"{len(titles)} visible sheets, and it is not said which is meant"
        raise SheetUnclear(file=name, reason=reason, sheets=listed)
    found = next((title for title in titles if title.casefold() == wish.casefold()), None)
    if found is None:
        raise SheetUnclear(file=name, reason=f"no visible sheet '{wish}'", sheets=listed)
    return found


def _refuse_merged(container: Container, part: str, title: str) -> None:
    """Merged cells are listed behind the rows: look there first, before any row is given."""
    before = b""
    for piece in container.pieces(part):
        if found := _MERGED.search(before + piece):
            raise CellsMerged(sheet=title, file=container.name, where=found[1].decode())
        before = piece[-_OVERLAP:]
