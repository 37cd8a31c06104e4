"""An ERP that keeps its data in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sa

from blocks.erp.errors import (
    ErpConnectionLost,
    ErpError,
    ErpFull,
    ErpLocked,
    ErpReadOnly,
    ErpSlow,
    ErpStatementRefused,
    ErpTableMissing,
    ErpUnreachable,
    ErpValueRefused,
)
from blocks.erp.reflection import columns_of
from blocks.erp.session import SqlSession
from blocks.erp.settling import Committed
from blocks.erp.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from blocks.erp.protocol import ColumnSeen
    from blocks.erp.session import Bounds
    from blocks.erp.statements import Statement

_STEPS: Final = 10_000  # of SQLite's machine between two looks at the time: under a millisecond
_MEANINGS: Final[dict[int, type[ErpError]]] = {
    sqlite3.SQLITE_BUSY: ErpLocked,
    sqlite3.SQLITE_LOCKED: ErpLocked,
    sqlite3.SQLITE_READONLY: ErpReadOnly,
    sqlite3.SQLITE_FULL: ErpFull,
    sqlite3.SQLITE_INTERRUPT: ErpSlow,
    sqlite3.SQLITE_CANTOPEN: ErpUnreachable,
    sqlite3.SQLITE_NOTADB: ErpUnreachable,
    sqlite3.SQLITE_CORRUPT: ErpConnectionLost,
    sqlite3.SQLITE_IOERR: ErpConnectionLost,
    sqlite3.SQLITE_CONSTRAINT: ErpValueRefused,
    sqlite3.SQLITE_MISMATCH: ErpValueRefused,
    sqlite3.SQLITE_TOOBIG: ErpValueRefused,
}


def open_sqlite(path: Path, bounds: Bounds) -> SqliteSession:
    """Open a file that exists; none is ever made.

    Raises:
        ErpUnreachable: there is no such file, or it is no database.
        ErpLocked: a writer holds all of it.
    """

    def opened() -> sqlite3.Connection:
        # Without the right to write SQLite opens it to read by itself.
        address, wait = f"{path.absolute().as_uri()}?mode=rw", bounds.lock.total_seconds()
        return sqlite3.connect(address, wait, uri=True, check_same_thread=False)

    engine = sa.create_engine("sqlite+pysqlite://", creator=opened, poolclass=sa.NullPool, paramstyle="qmark")
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    except sa.exc.DBAPIError as error:
        kind = (
            ErpLocked if getattr(error.orig, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY else ErpUnreachable
        )
        raise kind(where=str(path), doing="opening it", reason=str(error.orig)) from error
    return SqliteSession(connection, str(path), bounds)


class SqliteSession(SqlSession):
    """An open SQLite file; made by `open_sqlite`. Its snapshots are read transactions."""

    driver_errors = (sqlite3.Error,)

    def __init__(self, connection: sa.Connection, where: str, bounds: Bounds) -> None:
        super().__init__(where, Statements(connection.dialect), bounds)
        self._connection = connection
        self._raw = raw = cast("sqlite3.Connection", connection.connection.driver_connection)
        self._until = 0.0
        self._depth = 0
        raw.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]  # the stub knows numbers only
        raw.set_progress_handler(self._is_late, _STEPS)
        if bounds.encoding.lower().replace("-", "") not in {"utf8", "utf16"}:
            raw.text_factory = lambda stored: stored.decode(bounds.encoding)

    def execute(self, statement: Statement, values: Sequence[Any]) -> sqlite3.Cursor:
        """Run a statement."""
        self._until = time.monotonic() + self.bounds.statement.total_seconds()
        return self._raw.execute(statement.text, values)

    @contextmanager
    def stream(self, statement: Statement, values: Sequence[Any]) -> Iterator[_Timed]:
        """A cursor of SQLite holds nothing but its place."""
        cursor = self.execute(statement, values)
        try:
            yield _Timed(self, cursor)
        finally:
            cursor.close()

    def allow(self) -> None:
        """Begin the time of a statement anew: each chunk has all of it."""
        self._until = time.monotonic() + self.bounds.statement.total_seconds()

    def _is_late(self) -> int:
        return int(time.monotonic() > self._until)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock first: a transaction that has read before would not get it beside a writer."""
        self.allow()
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.allow()
            self._raw.execute("COMMIT")
        except BaseException:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state; in a file without write-ahead log, writers wait that long."""
        if self._depth == 0:
            self._raw.execute("BEGIN")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and self._raw.in_transaction:
                self._raw.execute("ROLLBACK")

    def columns(self, table: str) -> tuple[ColumnSeen, ...]:
        """The columns of a table as they are now."""
        with self.speaking(f"looking at {table}"):
            self.allow()
            return columns_of(self._connection, self.where, table)

    def now(self) -> datetime:
        """The clock of the machine that holds the file."""
        with self.speaking("reading its clock"):
            (text,) = self._raw.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')").fetchone()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    def committed(self, table: str, column: str, highest: Any) -> Committed:
        """All of it: SQLite has one writer at a time."""
        del table, column
        return Committed(highest)

    def adapted(self, value: Any) -> Any:
        """Numbers with a point and instants as text, so that no digit is lost before SQLite sees them."""
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, datetime):
            local = value.astimezone(self.bounds.zone).replace(tzinfo=None) if value.tzinfo else value
            return local.isoformat(" ")
        return value.isoformat() if isinstance(value, date) else value

    def translated(self, error: Exception, doing: str) -> ErpError:
        """SQLite's result code decides."""
        reason = str(error)
        if reason.startswith("Could not decode to UTF-8"):
            column = reason.partition("column '")[2].partition("'")[0]
            return self.misread(doing, f"a value in {column or 'a column'}")
        if reason.startswith("no such table: "):
            return ErpTableMissing(where=self.where, table=reason.removeprefix("no such table: "))
        code = getattr(error, "sqlite_errorcode", None) or 0
        kind = _MEANINGS.get(code & 0xFF)
        if kind is None:
            kind = ErpValueRefused if isinstance(error, sqlite3.DataError | sqlite3.IntegrityError) else None
        name = getattr(error, "sqlite_errorname", None)
        data = {"where": self.where, "doing": doing, "reason": reason, "sqlstate": name}
        return (kind or ErpStatementRefused)(**data)

    def close(self) -> None:
        """Close the file."""
        with suppress(sa.exc.SQLAlchemyError, sqlite3.Error):
            self._connection.close()


class _Timed:
    """A cursor whose every chunk has the whole time of a statement."""

    def __init__(self, session: SqliteSession, cursor: sqlite3.Cursor) -> None:
        self._session = session
        self._cursor = cursor

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """The next rows."""
        self._session.allow()
        return self._cursor.fetchmany(rows)


class _ExactSum:
    """Adds up what is a number, as text or not, without a float between; what is none adds nothing."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, value: Any) -> None:
        """Take one value."""
        if value is None or isinstance(value, bytes):
            return
        try:
            number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
        except InvalidOperation:
            return
        if number.is_finite():
            self._sum += number

    def finalize(self) -> str:
        """The sum in digits."""
        return format(self._sum, "f")
