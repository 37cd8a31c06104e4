"""An open connection over ODBC: rows through pyodbc, which was exact wherever faster ways were not."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from blocks.erp import in_flight, odbc_arrow
from blocks.erp.errors import ErpConnectionLost, ErpError, ErpStatementRefused, ErpTableMissing
from blocks.erp.odbc_columns import columns_of
from blocks.erp.odbc_words import meaning_of, state_of, words_of
from blocks.erp.session import SqlSession
from blocks.erp.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from blocks.erp.odbc_address import Address
    from blocks.erp.protocol import ColumnSeen, Since
    from blocks.erp.session import Bounds
    from blocks.erp.settling import Committed
    from blocks.erp.statements import Statement

_ISOLATION: Final = 108  # SQL_ATTR_TXN_ISOLATION
_REPEATABLE_READ: Final = 4
_READ_COMMITTED: Final = 2
_URLS: Final = {"mssql": "mssql+pyodbc://", "postgresql": "postgresql+psycopg2://"}
_CLOCKS: Final = {
    "mssql": "SELECT SYSUTCDATETIME()",
    "postgresql": "SELECT clock_timestamp() AT TIME ZONE 'UTC'",
}
_MAY_SNAPSHOT: Final = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"


def dialect_of(name: str) -> sa.Dialect:
    """How SQL is written for a dialect, with the question marks of ODBC for its values."""
    if name not in _URLS:
        return sa.engine.default.DefaultDialect(paramstyle="qmark")
    kind: Any = sa.make_url(_URLS[name]).get_dialect()
    dialect: sa.Dialect = kind(paramstyle="qmark")
    return dialect


class OdbcSession(SqlSession):
    """Made by `blocks.erp.odbc_connect.open_odbc`.

    Its snapshots are REPEATABLE READ at PostgreSQL and SNAPSHOT at SQL Server where the database allows it;
    where not, a watermark is read before the rows, so that what changes between them is read again, never
    missed.
    """

    def __init__(self, raw: Any, address: Address, password: str | None, bounds: Bounds) -> None:
        super().__init__(address.where, Statements(dialect_of(address.dialect)), bounds)
        import pyodbc  # its wheel holds no libodbc: nothing imports it before a connection is asked for

        self._errors: tuple[type[Exception], ...] = (pyodbc.Error,)
        self._raw = raw
        self._address = address
        self._password = password
        self._depth = 0
        self._cursors = 0
        self._lost = False

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """pyodbc's, and arrow_odbc's when it is in use."""
        arrow = sys.modules.get("arrow_odbc")
        return self._errors if arrow is None else (*self._errors, arrow.Error)

    def settle(self) -> None:
        """Tell the server our bounds."""
        statement, lock = self.bounds.statement.total_seconds(), self.bounds.lock.total_seconds()
        with self.speaking("settling the connection"):
            if self._address.dialect == "postgresql":
                given = f"{int(statement * 1000)}ms", f"{int(lock * 1000)}ms", self.bounds.zone.key
                for setting, value in zip(
                    ("statement_timeout", "lock_timeout", "TimeZone"), given, strict=True
                ):
                    self._raw.execute("SELECT set_config(?, ?, false)", (setting, value)).fetchall()
                return
            self._raw.timeout = max(1, round(statement))
            if self._address.dialect == "mssql":
                self._raw.execute(f"SET LOCK_TIMEOUT {int(lock * 1000)}")

    def execute(self, statement: Statement, values: Sequence[Any]) -> Any:
        """Run a statement."""
        return self._raw.cursor().execute(statement.text, tuple(values))

    @contextmanager
    def stream(self, statement: Statement, values: Sequence[Any]) -> Iterator[_Rows | _Fetched]:
        """A cursor that holds a chunk: at PostgreSQL one of the server, named here, else the driver's."""
        if self._address.dialect == "postgresql":
            self._cursors += 1
            name = f"nakoming_erp_{self._cursors}"
            self._raw.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {statement.text}", tuple(values))
            yield _Fetched(self._raw, name)
            self._raw.execute(f"CLOSE {name}")
            return
        cursor = self.execute(statement, values)
        try:
            yield _Rows(cursor)
        finally:
            with suppress(*self._errors):
                cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back when it raises."""
        self._raw.autocommit = False
        try:
            yield
            self._raw.commit()
        finally:
            self._end()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state, where the database can."""
        if self._depth == 0:
            self._isolate()
            self._raw.autocommit = False
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._end()
                self._isolate(_READ_COMMITTED)

    def _isolate(self, level: int = _REPEATABLE_READ) -> None:
        if self._address.dialect == "mssql":
            state = self._raw.execute(_MAY_SNAPSHOT).fetchone() if level == _REPEATABLE_READ else None
            word = "SNAPSHOT" if state and state[0] == 1 else "READ COMMITTED"
            self._raw.execute(f"SET TRANSACTION ISOLATION LEVEL {word}")
            return
        with suppress(*self._errors):  # a database that has no such level reads as it can
            self._raw.set_attr(_ISOLATION, level)

    def _end(self) -> None:
        with suppress(*self._errors):  # it broke: what was said before tells why
            self._raw.rollback()
            self._raw.autocommit = True

    def columns(self, table: str) -> tuple[ColumnSeen, ...]:
        """The columns of a table as they are now."""
        with self.speaking(f"looking at {table}"):
            return columns_of(self._raw, self.where, table)

    def now(self) -> datetime:
        """The server's clock."""
        clock = _CLOCKS.get(self._address.dialect)
        with self.speaking("reading its clock"):
            instant: datetime = self._raw.execute(clock or "SELECT CURRENT_TIMESTAMP").fetchone()[0]
        return (
            instant.replace(tzinfo=UTC) if clock else instant.replace(tzinfo=self.bounds.zone).astimezone(UTC)
        )

    def committed(self, table: str, column: str, highest: Any) -> Committed:
        """As `blocks.erp.in_flight` tells; of other databases nothing is known."""
        if self._address.dialect == "postgresql":
            return in_flight.at_postgresql(self, table, highest)
        if self._address.dialect == "mssql":
            return in_flight.at_sql_server(self, table, column, highest)
        return super().committed(table, column, highest)

    def adapted(self, value: Any) -> Any:
        """Instants in the ERP's zone: pyodbc would drop theirs without a word."""
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(self.bounds.zone).replace(tzinfo=None)
        return value

    def batches(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None = None,
        upto: Any = None,
        *,
        only: Mapping[str, Any] | None = None,
    ) -> Iterator[odbc_arrow.Batch]:
        """Read as `read` does, in Arrow record batches where every column is exact in them, else in rows."""
        statement, values = self.selection(table, columns, since, upto, only)
        plan = odbc_arrow.plan(self.columns(table), columns, values)
        if plan is None:
            for chunk in self.read(table, columns, since, upto, only=only):
                yield odbc_arrow.Batch(None, chunk.rows())
            return
        with self.speaking(f"reading {table}"), self.snapshot():
            signs = self._longest(table, plan)
            connection = self._beside(signs)
            yield from odbc_arrow.read(
                connection,
                statement.text,
                plan,
                chunk_rows=self.bounds.chunk_rows,
                text_signs=signs,
                postgresql=self._address.dialect == "postgresql",
            )

    def _beside(self, text_signs: int) -> Any:
        """A connection of arrow_odbc, which cannot use pyodbc's; at PostgreSQL it reads the same snapshot."""
        import arrow_odbc  # heavy, and only for bulk reading

        text = self._address.connection_string(self._password, text_signs)
        connection = arrow_odbc.connect(text, autocommit=False)
        if self._address.dialect == "postgresql":
            (snapshot,) = self._raw.execute("SELECT pg_export_snapshot()").fetchone()
            # One text: the driver would set a savepoint between two, after which no snapshot can be taken.
            level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            zone = self.bounds.zone.key
            connection.execute(
                f"{level}; SET TRANSACTION SNAPSHOT '{snapshot}'; SET LOCAL TimeZone = '{zone}'"
            )
        return connection

    def _longest(self, table: str, plan: odbc_arrow.Plan) -> int:
        if not plan.boundless:
            return 0
        found = self.execute(self.statements.longest(table, plan.boundless), ()).fetchone()
        return max((each for each in found if each is not None), default=0) or 1

    def translated(self, error: Exception, doing: str) -> ErpError:
        """The SQLSTATE decides, and SQL Server's own number."""
        sqlstate, reason = state_of(error), words_of(error)
        kind = meaning_of(error, sqlstate)
        data = {"where": self.where, "doing": doing, "reason": reason, "sqlstate": sqlstate}
        if self._lost or kind is ErpConnectionLost or "connection lost" in reason:
            self._lost = True
            return ErpConnectionLost(**data)
        if kind is ErpTableMissing:
            return ErpTableMissing(where=self.where, table=reason)
        return (kind or ErpStatementRefused)(**data, encoding=self.bounds.encoding)

    def close(self) -> None:
        """End the connection."""
        with suppress(*self._errors):
            self._raw.close()


class _Rows:
    """A cursor that gives tuples; pyodbc's rows are none, and cannot be compared with them."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """The next rows."""
        return list(map(tuple, self._cursor.fetchmany(rows)))


class _Fetched:
    """A cursor of the server's: each chunk is a whole answer, so that a cut line is an error, no crash."""

    def __init__(self, raw: Any, name: str) -> None:
        self._raw = raw
        self._name = name

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """The next rows."""
        return list(map(tuple, self._raw.execute(f"FETCH {rows} FROM {self._name}").fetchall()))
