"""What changed at the ERP since the watermark, into the Suite, batch after batch (S-4.2.1).

A batch ends at a value of the change column and is committed with it: a crash costs the batch under way and
nothing else. Reading it again is harmless, since a row that is there already is not written again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blocks.erp.protocol import Since
from nakoming.records.engine import writing
from tasks.erp import loading, marks, removals, staging
from tasks.erp.bookkeeping import prepare
from tasks.erp.errors import SchemaDrifted
from tasks.erp.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Table

    from blocks.erp.protocol import ColumnSeen, ErpSession
    from tasks.erp.interfaces import Interface

# Large enough that a batch's fixed costs vanish, small enough that a crash repeats a second's work at most.
BATCH_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run wants of an interface.

    Attributes:
        customer: whose.
        run: the case, as the bookkeeping names it.
        full: from the beginning, whatever the watermark says; the keys of both sides are compared.
        order: this order only; the watermark stays.
        batch_rows: rows of a batch, about.
    """

    customer: str
    run: str
    full: bool = False
    order: str | None = None
    batch_rows: int = BATCH_ROWS


def fetch(
    session: ErpSession, engine: Engine, interface: Interface, asked: Asked, now: Callable[[], datetime]
) -> Loaded:
    """Bring an interface up to date; the counts of all batches together.

    Raises:
        SchemaDrifted: the ERP's table broke the contract; nothing was loaded.
        BatchRefused: too many bad rows; the batches before this one stay.
        OtherRunLoads: another run loads the same.
        ErpError: the connection failed; what was committed stays.
    """
    seen = columns_seen(session, interface)
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
    total = Loaded()
    for window in _windows(session, engine, interface, asked):
        total += _one(session, engine, interface, asked, window, seen, now())
    if asked.full and interface.contract.deletions.by == "key_comparison":
        with engine.connect() as connection, writing(connection).begin():
            stood = loading.mark_of(connection, interface.name)
            total += removals.follow(session, connection, interface, batch_of(asked, stood.batches, now()))
    return total


def columns_seen(session: ErpSession, interface: Interface) -> dict[str, ColumnSeen]:
    """The ERP's columns as they are now.

    Raises:
        SchemaDrifted: they break the contract.
    """
    from data_contracts.drift import drift

    columns = session.columns(interface.source)
    breaking = [each for each in drift(interface.contract, columns) if each.stops]
    if breaking:
        changes = "; ".join(each.words("en") for each in breaking)
        raise SchemaDrifted(interface=interface.name, changes=changes)
    return {each.name: each for each in columns}


@dataclass(frozen=True)
class _Window:
    since: Since | None
    upto: Any
    mark: Any
    batches: int


def _windows(session: ErpSession, engine: Engine, interface: Interface, asked: Asked) -> Iterator[_Window]:
    """The stretches to read, each about a batch long; the next is found when the one before is committed."""
    if asked.order is not None:
        yield _Window(None, None, None, _stood(engine, interface).batches)
        return
    change, first = interface.contract.change, True
    while True:
        stood = _stood(engine, interface)
        after = None if asked.full and first else marks.thawed(stood.value)
        window = session.settles(interface.source, change, after)
        newer = Since(change.column, after)
        upto = session.ceiling(interface.source, newer, window.mark, asked.batch_rows)
        if upto is None:
            # Nothing is newer. What changed late (the overlap) or ahead of the ERP's clock is read.
            if first and (change.overlap is not None or window.ahead is not None):
                yield _Window(window.since, None, window.mark, stood.batches)
            return
        # Only the first stretch reads the overlap again: each would read the same.
        yield _Window(window.since if first else newer, upto, upto, stood.batches)
        first = False


def _stood(engine: Engine, interface: Interface) -> loading.Mark:
    with engine.connect() as connection, connection.begin():
        return loading.mark_of(connection, interface.name)


def _one(
    session: ErpSession,
    engine: Engine,
    interface: Interface,
    asked: Asked,
    window: _Window,
    seen: dict[str, ColumnSeen],
    at: datetime,
) -> Loaded:
    only = None if asked.order is None else {interface.order_column: asked.order}
    fill, types = filling(session, engine, interface, seen, window.since, window.upto, only)
    mark = None if asked.order is not None else marks.frozen(window.mark)
    batch = batch_of(asked, window.batches, at, mark, types)
    with engine.connect() as connection, writing(connection).begin():
        return loading.load(connection, interface, batch, fill)


def batch_of(
    asked: Asked, seen: int, at: datetime, mark: Any = None, types: staging.Types | None = None
) -> loading.Batch:
    """A batch of what is asked; see `loading.Batch`."""
    return loading.Batch(
        customer=asked.customer, run=asked.run, at=at, seen_batches=seen, mark=mark, types=types or {}
    )


def filling(
    session: ErpSession,
    engine: Engine,
    interface: Interface,
    seen: dict[str, ColumnSeen],
    since: Since | None = None,
    upto: Any = None,
    only: dict[str, Any] | None = None,
) -> tuple[Callable[[Connection, Table], int], staging.Types]:
    """What fills a staging table with these rows, and the types its columns must have.

    From PostgreSQL to PostgreSQL the bytes of COPY go across as they are.
    """
    given = (interface.source, interface.column_names, since, upto)

    def copied(connection: Connection, table: Table) -> int:
        with staging.copy_blocks(connection, table) as take:
            return session.copy_out(session.copy_query(*given, only=only), take)

    def written(connection: Connection, table: Table) -> int:
        return staging.fill(connection, table, session.read(*given, only=only))

    types = {name: staging.type_of(seen[name]) for name in interface.column_names}
    plain = {name: kind for name, kind in types.items() if kind is not None}
    if session.can_copy and engine.dialect.name == "postgresql" and len(plain) == len(types):
        return copied, plain
    return written, {}
