"""The good rows of a batch into the Suite's table, each booked as created or changed.

On PostgreSQL each change is booked by the statement that makes it; elsewhere what will be created or changed
is booked first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, literal, or_, select, update
from sqlalchemy import table as named_table
from sqlalchemy.dialects import sqlite

from tasks.erp import staging
from tasks.erp.bookkeeping import overrulings, transactions
from tasks.erp.keys import key_text
from tasks.erp.loaded import Loaded

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select, Subquery, Table, TableClause

    from tasks.erp.checking import Checked
    from tasks.erp.interfaces import Interface

_GOOD, _REMOVED = "erp_staging_good", "erp_staging_removed"
CREATED, CHANGED, REMOVED = "created", "changed", "removed"


def merge(
    connection: Connection, interface: Interface, staged: Table, checked: Checked, batch: int, at: datetime
) -> Loaded:
    """Write the good rows; what they overrule is recorded first. Rows that the ERP marked deleted go away."""
    target = named_table(interface.target, *interface.target_columns)
    dialect = connection.dialect.name
    careful = checked.good(interface.converted(staged, dialect))
    gone = interface.deleted(careful, staged, dialect)
    removed = 0 if gone is None else remove(connection, interface, gone, batch)
    good = interface.living(careful, staged, dialect)
    overruled = _overruled(connection, interface, target, good, at)
    if dialect == "postgresql":
        trusted = checked.good(interface.converted(staged, dialect, trusted=True))
        rows = interface.living(trusted, staged, dialect)
        counts = _merged_at_once(connection, interface, target, rows, batch)
    else:
        counts = _merged_in_steps(connection, interface, target, good, batch)
    created, changed = counts.get(CREATED, 0), counts.get(CHANGED, 0)
    unchanged = checked.kept - created - changed - removed
    return Loaded(created=created, changed=changed, unchanged=unchanged, removed=removed, overruled=overruled)


def differs(target: Any, given: Any, names: list[str]) -> ColumnElement[bool]:
    """Whether two rows (given as their columns) differ in one of these columns; nothing is a value too."""
    return or_(literal(value=False), *(target[name].is_distinct_from(given[name]) for name in names))


def same_key(interface: Interface, left: Any, right: Any) -> ColumnElement[bool]:
    """Whether two rows (given as their columns) are one."""
    return and_(*(left[name] == right[name] for name in interface.target_key))


def _insertion(interface: Interface, target: TableClause, good: Select[Any]) -> Any:
    """INSERT … ON CONFLICT: a row that is there already, just as it came, is not written again."""
    # SQLite takes ON for part of a join unless the SELECT has a WHERE; `good` has one.
    statement = sqlite.insert(target).from_select(interface.target_names, good)
    values = interface.target_values
    if not values:
        return statement.on_conflict_do_nothing(index_elements=interface.target_key)
    changes: dict[str, Any] = {name: statement.excluded[name] for name in values}
    if interface.local_change is not None:
        changes[interface.local_change] = None  # what the Suite had changed itself has been overruled
    return statement.on_conflict_do_update(
        index_elements=interface.target_key,
        set_=changes,
        where=differs(target.c, statement.excluded, values),
    )


def _merged_at_once(
    connection: Connection, interface: Interface, target: TableClause, good: Select[Any], batch: int
) -> dict[str, int]:
    """On PostgreSQL: change what is there, then insert what is missing; two plain statements.

    ON CONFLICT costs half as much again: it looks for each row twice. The interface is locked, so only the
    Suite itself could insert a key meanwhile; then the batch fails, and is tried again.
    """
    # OFFSET 0 keeps the conversions behind the sieve: those of a bad row could fail.
    given = good.offset(0).subquery("given")
    if _all_new(connection, interface, target, given):
        return {CREATED: _inserted(connection, interface, target, given, batch)}
    same = same_key(interface, target.c, given.c)
    counts: dict[str, int] = {}
    if interface.target_values:
        values: dict[str, Any] = {name: given.c[name] for name in interface.target_values}
        if interface.local_change is not None:
            values[interface.local_change] = None
        other = differs(target.c, given.c, interface.target_values)
        counts[CHANGED] = _booked(
            connection, interface, target, update(target).where(same, other).values(values), CHANGED, batch
        )
    there = select(literal(1)).select_from(target).where(same).correlate(given).exists()
    rows = select(*(given.c[name] for name in interface.target_names)).where(~there)
    inserted = insert(target).from_select(interface.target_names, rows)
    counts[CREATED] = _booked(connection, interface, target, inserted, CREATED, batch)
    return counts


def _all_new(connection: Connection, interface: Interface, target: TableClause, given: Subquery) -> bool:
    """Whether no row of the target lies between the batch's lowest and highest key: one look at an index.

    So it is nearly always in a first load; a join would read the whole target for each batch.
    """
    name = interface.target_key[0]
    ends = select(func.min(given.c[name]), func.max(given.c[name]))
    lowest, highest = connection.execute(ends).one()
    if lowest is None:
        return True
    there = select(literal(1)).select_from(target).where(target.c[name].between(lowest, highest)).limit(1)
    return connection.execute(there).first() is None


def _inserted(
    connection: Connection, interface: Interface, target: TableClause, given: Subquery, batch: int
) -> int:
    rows = select(*(given.c[name] for name in interface.target_names))
    connection.execute(insert(target).from_select(interface.target_names, rows))
    key = key_text([given.c[name] for name in interface.target_key])
    booked = insert(transactions).from_select(
        ["batch", "key", "change"], select(literal(batch), key, literal(CREATED))
    )
    made = connection.execute(booked, execution_options={"preserve_rowcount": True})
    return made.rowcount


def _booked(
    connection: Connection, interface: Interface, target: TableClause, statement: Any, change: str, batch: int
) -> int:
    """Make a change and write what it met into the ledger, in one statement; how many rows."""
    keys = key_text([target.c[name] for name in interface.target_key]).label("nakoming_key")
    made = statement.returning(keys).cte("made")
    booked = (
        insert(transactions)
        .from_select(["batch", "key", "change"], select(literal(batch), made.c.nakoming_key, literal(change)))
        .returning(literal(1))
        .cte("booked")
    )
    return int(connection.execute(select(func.count()).select_from(booked)).scalar_one())


def _merged_in_steps(
    connection: Connection, interface: Interface, target: TableClause, good: Select[Any], batch: int
) -> dict[str, int]:
    given = staging.keep(connection, _GOOD, good, interface.target_key)
    joined = given.outerjoin(target, same_key(interface, target.c, given.c))
    missing = target.c[interface.target_key[0]].is_(None)
    key = key_text([given.c[name] for name in interface.target_key])
    counts = {}
    for change, which in ((CREATED, missing), (CHANGED, _changed(interface, target, given, missing))):
        rows = select(literal(batch), key, literal(change)).select_from(joined).where(which)
        booked = insert(transactions).from_select(["batch", "key", "change"], rows)
        counts[change] = connection.execute(booked).rowcount
    kept = select(*(given.c[name] for name in interface.target_names))
    there = given.c[interface.target_key[0]].is_not(None)
    connection.execute(_insertion(interface, target, kept.where(there)))
    staging.drop(connection, _GOOD)
    return counts


def _changed(interface: Interface, target: TableClause, given: Any, missing: Any) -> ColumnElement[bool]:
    if not interface.target_values:
        return literal(value=False)
    return and_(~missing, differs(target.c, given.c, interface.target_values))


def _overruled(
    connection: Connection, interface: Interface, target: TableClause, good: Select[Any], at: datetime
) -> int:
    """Master data that somebody changed in the Suite since: the ERP wins, and what it overrules is kept."""
    if interface.local_change is None or not interface.target_values:
        return 0
    given = good.subquery("given")
    names = interface.target_values
    query = (
        select(
            key_text([given.c[name] for name in interface.target_key]).label("nakoming_key"),
            *(target.c[name].label(f"lost_{name}") for name in names),
            *(given.c[name].label(f"won_{name}") for name in names),
        )
        .select_from(given.join(target, same_key(interface, target.c, given.c)))
        .where(target.c[interface.local_change].is_not(None), differs(target.c, given.c, names))
    )
    rows = [
        {
            "interface": interface.name,
            "key": row["nakoming_key"],
            "winner": "erp",
            "details": json.dumps(_lost_and_won(row, names)),
            "overruled_at": at,
        }
        for row in connection.execute(query).mappings()
    ]
    if rows:
        connection.execute(insert(overrulings), rows)
    return len(rows)


def _lost_and_won(row: Any, names: list[str]) -> dict[str, list[str]]:
    pairs = {name: [str(row[f"lost_{name}"]), str(row[f"won_{name}"])] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def remove(connection: Connection, interface: Interface, gone: Select[Any], batch: int) -> int:
    """Follow the ERP where rows went away: `gone` selects their target keys. They are deleted, or closed.

    What the contract sets on a removed row (a status) keeps what people registered on it; without that the
    row is deleted.
    """
    target = named_table(interface.target, *interface.target_columns)
    # Worked out once: left in the statement, SQLite works it out again for each row of the target.
    keys = staging.keep(connection, _REMOVED, gone, interface.target_key)
    there = same_key(interface, target.c, keys.c)
    wanted = there if not interface.on_removal else and_(there, interface.open_rows(target))
    key = key_text([target.c[name] for name in interface.target_key])
    rows = select(literal(batch), key, literal(REMOVED)).select_from(target.join(keys, there)).where(wanted)
    connection.execute(insert(transactions).from_select(["batch", "key", "change"], rows))
    match = select(literal(1)).select_from(keys).where(there).correlate(target).exists()
    if interface.on_removal:
        closed = update(target).where(match, interface.open_rows(target)).values(interface.on_removal)
        connection.execute(closed)
    else:
        connection.execute(delete(target).where(match))
    staging.drop(connection, _REMOVED)
    # Counted, for PostgreSQL's driver does not tell how many rows an INSERT from a SELECT made.
    t = transactions.c
    booked = select(func.count()).select_from(transactions).where(t.batch == batch, t.change == REMOVED)
    return int(connection.execute(booked).scalar_one())
