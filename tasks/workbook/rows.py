"""Rows of a customer's file, as they are read, and what names their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tasks.workbook.errors import FileTooLarge, HeaderUnclear
from tasks.workbook.titles import letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from nakoming.agreement.people import Language
    from tasks.workbook.limits import Limits

_REMARKS: dict[Language, str] = {
    "nl": "{count} waarden komen uit formules; genomen is wat Excel het laatst berekende.",
    "en": "{count} values come from formulas; what Excel calculated last was taken.",
}


class Rows:
    """An iterator of tuples, each as long as the header; an empty cell is None, an empty row is left out.

    The whole file is good only when the iteration has ended: what is wrong further down is raised there.

    Attributes:
        columns: The header's names, in their order.
        count: Rows given so far.
        empty: Rows left out so far, those within the data.
        formulas: Values so far that come from formulas.
    """

    def __init__(
        self, file: str, limits: Limits, lines: Iterator[Sequence[Any]], close: Callable[[], None]
    ) -> None:
        self._file = file
        self._limits = limits
        self._lines = lines
        self._close = close
        self.count = self.empty = self.formulas = 0
        self.columns = self._header()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, ...]:
        try:
            row = self._next()
        except BaseException:
            self.close()
            raise
        if row is None:
            self.close()
            raise StopIteration
        return row

    def _next(self) -> tuple[Any, ...] | None:
        width = len(self.columns)
        for line in self._lines:
            if not line:
                self.empty += 1
                continue
            row = [None if value == "" else value for value in line]
            if all(value is None for value in row):
                self.empty += 1
                continue
            if extra := next(
                (place for place, value in enumerate(row[width:], width + 1) if value is not None), 0
            ):
                self._refuse(f"column {letters(extra)} has values and no name")
            self.count += 1
            if self.count > self._limits.rows:
                raise self._too_large(self.count, "rows or more", self._limits.rows)
            return tuple(row[:width]) + (None,) * (width - len(row))
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, when it was opened here."""
        self._close()

    def remark(self, language: Language) -> str | None:
        """What the sender should know of the rows given so far; None when there is nothing."""
        return _REMARKS[language].format(count=self.formulas) if self.formulas else None

    def _header(self) -> tuple[str, ...]:
        names = list(
            next((line for line in self._lines if any(value not in {None, ""} for value in line)), ())
        )
        while names and names[-1] in {None, ""}:
            names.pop()
        if not names:
            self._refuse("it is empty")
        if len(names) > self._limits.columns:
            raise self._too_large(len(names), "columns", self._limits.columns)
        for place, name in enumerate(names, 1):
            if name is None or not str(name).strip():
                self._refuse(f"column {letters(place)} has no name")
            if not isinstance(name, str):
                self._refuse(f"column {letters(place)} begins with the value {name!r} instead of a name")
        found = [name.strip() for name in names]
        folded = [name.casefold() for name in found]
        if twice := next((name for name in found if folded.count(name.casefold()) > 1), None):
            self._refuse(f"'{twice}' names two columns")
        return tuple(found)

    def _refuse(self, reason: str) -> None:
        raise HeaderUnclear(file=self._file, reason=reason)

    def _too_large(self, found: int, what: str, limit: int) -> FileTooLarge:
        return FileTooLarge(file=self._file, found=found, what=what, limit=limit)
