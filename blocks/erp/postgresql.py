"""An ERP on PostgreSQL, reached directly: psycopg 3, server-side cursors, COPY."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import psycopg
import sqlalchemy as sa

from blocks.erp import in_flight
from blocks.erp.errors import (
    ErpConnectionLost,
    ErpError,
    ErpLoginRefused,
    ErpTableMissing,
    ErpUnreachable,
)
from blocks.erp.reflection import columns_of
from blocks.erp.session import SqlSession
from blocks.erp.sqlstate import is_refusal, meaning
from blocks.erp.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from blocks.erp.protocol import ColumnSeen, Since
    from blocks.erp.session import Bounds
    from blocks.erp.settling import Committed
    from blocks.erp.statements import Statement

_SILENT_PEER_MS: Final = 30_000
_ENCODINGS: Final = {"utf-8": "UTF8", "cp1252": "WIN1252", "cp1250": "WIN1250", "latin-1": "LATIN1"}
_TIMES: Final = ("date", "timestamp", "timestamptz", "time", "timetz", "interval")


def open_postgresql(
    address: Mapping[str, Any], password: str | None, connect_timeout: timedelta, bounds: Bounds
) -> PostgresqlSession:
    """Connect and log in.

    Args:
        address: host, port, dbname and user.
        password: resolved just now; None where the server asks for none.
        connect_timeout: for both.
        bounds: of what comes after.

    Raises:
        ErpUnreachable: nobody answers, or it starts or stops just now.
        ErpLoginRefused: it does not let us in.
    """
    where = f"{address['host']}:{address['port']}/{address['dbname']}"
    settings: dict[str, Any] = {
        "connect_timeout": max(1, round(connect_timeout.total_seconds())),
        "client_encoding": _ENCODINGS.get(bounds.encoding.lower(), bounds.encoding),
        "application_name": "nakoming",
        # A peer that went silent is noticed in half a minute; the kernel's default is a quarter of an hour.
        "tcp_user_timeout": _SILENT_PEER_MS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }

    def opened() -> psycopg.Connection:
        return psycopg.connect(**address, **settings, password=password, autocommit=True)

    # Without a creator's password in it, no text of this engine holds one.
    engine = sa.create_engine(
        "postgresql+psycopg://", creator=opened, poolclass=sa.NullPool, paramstyle="format"
    )
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return PostgresqlSession(connection, where, bounds)
    except sa.exc.DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        if is_refusal(reason):
            raise ErpLoginRefused(where=where, username=address["user"], reason=reason) from error
        raise ErpUnreachable(where=where, reason=reason) from error


class PostgresqlSession(SqlSession):
    """An open connection to PostgreSQL; made by `open_postgresql`. Its snapshots are REPEATABLE READ."""

    driver_errors = (psycopg.Error,)
    can_copy: ClassVar[bool] = True

    def __init__(self, connection: sa.Connection, where: str, bounds: Bounds) -> None:
        super().__init__(where, Statements(connection.dialect), bounds)
        self._connection = connection
        self._raw = raw = cast("psycopg.Connection", connection.connection.driver_connection)
        self._depth = 0
        self._cursors = 0
        for each in _TIMES:
            _keep_unreadable(raw, each)
        for setting, value in _settings(bounds).items():
            raw.execute("SELECT set_config(%s, %s, false)", (setting, value))

    def execute(self, statement: Statement, values: Sequence[Any]) -> psycopg.Cursor[Any]:
        """Run a statement."""
        return self._raw.execute(statement.text.encode(), values)

    @contextmanager
    def stream(self, statement: Statement, values: Sequence[Any]) -> Iterator[psycopg.ServerCursor[Any]]:
        """A cursor on the server."""
        self._cursors += 1
        with self._raw.cursor(f"nakoming_erp_{self._cursors}") as cursor:
            cursor.execute(statement.text.encode(), values)
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back when it raises."""
        with self._raw.transaction():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state."""
        if self._depth == 0:
            self._raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and not self._raw.closed:
                with suppress(psycopg.OperationalError):  # it broke: what was said before tells why
                    self._raw.rollback()

    def columns(self, table: str) -> tuple[ColumnSeen, ...]:
        """The columns of a table as they are now."""
        with self.speaking(f"looking at {table}"):
            return columns_of(self._connection, self.where, table)

    def now(self) -> datetime:
        """The server's clock."""
        with self.speaking("reading its clock"):
            instant: datetime = self._raw.execute("SELECT clock_timestamp()").fetchall()[0][0]
        return instant.astimezone(UTC)

    def committed(self, table: str, column: str, highest: Any) -> Committed:
        """As `blocks.erp.in_flight` tells."""
        del column
        return in_flight.at_postgresql(self, table, highest)

    def copy_out(
        self, query: str, into: Callable[[bytes | memoryview], object], *, binary: bool = True
    ) -> int:
        """Hand on the blocks of `COPY (query) TO STDOUT` as they come; returns the rows."""
        form = "(FORMAT binary)" if binary else ""
        with self.speaking("copying out"), self.snapshot(), self._raw.cursor() as cursor:
            # The query comes from `copy_query` or from this product's own text, never from a customer's.
            with cursor.copy(f"COPY ({query}) TO STDOUT {form}".encode()) as copy:
                for block in copy:
                    into(cast("bytes", block))
            return cursor.rowcount

    def copy_in(
        self, table: str, columns: Sequence[str], blocks: Iterable[bytes | memoryview], *, binary: bool = True
    ) -> int:
        """Load rows in PostgreSQL's own form in one transaction; returns how many."""
        target = psycopg.sql.Identifier(*table.split("."))
        named = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
        form = psycopg.sql.SQL("(FORMAT binary)" if binary else "")
        command = psycopg.sql.SQL("COPY {} ({}) FROM STDIN {}").format(target, named, form)
        with self.speaking(f"copying into {table}"), self.transaction(), self._raw.cursor() as cursor:
            with cursor.copy(command) as copy:
                for block in blocks:
                    copy.write(block)
            return cursor.rowcount

    def copy_query(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None = None,
        upto: Any = None,
        *,
        only: Mapping[str, Any] | None = None,
    ) -> str:
        """The query `read` would run, values written into it and quoted."""
        statement, values = self.selection(table, columns, since, upto, only)
        return psycopg.ClientCursor(self._raw).mogrify(statement.text.encode(), values)

    def translated(self, error: Exception, doing: str) -> ErpError:
        """PostgreSQL's SQLSTATE decides."""
        diagnosis = getattr(error, "diag", None)
        told = [diagnosis.message_primary, diagnosis.message_detail] if diagnosis else []
        reason = ". ".join(each.rstrip(".") for each in told if each) or " ".join(str(error).split())
        data = {"where": self.where, "doing": doing, "reason": reason}
        sqlstate = getattr(error, "sqlstate", None)
        if self._raw.closed:
            return ErpConnectionLost(**data, sqlstate=sqlstate)
        kind = meaning(sqlstate, row=isinstance(error, psycopg.DataError | psycopg.IntegrityError))
        if kind is ErpTableMissing:
            return ErpTableMissing(
                where=self.where, table=reason.partition('"')[2].partition('"')[0] or reason
            )
        return kind(**data, sqlstate=sqlstate, encoding=self.bounds.encoding)

    def close(self) -> None:
        """End the connection."""
        with suppress(sa.exc.SQLAlchemyError, psycopg.Error):
            self._connection.close()


