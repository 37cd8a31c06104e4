"""What the Suite wrote at the ERP, compared with what stands there: each key, and sums per month.

The keys of both sides meet in two temporary tables, so that neither is held in memory. A row at the ERP whose
key the Suite never gave out is named too: nobody but the exchange writes there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, Numeric, String, Text, false, func, insert, or_, select

from blocks.erp.protocol import Period, Rows
from nakoming.records.engine import writing
from tasks.erp import mending, per_month, staging
from tasks.erp.bookkeeping import outgoing, prepare
from tasks.erp.comparing import Compared, compared_of
from tasks.erp.fetching import columns_seen
from tasks.erp.interfaces import PRODUCTS, interface
from tasks.erp.write_back import ACKNOWLEDGED, SENT, effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Row, Table

    from blocks.erp.protocol import ErpSession, Totals
    from tasks.erp.interfaces import Contracts, Interface

_SENT, _THERE = "erp_outward_sent", "erp_outward_there"
_STANDS = (SENT, ACKNOWLEDGED)
_AT_ONCE = 2_000
REST = "other months"
"""What the ERP has outside every month of the Suite."""


@dataclass(frozen=True)
class _Sides:
    """One interface on both sides, and the transaction in which their keys meet."""

    connection: Connection
    session: ErpSession
    interface: Interface
    customer: str
    own: Contracts

    @property
    def key(self) -> list[str]:
        return list(self.interface.contract.key)

    @property
    def summed(self) -> list[str]:
        """The ERP's columns that are added up: numbers outside the key."""
        columns = self.interface.contract.table.columns
        numbers = [each for each in columns if each.logical_type in {"integer", "number"}]
        return [each.name for each in numbers if each.name not in self.key and each.field_name not in _NAMES]


# Numbers that name a thing: their sum says nothing.
_NAMES = frozenset({"op_no", "line_no"})


def compare(
    session: ErpSession,
    engine: Engine,
    name: str,
    customer: str,
    at: datetime,
    own: Contracts = PRODUCTS,
) -> Compared:
    """Compare one interface to the ERP; nothing is changed on either side.

    `own` are the texts of the customer's own contracts, by interface.

    Raises:
        SchemaDrifted: the ERP's table broke its contract.
        ErpError: the connection failed.
    """
    wanted = interface(name, own)
    columns_seen(session, wanted)
    changed: tuple[str, ...] = ()
    if name not in mending.SUITES_OWN:  # of those, what was changed has been written again
        changed = mending.changed_there(session, engine, customer, name, at, own=own)
    with engine.connect() as connection, writing(connection).begin() as transaction:
        prepare(connection)
        with session.snapshot():
            found = _compared(_Sides(connection, session, wanted, customer, own), changed)
        transaction.rollback()
    return found


def _compared(sides: _Sides, changed: tuple[str, ...]) -> Compared:
    connection = sides.connection
    sent, there = _sent(sides), _there(sides)
    s, t = sent.c, there.c
    joined = sent.outerjoin(there, t.key == s.key)
    stands = or_(s.stands == 1, t.key.is_not(None))
    sums = [func.sum(s[name]) for name in sides.summed]
    months = select(s.month, func.count(), *sums).select_from(joined).where(stands).group_by(s.month)
    suite = per_month.side_of(connection.execute(months), sides.summed)
    lost = select(s.name).select_from(joined).where(s.stands == 1, t.key.is_(None))
    foreign = select(t.key).select_from(there.outerjoin(sent, t.key == s.key)).where(s.key.is_(None))
    erp_rows, erp = _at_erp(sides, suite)
    found = compared_of(
        connection,
        sides.interface,
        erp_rows=erp_rows,
        bad_rows=0,
        sides=(erp, suite),
        keys={"missing": foreign, "different": select(s.name).where(false()), "left_over": lost},
        summed=sides.summed,
    )
    for name in (_SENT, _THERE):
        staging.drop(connection, name)
    return found.also_different(changed)


