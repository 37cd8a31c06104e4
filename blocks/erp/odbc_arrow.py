"""Bulk reading over ODBC as Arrow record batches, for tables of which every column is exact in them.

Found with PostgreSQL's driver, and therefore done otherwise here: floats came as 32 bits (64 are asked for),
a decimal that is no number came as 0.00 (decimals come as text and are converted here), and text, whose
length the driver makes up, needs a buffer of its real length (which is asked for, in the same snapshot).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from blocks.erp.protocol import ColumnSeen

_EXACT: Final = {"string", "integer", "number", "date", "timestamp", "boolean"}
_FLOATS: Final = {"float4", "float8", "float", "real", "double precision"}
_MOST_DIGITS: Final = 38  # of a decimal of 128 bits
_SIGN_AND_POINT: Final = 3
_UNITS_A_SIGN: Final = 4  # bytes in UTF-8; UTF-16 needs two units at most
_BATCH_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """A chunk: a record batch where all of it is exact, else its rows alone.

    Attributes:
        batch: None where a value has no exact form in Arrow.
        held: the rows, when there is no batch.
    """

    batch: pa.RecordBatch | None
    held: list[tuple[Any, ...]] | None = None

    @property
    def count(self) -> int:
        """How many rows."""
        return self.batch.num_rows if self.batch is not None else len(self.held or ())

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows, as `read` gives them."""
        if self.batch is None:
            return self.held or []
        return list(zip(*(column.to_pylist() for column in self.batch.columns), strict=True))


@dataclass(frozen=True, slots=True)
class Plan:
    """How columns are read.

    Attributes:
        decimals: position to (digits, digits behind the point).
        floats: positions.
        boundless: names of text columns whose greatest length must be asked.
    """

    decimals: dict[int, tuple[int, int]]
    floats: frozenset[int]
    boundless: tuple[str, ...]


def plan(seen: Sequence[ColumnSeen], columns: Sequence[str], values: Sequence[Any]) -> Plan | None:
    """How to read columns as Arrow; None when one is not exact, or the query has values (they go as text)."""
    by_name = {each.name: each for each in seen}
    chosen = [by_name[name] for name in columns if name in by_name]
    if values or len(chosen) < len(columns) or not all(map(_is_exact, chosen)):
        return None
    numbers = {at: each for at, each in enumerate(chosen) if each.logical_type == "number"}
    return Plan(
        decimals={
            at: (each.precision or 0, each.scale or 0) for at, each in numbers.items() if not _is_float(each)
        },
        floats=frozenset(at for at, each in numbers.items() if _is_float(each)),
        boundless=tuple(
            each.name for each in chosen if each.logical_type == "string" and each.length is None
        ),
    )


def _is_float(column: ColumnSeen) -> bool:
    return column.physical_type in _FLOATS


def _is_exact(column: ColumnSeen) -> bool:
    if column.logical_type == "number" and not _is_float(column):
        return column.precision is not None and column.precision <= _MOST_DIGITS
    return column.logical_type in _EXACT


def read(
    connection: Any, query: str, plan: Plan, *, chunk_rows: int, text_signs: int, postgresql: bool
) -> Iterator[Batch]:
    """Run a query and yield its batches.

    Args:
        connection: of arrow_odbc.
        query: without values.
        plan: of its columns.
        chunk_rows: rows a batch at most.
        text_signs: greatest length of a text without a declared one.
        postgresql: its driver gives UTF-8 as it stands, whatever the locale, where of others UTF-16 is asked;
            and the rows come through a cursor of the server's (see `blocks.erp.odbc_address`).
    """
    import arrow_odbc  # heavy, and of no use without libodbc

    digits = max((precision + _SIGN_AND_POINT for precision, _ in plan.decimals.values()), default=0)
    settings = {
        "batch_size": chunk_rows,
        "max_bytes_per_batch": _BATCH_BYTES,
        "max_text_size": max(text_signs * _UNITS_A_SIGN, digits) if plan.boundless else None,
        "map_schema": _asked(plan),
        "payload_text_encoding": arrow_odbc.TextEncoding.UTF8
        if postgresql
        else arrow_odbc.TextEncoding.UTF16,
    }
    if not postgresql:
        for batch in connection.read_arrow_batches(query, **settings, fetch_concurrently=True):
            yield _converted(batch, plan)
        return
    connection.execute(f"DECLARE nakoming_arrow NO SCROLL CURSOR FOR {query}")
    fetch, met = f"FETCH {chunk_rows} FROM nakoming_arrow", True
    while met:
        met = False
        for batch in connection.read_arrow_batches(fetch, **settings, fetch_concurrently=False):
            met = True
            yield _converted(batch, plan)


def _asked(plan: Plan) -> Callable[[pa.Schema], pa.Schema]:
    def asked(offered: pa.Schema) -> pa.Schema:
        import pyarrow as pa  # as above

        kinds = dict.fromkeys(plan.floats, pa.float64()) | dict.fromkeys(plan.decimals, pa.string())
        return pa.schema([field.with_type(kinds.get(at, field.type)) for at, field in enumerate(offered)])

    return asked


def _converted(batch: pa.RecordBatch, plan: Plan) -> Batch:
    import pyarrow as pa  # as above

    arrays = list(batch.columns)
    try:
        for at, (precision, scale) in plan.decimals.items():
            arrays[at] = arrays[at].cast(pa.decimal128(precision, scale))
    except pa.ArrowInvalid:
        return Batch(None, _rows(batch, plan))  # such as NaN, which a decimal of PostgreSQL may be
    return Batch(pa.RecordBatch.from_arrays(arrays, names=batch.schema.names))


def _rows(batch: pa.RecordBatch, plan: Plan) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in batch.columns]
    for at in plan.decimals:
        columns[at] = [None if text is None else Decimal(text) for text in columns[at]]
    return list(zip(*columns, strict=True))
