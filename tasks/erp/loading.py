"""One batch into the Suite: checked, quarantined, loaded, booked and marked in one transaction (S-4.2.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, select, update

from tasks.erp import checking, staging, upsert
from tasks.erp.bookkeeping import batches, marks
from tasks.erp.errors import OtherRunLoads
from tasks.erp.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from tasks.erp.checking import Checked
    from tasks.erp.interfaces import Interface


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a load is about.

    Attributes:
        customer: whose.
        run: the case that loads, as the bookkeeping names it.
        at: the present instant.
        seen_batches: how many batches the interface had when its watermark was read.
        mark: the watermark afterwards, plain data; None leaves it as it is (a single order, a replay).
        types: PostgreSQL's type per staging column, for rows that come by COPY.
    """

    customer: str
    run: str
    at: datetime
    seen_batches: int
    mark: Any
    types: staging.Types


@dataclass(frozen=True)
class Mark:
    """How far an interface is: its watermark, and how many batches brought it there."""

    value: Any = None
    batches: int = 0


def mark_of(connection: Connection, interface: str) -> Mark:
    """The watermark as it was committed with the last rows."""
    c = marks.c
    row = connection.execute(select(c.mark, c.batches).where(c.interface == interface)).one_or_none()
    return Mark() if row is None else Mark(json.loads(row.mark) if row.mark else None, row.batches)


def load(
    connection: Connection,
    interface: Interface,
    batch: Batch,
    fill: Callable[[Connection, Table], int],
) -> Loaded:
    """Load what `fill` writes into the staging table; the caller commits, or rolls a dry run back.

    The exchange's own tables are there: `bookkeeping.prepare` has been called.

    Raises:
        OtherRunLoads: another run has moved the watermark since it was read.
        BatchRefused: more rows are bad than the contract allows.
    """
    return merge(connection, interface, batch, stage(connection, interface, batch.types, fill))


def stage(
    connection: Connection,
    interface: Interface,
    types: staging.Types,
    fill: Callable[[Connection, Table], int],
) -> Checked:
    """Bring rows into the staging table and judge them; nothing of the Suite is locked or written yet.

    Raises:
        BatchRefused: more rows are bad than the contract allows.
    """
    table = staging.create(connection, interface.staging_name, interface.column_names, types)
    return checking.check(connection, interface, table, fill(connection, table))


def merge(connection: Connection, interface: Interface, batch: Batch, checked: Checked) -> Loaded:
    """Load what was staged in this transaction: quarantine, rows, ledger and watermark.

    Raises:
        OtherRunLoads: another run has moved the watermark since it was read.
    """
    number = opened(connection, interface, batch)
    loaded = Loaded(staged=checked.staged, quarantined=checked.bad)
    if checked.staged:
        checking.quarantine(connection, interface, checked.staging, checked, number, batch.at)
        loaded += upsert.merge(connection, interface, checked.staging, checked, number, batch.at)
    close(connection, interface, batch, number, loaded)
    checking.drop(connection)
    staging.drop(connection, interface.staging_name)
    return loaded


def _lock(connection: Connection, interface: Interface, batch: Batch) -> None:
    """One load at a time per interface: whoever comes second sees that the watermark has moved, and stops."""
    c = marks.c
    row = {"interface": interface.name, "batches": 0}
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as upsert_insert
    else:
        from sqlalchemy.dialects.sqlite import insert as upsert_insert  # type: ignore[assignment]
    connection.execute(upsert_insert(marks).values(row).on_conflict_do_nothing())
    moved = (
        update(marks)
        .where(and_(c.interface == interface.name, c.batches == batch.seen_batches))
        .values(batches=batch.seen_batches + 1)
    )
    if connection.execute(moved).rowcount != 1:
        raise OtherRunLoads(interface=interface.name, customer=batch.customer)


def opened(connection: Connection, interface: Interface, batch: Batch) -> int:
    """Begin a batch: lock the interface and give the batch its number.

    Raises:
        OtherRunLoads: another run has moved the watermark since it was read.
    """
    _lock(connection, interface, batch)
    before = select(marks.c.mark).where(marks.c.interface == interface.name).scalar_subquery()
    row = {
        "interface": interface.name,
        "run": batch.run,
        "staged": 0,
        "created": 0,
        "changed": 0,
        "removed": 0,
        "quarantined": 0,
        "mark_before": before,
        "loaded_at": batch.at,
    }
    made = connection.execute(insert(batches).values(row).returning(batches.c.id))
    return int(made.scalar_one())


def close(connection: Connection, interface: Interface, batch: Batch, number: int, loaded: Loaded) -> None:
    """End a batch: the watermark, and what became of the rows."""
    values: dict[str, Any] = {"contract_version": interface.version, "loaded_at": batch.at}
    if batch.mark is not None:
        values["mark"] = json.dumps(batch.mark)
    connection.execute(update(marks).where(marks.c.interface == interface.name).values(values))
    counted = {
        "staged": loaded.staged,
        "created": loaded.created,
        "changed": loaded.changed,
        "removed": loaded.removed,
        "quarantined": loaded.quarantined,
    }
    after = func.coalesce(values.get("mark"), batches.c.mark_before)
    booked = update(batches).where(batches.c.id == number).values(**counted, mark_after=after)
    connection.execute(booked)
