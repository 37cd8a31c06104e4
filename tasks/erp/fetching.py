"""What changed at the ERP since the watermark, into the Suite, batch after batch (S-4.2.1).

A batch ends at a value of the change column and is committed with it: a crash costs the batches under way
and nothing else. Reading them again is harmless, since a row that is there already is not written again.
From PostgreSQL to PostgreSQL the next batch is staged and judged while one is merged, in a transaction of its
own; batches are merged and committed one after the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from blocks.erp.protocol import Since
from nakoming.records.engine import writing
from tasks.erp import loading, marks, removals, staging
from tasks.erp.bookkeeping import prepare
from tasks.erp.errors import SchemaDrifted
from tasks.erp.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Table

    from blocks.erp.protocol import ColumnSeen, ErpSession, Window
    from tasks.erp.checking import Checked
    from tasks.erp.interfaces import Contracts, Interface

    _Batch = tuple["_Window", Connection, Checked]

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
        own: the customer's own contracts, for files, which say themselves of which interface they are.
    """

    customer: str
    run: str
    full: bool = False
    order: str | None = None
    batch_rows: int = BATCH_ROWS
    own: Contracts = field(default_factory=dict)


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
        stood = loading.mark_of(connection, interface.name)
    total = Loaded()
    source = _Source(session, engine, interface, asked, seen)
    with closing(_staged(source, _windows(session, interface, asked, stood))) as batches:
        for window, connection, checked in batches:
            total += _merged(source, window, connection, checked, now())
    if asked.full and interface.contract.deletions.by == "key_comparison":
        total += removed(session, engine, interface, asked, now())
    return total


def removed(session: ErpSession, engine: Engine, interface: Interface, asked: Asked, at: datetime) -> Loaded:
    """Follow what the ERP no longer has, by a comparison of the keys.

    Raises:
        TooManyGone: so many are gone that it is a fault of the ERP; nothing is removed.
        OtherRunLoads: another run loads the same.
        ErpError: the connection failed.
    """
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        stood = loading.mark_of(connection, interface.name)
        return removals.follow(session, connection, interface, batch_of(asked, stood.batches, at))


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


def _windows(
    session: ErpSession, interface: Interface, asked: Asked, stood: loading.Mark
) -> Iterator[_Window]:
    """The stretches to read, each about a batch long; the ERP is asked for the next one when it is wanted.

    Together they are what there is when the first is asked for; what changes meanwhile is of the next fetch.
    """
    if asked.order is not None:
        yield _Window(None, None, None, stood.batches)
        return
    change = interface.contract.change
    after = None if asked.full else marks.thawed(stood.value, interface.marked)
    window = session.settles(interface.source, change, after)
    newer, first = Since(change.column, window.since.after), True
    for batches in count(stood.batches):
        upto = session.ceiling(interface.source, newer, window.reach, asked.batch_rows)
        if upto is None:
            # Nothing is newer. What changed late (the overlap) or ahead of the ERP's clock is read.
            if first and (window.since.overlap is not None or window.ahead is not None):
                yield _Window(window.since, None, window.mark, batches)
            return
        # Only the first stretch reads the overlap again: each would read the same.
        yield _Window(window.since if first else newer, upto, _kept(window, upto), batches)
        newer, first = Since(change.column, upto), False


def _kept(window: Window, upto: Any) -> Any:
    """The watermark behind a stretch: what lies beyond the settled part is read again by the next fetch."""
    if window.mark is None or window.mark == window.reach:
        return None if window.mark is None else upto
    return min(window.mark, upto)


@dataclass(frozen=True)
class _Source:
    """What a batch is read from, and by which contract."""

    session: ErpSession
    engine: Engine
    interface: Interface
    asked: Asked
    seen: dict[str, ColumnSeen]

    @property
    def goes_ahead(self) -> bool:
        """Whether rows come as bytes of COPY, so that a thread can stage them beside this one."""
        return bool(copied_types(self.session, self.engine, self.interface, self.seen))

    def staged(self, window: _Window, connection: Connection) -> _Batch:
        """Begin a transaction, and stage and judge a batch in it."""
        only = None if self.asked.order is None else {self.interface.order_column: self.asked.order}
        begun = writing(connection)
        begun.begin()
        fill, types = filling(
            self.session, self.engine, self.interface, self.seen, window.since, window.upto, only
        )
        return window, begun, loading.stage(begun, self.interface, types, fill)


def _staged(source: _Source, windows: Iterator[_Window]) -> Generator[_Batch]:
    """Batch after batch, each in a transaction that is begun: commit it, or it is rolled back at the end."""
    if source.goes_ahead:
        yield from _ahead(source, windows)
        return
    for window in windows:
        with source.engine.connect() as connection:
            yield source.staged(window, connection)


def _ahead(source: _Source, windows: Iterator[_Window]) -> Generator[_Batch]:
    free: list[Connection] = []

    def following() -> _Batch | None:
        window = next(windows, None)
        if window is None:
            return None
        return source.staged(window, free.pop() if free else opened.enter_context(source.engine.connect()))

    with ExitStack() as opened, ThreadPoolExecutor(1, "erp-staging") as beside:
        upcoming = beside.submit(following)
        while (batch := upcoming.result()) is not None:
            upcoming = beside.submit(following)
            yield batch
            free.append(batch[1])


def _merged(
    source: _Source, window: _Window, connection: Connection, checked: Checked, at: datetime
) -> Loaded:
    whole = source.asked.order is None
    mark = marks.frozen(window.mark, source.interface.marked) if whole else None
    batch = batch_of(source.asked, window.batches, at, mark)
    loaded = loading.merge(connection, source.interface, batch, checked)
    connection.commit()
    return loaded


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

    types = copied_types(session, engine, interface, seen)
    return (copied, types) if types else (written, {})


def copied_types(
    session: ErpSession, engine: Engine, interface: Interface, seen: dict[str, ColumnSeen]
) -> staging.Types:
    """The types of a staging table that takes the ERP's own bytes; none when rows must come as text."""
    types = {name: staging.type_of(seen[name]) for name in interface.column_names}
    plain = {name: kind for name, kind in types.items() if kind is not None}
    can = session.can_copy and engine.dialect.name == "postgresql" and len(plain) == len(types)
    return plain if can else {}
