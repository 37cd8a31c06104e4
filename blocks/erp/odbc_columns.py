"""The columns of a table as an ODBC driver describes them, in the words of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from blocks.erp.errors import ErpTableMissing
from blocks.erp.protocol import ColumnSeen
from blocks.erp.statements import split

if TYPE_CHECKING:
    from blocks.erp.protocol import LogicalType

# SQL types by the numbers of ODBC's own headers.
_KINDS: Final[dict[int, LogicalType]] = {
    **dict.fromkeys((1, 12, -1, -8, -9, -10), "string"),
    **dict.fromkeys((4, 5, -5, -6), "integer"),
    **dict.fromkeys((2, 3, 6, 7, 8), "number"),
    **dict.fromkeys((93, 11), "timestamp"),
    **dict.fromkeys((91, 9), "date"),
    -7: "boolean",
}
_DECIMAL: Final = {2, 3}
_TEXT: Final = {1, 12, -8, -9}
_BOUNDLESS: Final = 1 << 20  # drivers name such a length for text without one


def columns_of(raw: Any, where: str, table: str) -> tuple[ColumnSeen, ...]:
    """The columns of a table or view, in their order.

    Raises:
        ErpTableMissing: there is neither.
    """
    schema, bare = split(table)
    described = raw.cursor().columns(table=bare, schema=schema).fetchall()
    # The driver takes names as patterns, in which _ is any sign; and a table may lie in several schemas.
    described = [row for row in described if row[2] == bare and (schema is None or row[1] == schema)]
    if not described:
        raise ErpTableMissing(where=where, table=table)
    described = [row for row in described if row[1] == described[0][1]]
    keys = raw.cursor().primaryKeys(table=bare, schema=described[0][1]).fetchall()
    positions = {row[3]: int(row[4]) for row in keys}
    return tuple(_seen(row, positions.get(row[3])) for row in sorted(described, key=lambda row: row[16]))


def _seen(row: Any, key_position: int | None) -> ColumnSeen:
    kind, type_name, size, digits = int(row[4]), str(row[5]).lower(), row[6], row[8]
    bound = getattr(row, "typmod", None) != -1  # PostgreSQL's driver makes a length up for what has none
    length = size if kind in _TEXT and bound and size and size < _BOUNDLESS else None
    fixed = kind in _DECIMAL and bound
    return ColumnSeen(
        name=row[3],
        physical_type=_own_words(type_name, length, (size, digits) if fixed else None),
        logical_type="boolean" if type_name == "bool" else _KINDS.get(kind, "other"),
        nullable=int(row[10]) != 0,
        length=length,
        precision=size if fixed else None,
        scale=digits if fixed else None,
        key_position=key_position,
    )


def _own_words(type_name: str, length: int | None, fixed: tuple[Any, Any] | None) -> str:
    if fixed is not None:
        return f"{type_name}({fixed[0]},{fixed[1]})"
    return f"{type_name}({length})" if length is not None else type_name