def _settings(bounds: Bounds) -> dict[str, str]:
    return {
        "statement_timeout": f"{int(bounds.statement.total_seconds() * 1000)}ms",
        "lock_timeout": f"{int(bounds.lock.total_seconds() * 1000)}ms",
        # Instants without a zone are the ERP's; an aware one that is written to such a column becomes that.
        "TimeZone": bounds.zone.key,
        "DateStyle": "ISO",
    }


def _keep_unreadable(raw: psycopg.Connection, kind: str) -> None:
    """Let a date that Python cannot hold come as its text: one such row must not stop a whole table."""
    found = raw.adapters.get_loader(raw.adapters.types[kind].oid, psycopg.pq.Format.TEXT)
    inner_class = cast("type[psycopg.abc.Loader]", found)

    class Kept(psycopg.adapt.Loader):
        def __init__(self, oid: int, connection: Any = None) -> None:
            super().__init__(oid, connection)
            self._inner = inner_class(oid, connection)

        def load(self, data: Any) -> Any:
            try:
                value = self._inner.load(data)
            except psycopg.DataError:
                return bytes(data).decode()
            # Two instants with zones in the hour that comes twice are never equal for Python, except in UTC.
            return value.astimezone(UTC) if kind == "timestamptz" else value

    raw.adapters.register_loader(kind, Kept)
