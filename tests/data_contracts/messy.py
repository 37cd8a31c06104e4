"""Rows as real ERPs have them, and staging tables to put them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_contracts.contract import Column, Contract

# Signs that databases read differently: blanks of all kinds, digits of other scripts, what LIKE and GLOB use.
SIGNS = "0123456789.+-: T/AZaz_éßİ\u0301\u00a0\u2003\u0663\t\r\n'\"%\\[]*?^~!{}|$&🏭"
NUMBERS = [
    *("1", "0", "5", "-5", "+7", "007", "1000000", "1000001", "12.0", "12.5", "12.000", "0.001", "0.0001"),
    *("1.", ".5", "1.2.3", "+-1", "1e5", "1,5", "NaN", "Infinity", "-0", "999999999", "999999999999"),
    *("9999999999999", "123456789012345678", "1234567890123456789", "0.1234560000", "0.1234567", " 8 ", "٣"),
    *("1000000.000001", "12.50", "1440", "1441", "--1", "- 1", "0x1F", "1_000", "½", "5\u00a0"),
]
DATES = [
    *("2026-02-28", "2026-02-29", "2028-02-29", "2100-02-29", "2000-02-29", "31-12-2026", "31-04-2026"),
    *("2026-13-01", "2026-00-10", "00-01-2026", "32-01-2026", "0001-01-01", "01-01-0001", "0000-01-01"),
    *("1999-12-31", "2000-01-01", "2100-12-31", "2101-01-01", "9999-12-31", "10000-01-01", "2026-1-1"),
    *("26-02-2026", "12-31-2026", "2026/02/01", "20260201", "today", "2026-02-28 10:00:00", " 2026-02-28 "),
    *("２０２６-02-01", "-026-02-01", "2026-02-3a", "+026-02-01", "2026-02-30", "infinity", "now"),
]
INSTANTS = [
    *("2026-02-28 10:00:00", "2026-02-28T10:00:00", "2026-02-28 10:00:00.123456", "2026-02-28 24:00:00"),
    *("2026-02-28 23:59:60", "2026-02-29 10:00:00", "2026-02-28 10:00", "2026-02-28  10:00:00", "2026-02-28"),
    *("2026-02-28 10:00:00.", "2026-02-28 10:00:00.1234567", "2026-02-28 10:00:00Z", "0001-01-01 00:00:00"),
    *("2026-02-28 10:00:00.1", "2026-02-28 29:00:00", "2026-02-28 1a:00:00"),
]
FLAGS = ["0", "1", "true", "false", "True", "FALSE", "t", "f", "yes", "2", "", " 1 ", "TRue", "01"]
TEXTS = [
    *("", " ", "\t\n", "\u00a0", "\u2003", "Müller & Zn.", "=1+1", "Überlänge" * 20, "x" * 120, "x" * 121),
    *("é" * 60, "é" * 61, "ORD-00000001", "ORD 1", " A-1 ", "A/1.b_c", "a" * 20, "a" * 21, "A'1", "A%"),
    *(
        "planned",
        "Planned",
        "planned ",
        "released",
        "finished",
        "cancelled",
        "2026-02-30",
        "[0-9]",
        "A\nB",
        "~~",
        "d" * 401,
    ),
]
_OF_TYPE = {
    "integer": NUMBERS,
    "number": NUMBERS,
    "date": DATES,
    "timestamp": INSTANTS,
    "boolean": FLAGS,
    "string": TEXTS,
}


_GOOD = {
    "string": "A1",
    "integer": "1",
    "number": "12.500",
    "date": "2026-02-28",
    "timestamp": "2026-02-28 10:00:00",
    "boolean": "0",
}


def good_row(contract: Contract, number: int = 1) -> dict[str, str | None]:
    """A row that breaks no rule; another number, another key (of orders there are two that are known)."""
    row: dict[str, str | None] = {}
    for column in contract.table.columns:
        usual = column.allowed[0] if column.allowed else _GOOD[column.logical_type]
        if column.name in contract.key and column.reference is None:
            usual = str(number) if column.logical_type == "integer" else f"ORD-{number:08}"
        row[column.name] = usual
    return row


def nearly_good(contract: Contract) -> st.SearchStrategy[list[dict[str, str | None]]]:
    """Good rows, each with a column that holds anything; and one that is good for certain."""
    names = [column.name for column in contract.table.columns]
    changes = st.lists(
        st.sampled_from(names).flatmap(
            lambda name: st.tuples(st.just(name), value(contract.table.column(name)))
        ),
        max_size=16,
    )
    return changes.map(
        lambda drawn: [
            good_row(contract, 99),
            *(good_row(contract, at) | {name: cell} for at, (name, cell) in enumerate(drawn, 1)),
        ]
    )


def value(column: Column) -> st.SearchStrategy[str | None]:
    """A text for a column: usual, nearly right, or anything."""
    known = st.sampled_from([*_OF_TYPE[column.logical_type], *column.allowed])
    anything = st.text(SIGNS, max_size=24)
    return st.one_of(known, known, known, anything, st.none())


def rows(contract: Contract, most: int = 16) -> st.SearchStrategy[list[dict[str, str | None]]]:
    """Some rows; keys and versions out of few, so that they meet."""
    columns: dict[str, st.SearchStrategy[str | None]] = {
        column.name: value(column) for column in contract.table.columns
    }
    for name in contract.key:
        few = {"string": ["A1", " A1", "B-2", "b-2"], "integer": ["1", "01", "1.0", "2"]}
        texts = few[contract.table.column(name).logical_type]
        columns[name] = st.one_of(st.sampled_from(texts), columns[name])
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=most)


def table_of(contract: Contract, types: Mapping[str, Any] | None = None, **options: Any) -> sa.Table:
    """A staging table: text, but for the columns in `types`."""
    columns = [
        sa.Column(column.name, (types or {}).get(column.name, sa.Text)) for column in contract.table.columns
    ]
    number = sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    return sa.Table("staging", sa.MetaData(), number, *columns, **options)


def fill(engine: sa.Engine, table: sa.Table, given: Sequence[Mapping[str, Any]]) -> None:
    """Let exactly these rows stand in the table, numbered from 1."""
    numbered = [{"row_id": at, **row} for at, row in enumerate(given, 1)]
    with engine.begin() as connection:
        connection.execute(table.delete())
        connection.execute(table.insert(), numbered)


def suite_tables(engine: sa.Engine) -> None:
    """The table of the Suite that others refer to, with two orders."""
    orders = sa.Table("production_orders", sa.MetaData(), sa.Column("number", sa.Text, primary_key=True))
    with engine.begin() as connection:
        orders.create(connection)
        connection.execute(orders.insert(), [{"number": "A1"}, {"number": "B-2"}])
