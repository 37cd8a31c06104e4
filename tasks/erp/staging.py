"""The staging table: a batch as it came from the ERP, in the Suite's database, for one transaction.

Between two PostgreSQL databases the rows never pass through Python: the staging table has the ERP's own types
and takes the bytes of its COPY. From everywhere else values come as text: what they mean is the contract's
judgement, so that one unreadable number is a bad row and not the end of the batch.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CHAR,
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    insert,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import psycopg
    from sqlalchemy import Connection, Select
    from sqlalchemy.types import TypeEngine

    from blocks.erp.protocol import Chunk, ColumnSeen

    Types = Mapping[str, TypeEngine[Any]]

ROW_ID = "row_id"
_SENT_BYTES = 128 * 1024
# PostgreSQL's types by the words of its catalogue; anything else (a domain, an enum) comes as text.
_TYPES: dict[str, Callable[..., TypeEngine[Any]]] = {
    "smallint": SmallInteger,
    "integer": Integer,
    "bigint": BigInteger,
    "numeric": Numeric,
    "real": REAL,
    "double precision": DOUBLE_PRECISION,
    "text": Text,
    "character varying": String,
    "character": CHAR,
    "boolean": Boolean,
    "date": Date,
    "timestamp": TIMESTAMP,
    "timestamp without time zone": TIMESTAMP,
    "timestamp with time zone": partial(TIMESTAMP, timezone=True),
}
_PHYSICAL = re.compile(r"(?P<words>[a-z ]+?)(?:\((?P<numbers>\d+(?:,\s*\d+)?)\))?")


def type_of(seen: ColumnSeen) -> TypeEngine[Any] | None:
    """The very type of an ERP's column for a staging column; None for one that has to come as text."""
    found = _PHYSICAL.fullmatch(seen.physical_type.lower())
    if found is None or found["words"] not in _TYPES:
        return None
    numbers = [int(each) for each in (found["numbers"] or "").split(",") if each]
    return _TYPES[found["words"]](*numbers)


_made: dict[tuple[Any, ...], Table] = {}


def temporary(name: str, *columns: Column[Any]) -> Table:
    """A table that one transaction sees; the same object for the same columns.

    With a new object every statement about it would be compiled anew, which takes longer than a small batch.
    """
    form = (name, *((each.name, repr(each.type), each.primary_key) for each in columns))
    if form not in _made:
        _made[form] = Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    return _made[form]


def create(connection: Connection, name: str, columns: Sequence[str], types: Types) -> Table:
    """Create an empty staging table that this transaction alone sees, and that ends with it.

    Args:
        connection: in a transaction that writes.
        name: of the table.
        columns: in the order in which rows come.
        types: per column; a column that is not named holds text.
    """
    number = BigInteger().with_variant(Integer, "sqlite")
    # SQLite numbers its rows in a primary key alone; on PostgreSQL its index would cost half of the
    # filling, and nobody looks rows up one by one.
    keyed = connection.dialect.name == "sqlite"
    staging = temporary(
        name,
        Column(ROW_ID, number, Identity(), primary_key=keyed),
        *(Column(each, types.get(each) or Text()) for each in columns),
    )
    drop(connection, name)
    staging.create(connection)
    return staging


def keep(connection: Connection, name: str, rows: Select[Any], key: Sequence[str]) -> Table:
    """A temporary table of what `rows` selects, with an index on `key`: worked out once, joined quickly."""
    kept = temporary(name, *(Column(each.name, each.type) for each in rows.selected_columns))
    drop(connection, name)
    kept.create(connection)
    connection.execute(insert(kept).from_select([column.name for column in kept.columns], rows))
    preparer = connection.dialect.identifier_preparer
    indexed = ", ".join(preparer.quote(column) for column in key)
    connection.execute(
        text(f"CREATE INDEX {_in_temp(connection, f'{name}_key')} ON {preparer.quote(name)} ({indexed})")
    )
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {connection.dialect.identifier_preparer.quote(name)}"))
    return kept


