"""The staging table: a batch as it came from the ERP, in the Suite's database, for one transaction.

Between two PostgreSQL databases the rows never pass through Python: the staging table has the ERP's own types
and takes the bytes of its COPY. From everywhere else values come as text: what they mean is the contract's
judgement, so that one unreadable number is a bad row and not the end of the batch.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, Table, Text, insert, text
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import psycopg
    from sqlalchemy import Connection

    from blocks.erp.protocol import Chunk, ColumnSeen

ROW_ID = "row_id"
# A type as PostgreSQL's catalogue writes it; anything else (a domain, an enum of the ERP's) comes as text.
_PLAIN_TYPE = re.compile(
    r"(smallint|integer|bigint|numeric|real|double precision|text|character varying|character|boolean|date"
    r"|timestamp|timestamp with time zone|timestamp without time zone|uuid)(\(\d+(,\d+)?\))?"
    r"( with(out)? time zone)?"
)


class _Declared(UserDefinedType[Any]):
    """A column type in the ERP's own words."""

    cache_ok = True

    def __init__(self, words: str) -> None:
        self.words = words

    def get_col_spec(self, **_: Any) -> str:
        return self.words


def is_plain(seen: ColumnSeen) -> bool:
    """Whether a staging column can have this very type."""
    return _PLAIN_TYPE.fullmatch(seen.physical_type.lower()) is not None


def create(connection: Connection, name: str, columns: Sequence[str], types: dict[str, str]) -> Table:
    """Create an empty staging table that this transaction alone sees, and that ends with it.

    Args:
        connection: in a transaction that writes.
        name: of the table.
        columns: in the order in which rows come.
        types: PostgreSQL's type per column; a column that is not named holds text.
    """
    number = BigInteger().with_variant(Integer, "sqlite")
    staging = Table(
        name,
        MetaData(),
        Column(ROW_ID, number, Identity(), primary_key=True),
        *(Column(each, _Declared(types[each]) if each in types else Text()) for each in columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    drop(connection, name)
    staging.create(connection)
    return staging


def drop(connection: Connection, name: str) -> None:
    """Take a staging table away; on SQLite a temporary table outlives its transaction."""
    quoted = connection.dialect.identifier_preparer.quote(name)
    schema = "temp." if connection.dialect.name == "sqlite" else "pg_temp."
    connection.execute(text(f"DROP TABLE IF EXISTS {schema}{quoted}"))


def fill(connection: Connection, staging: Table, chunks: Iterable[Chunk]) -> int:
    """Write rows, as text; how many there are."""
    if connection.dialect.name == "postgresql":
        return _copied(connection, staging, chunks)
    columns = [column.name for column in staging.columns if column.name != ROW_ID]
    count = 0
    for chunk in chunks:
        rows = [dict(zip(columns, map(as_text, row), strict=True)) for row in chunk.rows()]
        if rows:
            connection.execute(insert(staging), rows)
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


def copy_blocks(connection: Connection, staging: Table) -> Any:
    """PostgreSQL's COPY into the staging table, in binary: a context with `write`."""
    return raw(connection).cursor().copy(_command(connection, staging, " WITH (FORMAT binary)"))


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
