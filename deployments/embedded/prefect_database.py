"""Prefect's database on SQLite without standstills: writers queue, failed statements are let go at once.

With Prefect's own configuration the whole server can stand still until SQLite's time-out of 60 s, and refuses
requests with "database is locked" that would have to wait for milliseconds. Why: the decision
`docs/decisions/0006-prefects-server-on-sqlite.md`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction

TURN_SECONDS = 60.0
"""How long a writer queues before it asks SQLite all the same: the longest that SQLite makes it wait, too."""

_in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


class TidyCursor(sqlite3.Cursor):
    """Closes itself when its statement fails, in the thread that ran it.

    Before Python 3.12 a cursor keeps a failed statement until it is collected. The collector may run in the
    thread of the event loop, where dropping the statement waits for the connection's mutex; another thread
    holds that mutex while its next statement waits for the write lock, whose owner waits for the event loop.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """Execute a statement; leave nothing behind when it fails."""
        try:
            return super().execute(sql, parameters)
        except BaseException:
            self.close()
            raise

    def executemany(self, sql: str, parameters: Any, /) -> Self:
        """Execute a statement for each of the parameters; leave nothing behind when it fails."""
        try:
            return super().executemany(sql, parameters)
        except BaseException:
            self.close()
            raise


class TidyConnection(sqlite3.Connection):
    """A connection whose cursors are tidy."""

    def cursor(self, factory: Callable[[sqlite3.Connection], Any] | None = None) -> Any:
        """Make a cursor."""
        return super().cursor(factory or TidyCursor)


class QueuedSqliteConfiguration(AioSqliteConfiguration):
    """SQLite for one Prefect server: its transactions take turns, first come first served.

    A transaction that reads and then writes fails at once when another one wrote in between, however long the
    time-out. So each begins as a writer. Left to SQLite, writers would poll for the lock and overtake each
    other; they queue here instead, before they take a connection from the pool.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def engine(self) -> AsyncEngine:
        """Give the engine of the running event loop, whose connections are tidy."""
        engine = await super().engine()
        if not event.contains(engine.sync_engine, "do_connect", _connect_tidily):
            event.listen(engine.sync_engine, "do_connect", _connect_tidily)
        return engine

    @asynccontextmanager
    async def begin_transaction(
        self,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: FBT001, FBT002 - Prefect's own signature
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """Enter a transaction when it is its turn; one within another takes no turn of its own.

        Raises:
            sqlalchemy.exc.OperationalError: another process held the database for longer than the time-out.
        """
        if _in_transaction.get():
            async with _begun(session, "IMMEDIATE" if with_for_update else "DEFERRED") as transaction:
                yield transaction
            return
        token = _in_transaction.set(True)
        try:
            async with self._turn(), _begun(session, "IMMEDIATE") as transaction:
                yield transaction
        finally:
            _in_transaction.reset(token)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        lock = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        mine = False
        with suppress(TimeoutError):
            mine = await asyncio.wait_for(lock.acquire(), TURN_SECONDS)
        try:
            yield
        finally:
            if mine:
                lock.release()


@asynccontextmanager
async def _begun(session: AsyncSession, mode: str) -> AsyncGenerator[AsyncSessionTransaction, None]:
    """Begin now, so that the mode holds for this transaction and for nothing that is opened within it."""
    async with session.begin() as transaction:
        token = SQLITE_BEGIN_MODE.set(mode)
        try:
            await session.connection()
        finally:
            SQLITE_BEGIN_MODE.reset(token)
        yield transaction


def _connect_tidily(dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> None:
    """Have SQLAlchemy's driver make our connections."""
    del dialect, record, args
    options["factory"] = TidyConnection
