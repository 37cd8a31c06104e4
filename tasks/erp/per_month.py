"""Rows counted and added up month by month, so that a difference between two sides says when it lies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Numeric, cast, column, func, literal, select
from sqlalchemy import table as named_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from tasks.erp.interfaces import Interface

WHOLE = "all"
"""The one period of an interface whose rows have no month."""
NONE = "no date"


@dataclass(frozen=True, kw_only=True)
class Month:
    """One month on both sides; `sums` are per column: the ERP's, the Suite's."""

    month: str
    erp_rows: int
    suite_rows: int
    sums: dict[str, tuple[str, str]]

    @property
    def is_equal(self) -> bool:
        """Whether counts and sums are the same."""
        return self.erp_rows == self.suite_rows and all(erp == suite for erp, suite in self.sums.values())


Side = dict[str, tuple[int, dict[str, Decimal]]]
"""Month -> rows and sums, of one side."""


def side(connection: Connection, interface: Interface, rows: Any) -> Side:
    """What a side has in each month; `rows` have the Suite's columns."""
    joined, month = _with_month(connection.dialect.name, interface, rows)
    sums = [func.sum(cast(rows.c[name], Numeric(38, 6))) for name in interface.summed]
    query = select(month, func.count(), *sums).select_from(joined).group_by(month)
    return side_of(connection.execute(query), interface.summed)


def side_of(rows: Iterable[Sequence[Any]], summed: Sequence[str]) -> Side:
    """The same of rows of month, count and sums."""
    return {
        row[0] or NONE: (
            int(row[1]),
            {name: exact(value) for name, value in zip(summed, row[2:], strict=True)},
        )
        for row in rows
    }


def months(erp: Side, suite: Side) -> tuple[Month, ...]:
    """Both sides next to each other."""
    nothing: tuple[int, dict[str, Decimal]] = (0, {})
    found = []
    for month in sorted({*erp, *suite}):
        there, here = erp.get(month, nothing), suite.get(month, nothing)
        names = dict.fromkeys((*there[1], *here[1]))
        zero = Decimal(0)
        sums = {name: (plain(there[1].get(name, zero)), plain(here[1].get(name, zero))) for name in names}
        found.append(Month(month=month, erp_rows=there[0], suite_rows=here[0], sums=sums))
    return tuple(found)


def exact(value: Any) -> Decimal:
    """A sum; SQLite adds in floating point: what is left behind the sixth decimal says nothing."""
    return round(Decimal(str(value or 0)), 6)


def plain(value: Decimal) -> str:
    """A sum as it is shown."""
    return format(value.normalize(), "f")


def month_text(dialect: str, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The month of a date, such as 2026-11: SQLite holds dates as text."""
    return func.to_char(moment, "YYYY-MM") if dialect == "postgresql" else func.substr(moment, 1, 7)


def _with_month(dialect: str, interface: Interface, rows: Any) -> tuple[Any, ColumnElement[Any]]:
    period = interface.contract.period
    if period is None:
        return rows, literal(WHOLE)
    named: Mapping[str, Any] = {each.name: each for each in interface.contract.table.columns}
    if period.through is None:
        return rows, month_text(dialect, rows.c[named[period.column].target])
    by = named[period.through]
    told = named_table(by.reference.table, column(by.reference.column), column(period.column)).alias(
        "told_by"
    )
    joined = rows.outerjoin(told, told.c[by.reference.column] == rows.c[by.target])
    return joined, month_text(dialect, told.c[period.column])
