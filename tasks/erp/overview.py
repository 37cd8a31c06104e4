"""All transactions of a period in one workbook, straight from the ledger of the exchange (S-4.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nakoming.records.engine import writing
from tasks.erp.bookkeeping import prepare
from tasks.erp.overview_ledger import figures
from tasks.erp.overview_rows import OverviewRows
from tasks.erp.overview_words import HELD_BACK, IN, OUT, WORDS, columns, totals_columns
from tasks.workbook import Sheet, write_workbook
from tasks.workbook.writing import SHEET_ROWS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from typing import BinaryIO

    from sqlalchemy import Engine

    from nakoming.agreement.people import Language
    from tasks.erp.overview_ledger import Figures, Group
    from tasks.workbook import Written


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What was written, and what the ledger counts and adds up by queries of its own.

    Attributes:
        written: the workbook, its sheet of totals not counted among the data.
        at_least_once: rows that were written at an ERP that holds no keys of ours.
        ledger: rows and sums of the ledger, for each direction, interface and state.
        in_book: the same of the rows as they went into the workbook.
        sheets: the rows of each sheet of data.
    """

    written: Written
    at_least_once: int
    ledger: Mapping[Group, Figures]
    in_book: Mapping[Group, Figures]
    sheets: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Rows of transactions in the workbook."""
        return sum(self.sheets.values())

    @property
    def incoming(self) -> int:
        """What the ledger counts from the ERP to the Suite."""
        return self._counted(IN)

    @property
    def outgoing(self) -> int:
        """What it counts from the Suite to the ERP."""
        return self._counted(OUT)

    @property
    def held_back(self) -> int:
        """What it counts of rows that were held back."""
        return self._counted(HELD_BACK)

    def _counted(self, direction: str) -> int:
        return sum(each.rows for group, each in self.ledger.items() if group[0] == direction)

    @property
    def difference(self) -> str | None:
        """Where workbook and ledger differ first, in words; None where every count and every sum is equal."""
        if self.rows != sum(each.rows for each in self.in_book.values()):
            return f"its sheets have {self.rows} rows"
        for group in sorted({*self.ledger, *self.in_book}):
            ours, theirs = self.in_book.get(group), self.ledger.get(group)
            if ours != theirs:
                return f"{' '.join(group)}: {_told(ours)} in the workbook, {_told(theirs)} in the ledger"
        return None


def _told(figures: Figures | None) -> str:
    if figures is None:
        return "no rows"
    sums = "".join(f", {name} {value.normalize():f}" for name, value in figures.sums.items() if value)
    return f"{figures.rows} rows{sums}"


def write_overview(
    engine: Engine,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    start: datetime,
    end: datetime,
    language: Language,
    sheet_rows: int = SHEET_ROWS,
) -> Overview:
    """Write all transactions from `start` until before `end`, at one instant of the ledger."""
    _prepared(engine)
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            ledger = figures(connection, start, end)
            rows = OverviewRows(connection, start, end, language)
            written = write_workbook(
                target, _sheets(rows, language), language=language, sheet_rows=sheet_rows
            )
    last = WORDS[language]["per_interface"]
    sheets = {each.title: each.rows for each in written.sheets if not each.title.startswith(last)}
    return Overview(
        written=written,
        at_least_once=rows.at_least_once,
        ledger=ledger,
        in_book=dict(rows.written),
        sheets=sheets,
    )


def _sheets(rows: OverviewRows, language: Language) -> Iterator[Sheet]:
    words = WORDS[language]
    for direction in (IN, OUT, HELD_BACK):
        yield Sheet(words[direction], columns(language), rows.of(direction))
    # Last, when everything before it has been counted; the workbook's index leads to it.
    yield Sheet(words["per_interface"], totals_columns(language), rows.totals())


def _prepared(engine: Engine) -> None:
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
