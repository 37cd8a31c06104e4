"""Both sides compared, row for row and in sums per month: the ERP now, and what the Suite holds of it.

The ERP's rows take the same way as in a full load, into a staging table and through the contract, and are not
loaded: what would be made or changed is the difference. Bad rows are counted apart, and with them what the
Suite still holds of them from before: they wait in quarantine, where somebody sees them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy import table as named_table

from nakoming.records.engine import writing
from tasks.erp import checking, per_month, staging, upsert
from tasks.erp.bookkeeping import prepare
from tasks.erp.keys import key_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine, Select

    from blocks.erp.protocol import ErpSession
    from tasks.erp.interfaces import Interface

SHOWN = 100
_ERP = "erp_staging_erp"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One table on both sides.

    Attributes:
        interface: which.
        erp_rows: rows at the ERP.
        bad_rows: those of them that break the contract.
        good_rows: those that must be in the Suite.
        suite_rows: rows of the Suite.
        sums: per column: the ERP's, the Suite's.
        compared_months: in so many months counts and sums were compared.
        months: those that differ.
        missing: the first `SHOWN` keys of rows that are not in the Suite.
        different: of rows with other values.
        left_over: of rows that only the Suite has.
        counts: how many keys there are of each of these three kinds.
    """

    interface: str
    erp_rows: int
    bad_rows: int
    good_rows: int
    suite_rows: int
    sums: dict[str, tuple[str, str]]
    compared_months: int
    months: tuple[per_month.Month, ...]
    missing: tuple[str, ...]
    different: tuple[str, ...]
    left_over: tuple[str, ...]
    counts: dict[str, int]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        equal = all(erp == suite for erp, suite in self.sums.values())
        return equal and not self.months and not any(self.counts.values())

    def also_different(self, keys: Sequence[str]) -> Compared:
        """The same, and rows of which the caller knows that they differ."""
        named = (*self.different, *keys)[:SHOWN]
        counts = self.counts | {"different": self.counts["different"] + len(keys)}
        return replace(self, different=named, counts=counts)


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
    sides = [per_month.side(connection, interface, rows) for rows in (erp, suite)]
    return compared_of(
        connection,
        interface,
        erp_rows=checked.staged,
        bad_rows=checked.bad,
        sides=(sides[0], sides[1]),
        keys={"missing": missing, "different": different, "left_over": left_over},
        summed=interface.summed,
    )


def compared_of(
    connection: Connection,
    interface: Interface,
    *,
    erp_rows: int,
    bad_rows: int,
    sides: tuple[per_month.Side, per_month.Side],
    keys: dict[str, Select[Any]],
    summed: Sequence[str],
) -> Compared:
    """The comparison of two sides (the ERP's, the Suite's) of which the months and the odd keys are known."""
    months = per_month.months(*sides)
    whole = [{name: sum(each[1].get(name, 0) for each in side.values()) for name in summed} for side in sides]
    return Compared(
        interface=interface.name,
        erp_rows=erp_rows,
        bad_rows=bad_rows,
        good_rows=sum(each.erp_rows for each in months),
        suite_rows=sum(each.suite_rows for each in months),
        sums={
            name: (per_month.plain(per_month.exact(whole[0][name])), per_month.plain(per_month.exact(value)))
            for name, value in whole[1].items()
        },
        compared_months=len(months),
        months=tuple(each for each in months if not each.is_equal),
        missing=_first(connection, keys["missing"]),
        different=_first(connection, keys["different"]),
        left_over=_first(connection, keys["left_over"]),
        counts={name: _count(connection, query) for name, query in keys.items()},
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
