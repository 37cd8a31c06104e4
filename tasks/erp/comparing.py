"""Both sides compared, row for row and in sums: the ERP's table as it is now, and what the Suite holds of it.

The ERP's rows take the same way as in a full load, into a staging table and through the contract, and are not
loaded: what would be made or changed is the difference. Bad rows are counted apart, and with them what the
Suite still holds of them from before: they wait in quarantine, where somebody sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Numeric, cast, func, literal, select
from sqlalchemy import table as named_table

from nakoming.records.engine import writing
from tasks.erp import checking, staging, upsert
from tasks.erp.bookkeeping import prepare
from tasks.erp.keys import key_text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Select

    from blocks.erp.protocol import ErpSession
    from tasks.erp.interfaces import Interface

SHOWN = 100
_ERP = "erp_staging_erp"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One table on both sides. Keys are the first `SHOWN`; `sums` are per column: the ERP's, the Suite's."""

    interface: str
    erp_rows: int
    bad_rows: int
    good_rows: int
    suite_rows: int
    sums: dict[str, tuple[str, str]]
    missing: tuple[str, ...]
    different: tuple[str, ...]
    left_over: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        equal = all(erp == suite for erp, suite in self.sums.values())
        return equal and not (self.missing or self.different or self.left_over)


def compare(session: ErpSession, engine: Engine, interface: Interface) -> Compared:
    """Compare one table; nothing is changed on either side.

    Raises:
        BatchRefused: more rows are bad than the contract allows: there is nothing to compare with.
        ErpError: the connection failed.
    """
    from tasks.erp.fetching import columns_seen, filling

    seen = columns_seen(session, interface)
    fill, types = filling(session, engine, interface, seen)
    with engine.connect() as connection, writing(connection).begin() as transaction:
        prepare(connection)
        table = staging.create(connection, interface.staging_name, interface.column_names, types)
        staged = fill(connection, table)
        checked = checking.check(connection, interface, table, staged)
        compared = _compared(connection, interface, checked)
        transaction.rollback()
    return compared


def _compared(connection: Connection, interface: Interface, checked: checking.Checked) -> Compared:
    target = named_table(interface.target, *interface.target_columns)
    columns = interface.converted(checked.staging, connection.dialect.name)
    living = interface.living(checked.good(columns), checked.staging, connection.dialect.name)
    erp = staging.keep(connection, _ERP, living, interface.target_key)
    mine = select(target).where(interface.open_rows(target))
    if checked.bad:
        known = key_text([target.c[name] for name in interface.target_key])
        mine = mine.where(known.not_in(_held(checked, interface, connection)))
    suite = mine.subquery("suite")
    same = upsert.same_key(interface, suite.c, erp.c)
    first = interface.target_key[0]
    key = key_text([erp.c[name] for name in interface.target_key])
    suite_key = key_text([suite.c[name] for name in interface.target_key])
    missing = select(key).select_from(erp.outerjoin(suite, same)).where(suite.c[first].is_(None))
    left_over = select(suite_key).select_from(suite.outerjoin(erp, same)).where(erp.c[first].is_(None))
    differs = upsert.differs(suite.c, erp.c, interface.target_values)
    different = select(key).select_from(erp.join(suite, same)).where(differs)
    return Compared(
        interface=interface.name,
        erp_rows=checked.staged,
        bad_rows=checked.bad,
        good_rows=_count(connection, select(literal(1)).select_from(erp)),
        suite_rows=_count(connection, select(literal(1)).select_from(suite)),
        sums=_sums(connection, interface, erp, suite),
        missing=_first(connection, missing),
        different=_first(connection, different),
        left_over=_first(connection, left_over),
    )


def _held(checked: checking.Checked, interface: Interface, connection: Connection) -> Select[Any]:
    """The keys of rows that are bad at the ERP now."""
    bad = checked.out_rows
    key = interface.source_key_text(checked.staging, connection.dialect.name)
    joined = select(key).join_from(checked.staging, bad, bad.c.row_id == checked.staging.c[staging.ROW_ID])
    return joined.where(bad.c.rule.in_(interface.counting_rules), key.is_not(None))


def _count(connection: Connection, rows: Select[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one())


def _first(connection: Connection, keys: Select[Any]) -> tuple[str, ...]:
    ordered = keys.order_by(keys.selected_columns[0]).limit(SHOWN)
    return tuple(row[0] for row in connection.execute(ordered))


def _sums(connection: Connection, interface: Interface, erp: Any, suite: Any) -> dict[str, tuple[str, str]]:
    found = {}
    for name in interface.summed:
        both = [connection.execute(select(_sum(side.c[name]))).scalar_one() for side in (erp, suite)]
        found[name] = (_plain(both[0]), _plain(both[1]))
    return found


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.sum(cast(column, Numeric(38, 6)))


def _plain(value: Any) -> str:
    # SQLite adds in floating point: what is left behind the sixth decimal says nothing.
    return format(round(Decimal(str(value or 0)), 6).normalize(), "f")