def drop(connection: Connection, name: str) -> None:
    """Take a staging table away; on SQLite a temporary table outlives its transaction."""
    quoted = connection.dialect.identifier_preparer.quote(name)
    schema = "temp." if connection.dialect.name == "sqlite" else "pg_temp."
    connection.execute(text(f"DROP TABLE IF EXISTS {schema}{quoted}"))


def _in_temp(connection: Connection, name: str) -> str:
    """An index of a temporary table: SQLite wants its schema named, PostgreSQL forbids it."""
    quoted = connection.dialect.identifier_preparer.quote(name)
    return f"temp.{quoted}" if connection.dialect.name == "sqlite" else quoted


def fill(connection: Connection, staging: Table, chunks: Iterable[Chunk]) -> int:
    """Write rows, as text; how many there are."""
    if connection.dialect.name == "postgresql":
        return _copied(connection, staging, chunks)
    quote = connection.dialect.identifier_preparer.quote
    columns = [quote(column.name) for column in staging.columns if column.name != ROW_ID]
    places = ", ".join("?" * len(columns))
    # Names come from the contract and are quoted.
    statement = f"INSERT INTO {quote(staging.name)} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
    count = 0
    for chunk in chunks:
        rows = [tuple(map(as_text, row)) for row in chunk.rows()]
        if rows:
            connection.exec_driver_sql(statement, rows)
        count += len(rows)
    return count


def _copied(connection: Connection, staging: Table, chunks: Iterable[Chunk]) -> int:
    count = 0
    with raw(connection).cursor() as cursor, cursor.copy(_command(connection, staging)) as copy:
        for chunk in chunks:
            for row in chunk.rows():
                copy.write_row([as_text(value) for value in row])
            count += chunk.count
    return count


@contextmanager
def copy_blocks(connection: Connection, staging: Table) -> Iterator[Callable[[bytes | memoryview], None]]:
    """PostgreSQL's COPY into the staging table, in binary: gives what takes the blocks."""
    held: list[bytes | memoryview] = []
    size = 0
    with raw(connection).cursor().copy(_command(connection, staging, " WITH (FORMAT binary)")) as copy:

        def take(block: bytes | memoryview) -> None:
            # A block is a row, and sending each costs more than the row.
            nonlocal size
            held.append(block)
            size += len(block)
            if size >= _SENT_BYTES:
                copy.write(b"".join(held))
                held.clear()
                size = 0

        yield take
        copy.write(b"".join(held))


def _command(connection: Connection, staging: Table, form: str = "") -> bytes:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in staging.columns if column.name != ROW_ID)
    # Names come from the contract and are quoted.
    return f"COPY {quote(staging.name)} ({columns}) FROM STDIN{form}".encode()


def raw(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's own connection, in the same transaction."""
    driver: Any = connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]


def as_text(value: Any) -> str | None:
    """A value as the contract's rules read it: numbers without exponent, dates and instants in ISO 8601."""
    if value is None:
        return None
    exactly = type(value)
    if exactly is int or (exactly is str and "\x00" not in value):
        return str(value)  # nearly all values are one of these
    for kind, written in _WRITTEN.items():
        if isinstance(value, kind):
            return written(value)
    return str(value)


def _bytes(value: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return bytes(value).decode()
    return bytes(value).hex()


# The first that fits: a truth value is a number too, and an instant a date. PostgreSQL's text holds no NUL.
_WRITTEN: dict[type, Callable[[Any], str]] = {
    str: lambda value: value.replace("\x00", "\N{SYMBOL FOR NULL}"),
    bool: lambda value: "true" if value else "false",
    Decimal: lambda value: format(value, "f"),
    float: repr,
    datetime: lambda value: value.isoformat(" "),
    date: date.isoformat,
    time: time.isoformat,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
}
