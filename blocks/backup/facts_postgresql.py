"""What a PostgreSQL database holds: rows, a checksum per table, sequences, large objects.

A checksum is the sum of the rows' 64-bit hashes, made by the server: the order of rows does not matter, a row
that is there twice counts twice, and the sum (numeric) does not overflow. Hashing values is two to three
times as cheap as hashing their text. Types whose hash would not be the same in another database (an enum's
hash is of its number in the catalog) or does not tell what text tells (interval: a month is 30 days) go in
as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from psycopg import sql

from blocks.backup.errors import DumpFailed
from blocks.backup.facts_postgresql_sql import (
    BEGIN,
    COLUMNS,
    COUNTED,
    LARGE,
    LARGE_OBJECTS,
    OBJECTS,
    SAFE,
    SEQUENCES,
    SETTINGS,
    TABLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

_HASHED_SINCE: Final = 140000  # hash_record_extended
_LOCKED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class SequenceName:
    """A sequence's name, in the three forms it is needed in."""

    key: str
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Moment:
    """The snapshot: when, of what, where in the log."""

    taken_at: datetime
    version: str
    number: int
    position: str

    @property
    def major(self) -> int:
        """The server's major version."""
        return self.number // 10000


@dataclass(frozen=True, slots=True)
class _Table:
    key: str
    name: sql.Identifier
    columns: tuple[sql.Composable, ...]


class PostgresqlCount:
    """Counts a database in one snapshot, on a connection that it has for itself.

    Args:
        connection: in autocommit; a transaction is begun and stays open.
        what: the source or scratch, for sentences.
    """

    def __init__(self, connection: psycopg.Connection, what: str) -> None:
        self._connection = connection
        self._what = what
        for name, value in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.moment = self._begin()
        self._tables = list(self._tables_there())
        self.sequences = [SequenceName(*row) for row in connection.execute(SEQUENCES)]

    def export(self) -> str:
        """Give the snapshot a name that other connections can take it by."""
        return str(self._one("SELECT pg_export_snapshot()")[0])

    def lock(self, within_seconds: float) -> None:
        """Lock all tables at once against being dropped or changed in shape; reading and writing go on.

        Raises:
            psycopg.Error: one is gone meanwhile, may not be read, or is held by somebody.
        """
        self._connection.execute(
            "SELECT set_config('lock_timeout', %s, false)", (f"{round(within_seconds * 1000)}ms",)
        )
        for start in range(0, len(self._tables), _LOCKED_AT_ONCE):
            names = [table.name for table in self._tables[start : start + _LOCKED_AT_ONCE]]
            self._connection.execute(
                sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(sql.SQL(", ONLY ").join(names))
            )

    def count(self) -> tuple[dict[str, int], dict[str, str]]:
        """Rows and checksums per table, with large objects and the number of other things there.

        Raises:
            DumpFailed: a table cannot be counted; named.
        """
        rows: dict[str, int] = {}
        sums: dict[str, str] = {}
        for table in self._tables:
            with self._naming(table.key):
                rows[table.key], sums[table.key] = self._one(self._question(table))
        function, text = self._hash()
        with self._naming(LARGE_OBJECTS):
            number, checksum = self._one(LARGE.replace("{hash}", function).replace("{text}", text))
            if number:
                rows[LARGE_OBJECTS], sums[LARGE_OBJECTS] = number, checksum
        with self._naming("its catalog"):
            kinds = self._connection.execute(COUNTED).fetchall()
        sums[OBJECTS] = ", ".join(f"{number} {kind}" for kind, number in kinds)
        return rows, sums

    def sequence_values(self) -> dict[str, str]:
        """Where the sequences stand now; they know no snapshot."""
        values = {}
        for sequence in self.sequences:
            with self._naming(sequence.key):
                place = sql.Identifier(sequence.schema, sequence.name)
                last, called = self._one(sql.SQL("SELECT last_value, is_called FROM {}").format(place))
            values[sequence_key(sequence)] = sequence_value(last, called=called)
        return values

    def _begin(self) -> Moment:
        taken_at, version, number, position = self._one(BEGIN)
        return Moment(taken_at.astimezone(UTC), version.split()[0], number, position)

    def _tables_there(self) -> Iterator[_Table]:
        found = self._connection.execute(TABLES).fetchall()
        columns: dict[int, list[sql.Composable]] = {}
        asked = self._connection.execute(COLUMNS, (SAFE, [row[0] for row in found]))
        for oid, name, collated, safe in asked:
            columns.setdefault(oid, []).append(_hashed(name, collated=collated, safe=safe))
        for oid, key, schema, name in found:
            yield _Table(key, sql.Identifier(schema, name), tuple(columns.get(oid, ())))

    def _question(self, table: _Table) -> sql.Composed:
        function, text = self._hash()
        # A table without columns has rows all the same.
        hashed = f"{function}(ROW({{}}){text}, 0)" if table.columns else "0"
        question = f"SELECT count(*), coalesce(sum({hashed}), 0)::text FROM ONLY {{}} t"  # noqa: S608 - ours
        names = [sql.SQL(", ").join(table.columns)] if table.columns else []
        return sql.SQL(question).format(*names, table.name)

    def _hash(self) -> tuple[LiteralString, LiteralString]:
        if self.moment.number >= _HASHED_SINCE:
            return "hash_record_extended", ""
        return "hashtextextended", "::text"

    def _one(self, question: LiteralString | sql.Composed) -> tuple[Any, ...]:
        answer = self._connection.execute(question).fetchone()
        assert answer is not None  # noqa: S101 (each of these questions has one row as its answer)
        return answer

    def _naming(self, thing: str) -> _Naming:
        return _Naming(self._what, thing)


class _Naming:
    # Says which table it was; a complaint's own detail may quote a row, so only its first words go on.
    def __init__(self, what: str, thing: str) -> None:
        self._what = what
        self._thing = thing

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, psycopg.Error):
            reason = f"{self._thing} cannot be counted: {words(error)}"
            raise DumpFailed(what=self._what, reason=reason) from error


def _hashed(name: str, *, collated: bool, safe: bool) -> sql.Composed:
    column = sql.SQL("t.{}").format(sql.Identifier(name))
    if not safe:
        return sql.SQL('{}::text COLLATE "C"').format(column)
    # By bytes: a collation may take two texts for one, and its version decides how.
    return sql.SQL('{} COLLATE "C"').format(column) if collated else sql.Composed([column])


def sequence_key(sequence: SequenceName) -> str:
    """The pseudo-table of a sequence."""
    return f"sequence:{sequence.key}"


def sequence_value(last: int | str, *, called: bool) -> str:
    """Where a sequence stands, as a checksum."""
    return f"{last} {'given out' if called else 'next'}"


def words(error: psycopg.Error) -> str:
    """What the server or the driver said, in one line, without the values it quoted in its details."""
    said = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    return said.rstrip(".")
