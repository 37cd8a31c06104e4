"""What the ledger itself counts and adds up for an overview, by queries that share nothing with its rows.

What came in is counted by its batches, which note their figures when they are committed; the rows of the
workbook come from the transactions. Sums are of what was written at the ERP: only that has passed its
contract, so every value is a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Integer, Numeric, case, cast, func, literal, select

from tasks.erp.bookkeeping import batches, outgoing, quarantine
from tasks.erp.overview_words import HELD_BACK, IN, OUT, SUMMED
from tasks.erp.write_back import ACKNOWLEDGED, SENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

Group = tuple[str, str, str]
"""Direction, interface and state."""
PLACES = {"quantity": ("materials_out", "qty"), "minutes": ("hours_out", "minutes")}
"""Where a sum is found: the interface, and the name in what it carries."""
WRITTEN = (SENT, ACKNOWLEDGED)
_AT_ONCE = 100
_THOUSAND = 1000  # a contract knows no finer quantity, and SQLite adds whole numbers exactly


@dataclass
class Figures:
    """Rows, and the sums of those that were written at the ERP."""

    rows: int = 0
    sums: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SUMMED, Decimal(0)))


def figures(connection: Connection, start: datetime, end: datetime) -> Mapping[Group, Figures]:
    """All figures of the transactions from `start` until before `end`; a group without rows is not named."""
    found = {**_incoming(connection, start, end), **_outgoing(connection, start, end)}
    found |= _held(connection, start, end)
    return {group: each for group, each in found.items() if each.rows}


def _incoming(connection: Connection, start: datetime, end: datetime) -> dict[Group, Figures]:
    b = batches.c
    changes = {name: func.coalesce(func.sum(b[name]), 0) for name in ("created", "changed", "removed")}
    query = select(b.interface, *changes.values()).where(b.loaded_at >= start, b.loaded_at < end)
    return {
        (IN, row[0], change): Figures(int(count))
        for row in connection.execute(query.group_by(b.interface))
        for change, count in zip(changes, row[1:], strict=True)
    }


def _outgoing(connection: Connection, start: datetime, end: datetime) -> dict[Group, Figures]:
    o = outgoing.c
    between = (o.created_at >= start, o.created_at < end)
    # Grouped, SQLite would sort all rows in memory first. So the groups are asked for, and then added up
    # together in one walk: few groups, many rows.
    groups = connection.execute(select(o.interface, o.state).where(*between).distinct()).all()
    found = {}
    for first in range(0, len(groups), _AT_ONCE):
        some = groups[first : first + _AT_ONCE]
        asked = [each for name, state in some for each in _figures(connection.dialect.name, name, state)]
        figures_ = iter(connection.execute(select(*asked).where(*between)).one())
        for name, state in some:
            rows = next(figures_)
            found[OUT, name, state] = Figures(rows, {summed: _exactly(next(figures_)) for summed in SUMMED})
    return found


def _figures(dialect: str, name: str, state: str) -> list[ColumnElement[Any]]:
    which = (outgoing.c.interface == name) & (outgoing.c.state == state)
    sums = [
        _sum(dialect, which, PLACES[summed][1])
        if name == PLACES[summed][0] and state in WRITTEN
        else literal(0)
        for summed in SUMMED
    ]
    return [func.count(case((which, 1))), *sums]


def _sum(dialect: str, which: ColumnElement[bool], place: str) -> ColumnElement[Any]:
    value: ColumnElement[Any]
    if dialect == "postgresql":
        value = cast(cast(outgoing.c.payload, JSON)[place].as_string(), Numeric(38, 3)) * _THOUSAND
    else:
        number = cast(func.json_extract(outgoing.c.payload, f"$.{place}"), Numeric)
        value = cast(func.round(number * _THOUSAND), Integer)
    return func.coalesce(func.sum(case((which, value))), 0)


def _exactly(thousandths: Any) -> Decimal:
    return Decimal(int(thousandths)) / _THOUSAND


def _held(connection: Connection, start: datetime, end: datetime) -> dict[Group, Figures]:
    q = quarantine.c
    query = select(q.interface, q.state, func.count()).group_by(q.interface, q.state)
    query = query.where(q.quarantined_at >= start, q.quarantined_at < end)
    return {(HELD_BACK, row[0], row[1]): Figures(row[2]) for row in connection.execute(query)}
