"""What a session does the same way at every ERP; a kind adds its driver, its transactions and its errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Never

import sqlalchemy as sa

from blocks.erp import effects, settling
from blocks.erp.errors import (
    CopyUnsupported,
    ErpEncodingWrong,
    ErpError,
    ErpKeyMissing,
    ErpTableMissing,
)
from blocks.erp.marks import as_instant, earlier
from blocks.erp.protocol import Rows, Totals
from blocks.erp.settling import Committed
from blocks.erp.statements import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from blocks.erp.protocol import (
        Applied,
        Change,
        Chunk,
        ColumnSeen,
        Different,
        Found,
        Missing,
        OutEffect,
        Period,
        Refused,
        Since,
        Window,
    )
    from blocks.erp.statements import Statement, Statements


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an ERP may take, and how it is read.

    Attributes:
        statement: for one statement.
        lock: for what somebody else holds.
        chunk_rows: rows read at once.
        encoding: of its text, where the ERP does not say itself.
        zone: of its instants without a zone.
        key_table: where it keeps our keys, if it does; `schema.table` or `table`.
    """

    statement: timedelta
    lock: timedelta
    chunk_rows: int
    encoding: str
    zone: ZoneInfo
    key_table: str | None


class SqlSession(ABC):
    """An open connection to a database; see `blocks.erp.protocol.ErpSession`.

    Args:
        where: host and database, for messages.
        statements: compiled for its dialect.
        bounds: see there.
    """

    can_copy: ClassVar[bool] = False

    def __init__(self, where: str, statements: Statements, bounds: Bounds) -> None:
        self.where = where
        self.statements = statements
        self.bounds = bounds
        self._holds_keys: bool | None = None

    @property
    @abstractmethod
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    @abstractmethod
    def execute(self, statement: Statement, values: Sequence[Any]) -> Any:
        """Run a statement with values in its own order; the driver's cursor, all of it read by the caller."""

    @abstractmethod
    def stream(self, statement: Statement, values: Sequence[Any]) -> AbstractContextManager[Any]:
        """A cursor that holds only what it fetches."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back when it raises."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """While the block lasts all reading sees one state."""

    @abstractmethod
    def columns(self, table: str) -> tuple[ColumnSeen, ...]:
        """The columns of a table as they are now."""

    @abstractmethod
    def now(self) -> datetime:
        """The ERP's own clock, aware, in UTC."""

    @abstractmethod
    def translated(self, error: Exception, doing: str) -> ErpError:
        """Our sentence for an error of the driver."""

    @abstractmethod
    def close(self) -> None:
        """End the connection; never raises."""

    def adapted(self, value: Any) -> Any:
        """A value as the driver takes it."""
        return value

    @contextmanager
    def speaking(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into ours."""
        try:
            yield
        except ErpError:
            raise
        except UnicodeDecodeError as error:
            raise self.misread(doing, f"byte {error.object[error.start]:#04x} is no text") from None
        except sa.exc.DBAPIError as error:
            original = error.orig if isinstance(error.orig, Exception) else error
            raise self.translated(original, doing) from error
        except self.driver_errors as error:
            raise self.translated(error, doing) from error

    def misread(self, doing: str, reason: str) -> ErpEncodingWrong:
        """Text that is not in the encoding it should be in; the text itself is not repeated."""
        encoding = self.bounds.encoding
        return ErpEncodingWrong(where=self.where, encoding=encoding, doing=doing, reason=reason)

    @property
    def holds_keys(self) -> bool:
        """Whether the connection's own key table stands at the ERP; asked once."""
        if self._holds_keys is None:
            try:
                self._holds_keys = bool(self.bounds.key_table and self.columns(self.bounds.key_table))
            except ErpTableMissing:
                self._holds_keys = False
        return self._holds_keys

    def read(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None = None,
        upto: Any = None,
        *,
        only: Mapping[str, Any] | None = None,
    ) -> Iterator[Chunk]:
        """Read rows in chunks; see `blocks.erp.protocol.ErpSession`."""
        statement, values = self.selection(table, columns, since, upto, only)
        with self.speaking(f"reading {table}"), self.snapshot(), self.stream(statement, values) as cursor:
            while rows := cursor.fetchmany(self.bounds.chunk_rows):
                yield Rows(rows)

    def selection(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None,
        upto: Any,
        only: Mapping[str, Any] | None,
    ) -> tuple[Statement, list[Any]]:
        """The statement that reads these rows, and its values."""
        asked: list[tuple[Condition, Any]] = []
        if since is not None and since.after is not None:
            asked.append(self._lower(since))
        if since is not None and upto is not None:
            asked.append((Condition(since.column, "<="), upto))
        asked += [(Condition(column, "="), value) for column, value in (only or {}).items()]
        statement = self.statements.select(table, columns, [condition for condition, _ in asked])
        return statement, [self.adapted(value) for _, value in asked]

    def _lower(self, since: Since) -> tuple[Condition, Any]:
        if since.overlap is None:
            return Condition(since.column, ">"), since.after
        if isinstance(since.overlap, timedelta):
            return Condition(since.column, ">="), earlier(since.after, since.overlap, self.bounds.zone)
        return Condition(since.column, ">"), settling.below(since.after, since.overlap)

    def settles(self, table: str, change: Change, watermark: Any) -> Window:
        """Say what to read and the watermark to keep; see `blocks.erp.protocol.ErpSession`."""
        return settling.settled(self, table, change, watermark)

    def committed(self, table: str, column: str, highest: Any) -> Committed:
        """Up to which version or key nothing can be committed any more; asked after `highest` was read.

        An ERP that cannot tell is given an overlap.
        """
        del table, column
        return Committed(highest, settling.OVERLAP)

    def high_mark(self, table: str, column: str) -> Any:
        """The highest value of a column; None in an empty table."""
        return self.highest(table, column)

    def newest(self, table: str, column: str, by: str) -> datetime | None:
        """The change time of the row that changed last; found by an index on `by`, where there is one."""
        highest = self.high_mark(table, by)
        value = None if highest is None else self.highest(table, column, (Condition(by, "="), highest))
        return as_instant(value, self.bounds.zone)

    def ceiling(self, table: str, since: Since, upto: Any, count: int) -> Any:
        """Up to which value the next `count` rows lie; see `blocks.erp.protocol.ErpSession`."""
        asked = [] if since.after is None else [self._lower(since)]
        if upto is not None:
            asked.append((Condition(since.column, "<="), upto))
        conditions = [condition for condition, _ in asked]
        statement = self.statements.ceiling(table, since.column, conditions, count)
        with self.speaking(f"looking how far {table} goes"):
            return self.execute(statement, [self.adapted(value) for _, value in asked]).fetchone()[0]

    def highest(self, table: str, column: str, *asked: tuple[Condition, Any]) -> Any:
        """The highest value of a column under conditions; None where there is none."""
        statement = self.statements.highest(table, column, [condition for condition, _ in asked])
        with self.speaking(f"reading the highest {column} of {table}"):
            values = [self.adapted(value) for _, value in asked]
            return self.execute(statement, values).fetchone()[0]

    def keys(self, table: str, columns: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """All keys of a table; see `blocks.erp.protocol.ErpSession`."""
        named = list(columns) or self._key_columns(table)
        for chunk in self.read(table, named):
            yield from chunk.rows()

    def _key_columns(self, table: str) -> list[str]:
        keyed = {each.key_position: each.name for each in self.columns(table) if each.key_position}
        if not keyed:
            raise ErpKeyMissing(where=self.where, table=table)
        return [keyed[position] for position in sorted(keyed)]

    def totals(self, table: str, sums: Sequence[str], period: Period | None = None) -> Totals:
        """Count the rows of a period and add up columns exactly."""
        bounds = [] if period is None else [(">=", period.start), ("<", period.end)]
        conditions = [] if period is None else [Condition(period.column, sign) for sign, _ in bounds]
        statement = self.statements.totals(table, sums, conditions)
        with self.speaking(f"adding up {table}"):
            row = self.execute(statement, [self.adapted(value) for _, value in bounds]).fetchone()
        return Totals(row[0], {name: Decimal(str(added)) for name, added in zip(sums, row[1:], strict=True)})

    def apply(self, effects_: Sequence[OutEffect]) -> list[Applied | Refused]:
        """Make effects happen; see `blocks.erp.protocol.ErpSession`."""
        return effects.apply(self, effects_)

    def read_back(self, effects_: Sequence[OutEffect]) -> list[Found | Missing | Different]:
        """Compare what stands there with what effects wrote; see `blocks.erp.protocol.ErpSession`."""
        return effects.read_back(self, effects_)

    def copy_out(
        self, query: str, into: Callable[[bytes | memoryview], object], *, binary: bool = True
    ) -> int:
        """Only PostgreSQL reached directly has it.

        Raises:
            CopyUnsupported: always, here.
        """
        del query, into, binary
        self._no_copy()

    def copy_query(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None = None,
        upto: Any = None,
        *,
        only: Mapping[str, Any] | None = None,
    ) -> str:
        """Only PostgreSQL reached directly has it.

        Raises:
            CopyUnsupported: always, here.
        """
        del table, columns, since, upto, only
        self._no_copy()

    def _no_copy(self) -> Never:
        raise CopyUnsupported(where=self.where)
