"""What every connection to an ERP's database offers, whichever system stands behind it, and its data.

Values are the driver's own, never converted on the way: an ERP on SQLite gives dates as the text that stands
there, `01-01-0001` included, and the data contract says what that means. The one addition: an instant or a
date that Python cannot hold (`infinity`, the year 10000) comes as its text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from blocks.erp.outcomes import Applied, Different, Found, Guarantee, Missing, OutEffect, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from decimal import Decimal

LogicalType = Literal["string", "integer", "number", "date", "timestamp", "boolean", "other"]

__all__ = [
    "Applied",
    "Change",
    "Chunk",
    "ColumnSeen",
    "Different",
    "ErpSession",
    "Found",
    "Guarantee",
    "LogicalType",
    "Missing",
    "OutEffect",
    "Period",
    "Refused",
    "Rows",
    "Since",
    "Totals",
    "Window",
]


@dataclass(frozen=True, slots=True)
class ColumnSeen:
    """A column as the ERP declares it now.

    Attributes:
        name: as it stands there.
        physical_type: the ERP's own words, such as `numeric(12,3)`.
        logical_type: the kind a data contract speaks of; `other` for what is none of them.
        nullable: whether it may be empty.
        length: greatest number of characters, when there is one.
        precision: digits in all, for numbers with a fixed point.
        scale: digits behind the point, for them.
        key_position: its place in the primary key, from 1; None outside of it.
    """

    name: str
    physical_type: str
    logical_type: LogicalType
    nullable: bool
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    key_position: int | None = None


class Chunk(Protocol):
    """Some rows, read at once."""

    @property
    def count(self) -> int:
        """How many."""

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows, in the order of the columns asked for."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The simplest chunk: the rows themselves."""

    held: list[tuple[Any, ...]]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.held)

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows, in the order of the columns asked for."""
        return self.held


@dataclass(frozen=True, slots=True)
class Since:
    """From where on rows are read; rows without a value in the column are read only from the beginning.

    Attributes:
        column: row version, change time or key.
        after: the watermark, as `high_mark` gave it; None reads from the beginning.
        overlap: None reads strictly after the watermark; a duration reads again what changed so long before
            it, the instant itself included (change time); a number so many values below it (row version,
            key).
    """

    column: str
    after: Any = None
    overlap: timedelta | int | None = None


class Change(Protocol):
    """How changes of a table are seen; a data contract states it."""

    @property
    def kind(self) -> Literal["row_version", "changed_at", "key"]:
        """What the column holds."""

    @property
    def column(self) -> str:
        """The column that tells."""

    @property
    def overlap(self) -> timedelta | int | None:
        """How far before the watermark is read again: a duration for `changed_at`, else a number of values.

        None leaves it to the connection, for versions and keys.
        """


@dataclass(frozen=True, slots=True)
class Window:
    """What one fetch reads, and the watermark to keep when its rows are committed.

    Attributes:
        since: hand it to `read`.
        mark: the next watermark; None while the table holds no value, or none is certain. It lies below
            `reach` while a transaction at the ERP may still commit a version or key between both.
        ahead: the highest change time there, when it lies beyond the ERP's own clock: such rows are read at
            each fetch until the clock has passed them, and never carry the watermark with them.
        reach: up to which value there is something to read now.
    """

    since: Since
    mark: Any
    ahead: Any = None
    reach: Any = None


@dataclass(frozen=True, slots=True)
class Period:
    """From `start`, until before `end`, in the column's own kind of value."""

    column: str
    start: Any
    end: Any


@dataclass(frozen=True, slots=True)
class Totals:
    """One side of a reconciliation: how many rows, and the exact sums of columns (0 when there is no row)."""

    count: int
    sums: Mapping[str, Decimal] = field(default_factory=dict)


class ErpSession(Protocol):
    """An open connection; `connect()` of a block gives it. One thread at a time uses it.

    Every call may raise the errors of `blocks.erp.errors`. After `ErpConnectionLost` the session is of no
    use: connect again. Identifiers come from data contracts and are quoted; a table may be `schema.table`.
    """

    @property
    def holds_keys(self) -> bool:
        """Whether the connection's own key table stands at the ERP."""

    @property
    def can_copy(self) -> bool:
        """Whether `copy_out` works here."""

    def columns(self, table: str) -> tuple[ColumnSeen, ...]:
        """The columns of a table as they are now, in their order.

        Raises:
            ErpTableMissing: there is no such table.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """While the block lasts all reading sees one state (where the ERP can: see the connection)."""

    def settles(self, table: str, change: Change, watermark: Any) -> Window:
        """Say what to read and the watermark to keep, before the rows and before any snapshot of them.

        A snapshot that was taken earlier would not show what was committed in between, below the watermark.

        Raises:
            WatermarkInFuture: the watermark lies beyond the ERP's clock, so changes would be missed silently.
        """

    def read(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None = None,
        upto: Any = None,
        *,
        only: Mapping[str, Any] | None = None,
    ) -> Iterator[Chunk]:
        """Read rows in chunks, in constant memory.

        Args:
            table: the ERP's name of it.
            columns: which, in this order.
            since: None reads all rows.
            upto: the greatest value of `since.column` that is read; None sets no limit.
            only: columns that must have these values (one order).
        """

    def copy_out(
        self, query: str, into: Callable[[bytes | memoryview], object], *, binary: bool = True
    ) -> int:
        """Hand the blocks of a PostgreSQL `COPY (query) TO STDOUT` on as they come; returns the rows.

        Raises:
            CopyUnsupported: this connection has none (`can_copy`).
        """

    def copy_query(
        self,
        table: str,
        columns: Sequence[str],
        since: Since | None = None,
        upto: Any = None,
        *,
        only: Mapping[str, Any] | None = None,
    ) -> str:
        """The query `read` would run, values written into it and quoted, for `copy_out`.

        Raises:
            CopyUnsupported: this connection has none (`can_copy`).
        """

    def high_mark(self, table: str, column: str) -> Any:
        """The highest value of a column; None in an empty table."""

    def newest(self, table: str, column: str, by: str) -> datetime | None:
        """The change time of the row with the highest value of `by`, in UTC; None where there is none."""

    def ceiling(self, table: str, since: Since, upto: Any, count: int) -> Any:
        """Up to which value of `since.column` the next `count` rows lie; None when there are none.

        Rows that share that value belong to them all, so a stretch never ends between equal values.
        """

    def now(self) -> datetime:
        """The ERP's own clock, aware, in UTC."""

    def keys(self, table: str, columns: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """All keys of a table, in constant memory; without columns those of its primary key.

        Raises:
            ErpKeyMissing: it has no primary key and no columns were named.
        """

    def totals(self, table: str, sums: Sequence[str], period: Period | None = None) -> Totals:
        """Count the rows of a period and add up columns exactly."""

    def apply(self, effects: Sequence[OutEffect]) -> list[Applied | Refused]:
        """Make effects happen, each in a transaction of its own with its key; an answer for each, in order.

        What the ERP refuses stops later effects of the same order, and no other. A repeat is harmless.

        Raises:
            ErpError: the connection, not an effect, is at fault; what was done so far is found by its keys.
        """

    def read_back(self, effects: Sequence[OutEffect]) -> list[Found | Missing | Different]:
        """Compare what stands at the ERP with what the effects wrote, taken together in their order."""
