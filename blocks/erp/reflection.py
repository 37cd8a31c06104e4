"""The columns of a table as SQLAlchemy sees them, in the words of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from blocks.erp.errors import ErpTableMissing
from blocks.erp.protocol import ColumnSeen
from blocks.erp.statements import split

if TYPE_CHECKING:
    from blocks.erp.protocol import LogicalType

_KINDS: tuple[tuple[type[Any], LogicalType], ...] = (
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (sa.Numeric, "number"),
    (sa.DateTime, "timestamp"),
    (sa.Date, "date"),
    (sa.String, "string"),
)


def columns_of(connection: sa.Connection, where: str, table: str) -> tuple[ColumnSeen, ...]:
    """The columns of a table or view, in their order.

    Raises:
        ErpTableMissing: there is neither.
    """
    schema, bare = split(table)
    # Made anew each time: an inspector remembers, and drift is what is looked for.
    inspector = sa.inspect(connection)
    try:
        found = inspector.get_columns(bare, schema)
        key = inspector.get_pk_constraint(bare, schema)["constrained_columns"]
    except sa.exc.NoSuchTableError as error:
        raise ErpTableMissing(where=where, table=table) from error
    return tuple(_seen(each, key, connection.dialect) for each in found)


def _seen(column: Any, key: list[str], dialect: sa.Dialect) -> ColumnSeen:
    kind = column["type"]
    return ColumnSeen(
        name=column["name"],
        physical_type=_own_words(kind, dialect),
        logical_type=next((logical for each, logical in _KINDS if isinstance(kind, each)), "other"),
        nullable=bool(column["nullable"]),
        length=getattr(kind, "length", None),
        precision=getattr(kind, "precision", None),
        scale=getattr(kind, "scale", None),
        key_position=key.index(column["name"]) + 1 if column["name"] in key else None,
    )


def _own_words(kind: Any, dialect: sa.Dialect) -> str:
    try:
        words: str = kind.compile(dialect=dialect)
    except sa.exc.CompileError:
        words = str(kind)  # a type that SQLAlchemy does not know has no other name
    return words.lower().replace(", ", ",")