def _sent(sides: _Sides) -> Table:
    """What the Suite ever told of this interface; `stands`: it was written, as far as the Suite knows."""
    sums = [Column(name, Numeric(38, 6)) for name in sides.summed]
    table = staging.temporary(
        _SENT,
        Column("key", Text, index=True),
        Column("name", Text),
        Column("stands", Integer),
        Column("month", String(20)),
        *sums,
    )
    staging.drop(sides.connection, _SENT)
    table.create(sides.connection)
    for rows in _told(sides):
        known = [values for row in rows if (values := _values(sides, row)) is not None]
        if known:
            sides.connection.execute(insert(table), known)
    return table


def _told(sides: _Sides) -> Iterator[list[Row[Any]]]:
    o, after = outgoing.c, -1
    query = select(outgoing).where(o.interface == sides.interface.name).order_by(o.id).limit(_AT_ONCE)
    while rows := list(sides.connection.execute(query.where(o.id > after))):
        yield rows
        after = rows[-1].id


def _values(sides: _Sides, row: Row[Any]) -> dict[str, Any] | None:
    try:
        effect = effect_of(row, sides.customer, own=sides.own)
    except (LookupError, ValueError, ArithmeticError):
        return None  # a dead letter that cannot be read was never written
    values = {**effect.values, **effect.natural_key}
    return {
        "key": _text(tuple(effect.natural_key[name] for name in sides.key)),
        "name": f"{row.order_number} ({row.id})",
        "stands": int(row.state in _STANDS),
        "month": _month(sides.interface, values),
        **{name: values.get(name) for name in sides.summed},
    }


def _text(key: tuple[Any, ...]) -> str:
    return "/".join(str(staging.as_text(each)) for each in key)


def _month(interface: Interface, values: dict[str, Any]) -> str:
    period = interface.contract.period
    if period is None:
        return per_month.WHOLE
    moment = values.get(period.column)
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m}" if isinstance(moment, date) else per_month.NONE


def _there(sides: _Sides) -> Table:
    table = staging.create(sides.connection, _THERE, ["key"], {})
    held: list[tuple[str]] = []
    for key in sides.session.keys(sides.interface.source, sides.key):
        held.append((_text(key),))
        if len(held) == _AT_ONCE:
            staging.fill(sides.connection, table, [Rows(list(held))])
            held.clear()
    staging.fill(sides.connection, table, [Rows(list(held))])
    return table


def _at_erp(sides: _Sides, suite: per_month.Side) -> tuple[int, per_month.Side]:
    """What the ERP itself counts and adds up, in each month of the Suite and outside all of them."""
    period, source = sides.interface.contract.period, sides.interface.source
    whole = sides.session.totals(source, sides.summed)
    if period is None:
        return whole.count, ({per_month.WHOLE: _figures(whole)} if whole.count else {})
    kind = next(
        each.logical_type for each in sides.interface.contract.table.columns if each.name == period.column
    )
    found: per_month.Side = {}
    rest, sums = whole.count, {name: Decimal(value) for name, value in whole.sums.items()}
    for month in sorted(suite.keys() - {per_month.NONE}):
        start, end = _ends(month, instants=kind == "timestamp")
        part = sides.session.totals(source, sides.summed, Period(period.column, start, end))
        found[month] = _figures(part)
        rest -= part.count
        sums = {name: value - part.sums[name] for name, value in sums.items()}
    if rest:
        found[REST] = (rest, {name: per_month.exact(value) for name, value in sums.items()})
    return whole.count, found


def _figures(totals: Totals) -> tuple[int, dict[str, Decimal]]:
    return totals.count, {name: per_month.exact(value) for name, value in totals.sums.items()}


def _ends(month: str, *, instants: bool) -> tuple[date, date]:
    year, number = map(int, month.split("-"))
    first, after = date(year, number, 1), date(year + number // 12, number % 12 + 1, 1)
    if not instants:
        return first, after
    midnight = datetime.min.time().replace(tzinfo=UTC)
    return datetime.combine(first, midnight), datetime.combine(after, midnight)
