"""The rules say the same in SQLite, in PostgreSQL and in great_expectations, whatever stands in a row.

The databases judge by statements of ours, great_expectations by its own: on a frame nothing of ours but the
reading of numbers and dates is shared.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.loading import contract_for
from data_contracts.rules import rules_of
from data_contracts.sql import converted
from data_contracts.validation import StagedRows, broken_rows
from tests.data_contracts import messy
from tests.data_contracts.conftest import judged_as_they_stand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from data_contracts.contract import Contract

INTERFACES = ("orders", "operations", "materials", "hours_out")
KNOWN = {"order_no": {"A1", "B-2"}}
QUICKLY = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SLOWLY = settings(QUICKLY, max_examples=3)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def staged(sqlite_engine: sa.Engine, postgres_engine: sa.Engine) -> Iterator[Callable[[Contract], Any]]:
    """A staging table of text in each database, made once for each contract."""
    made: dict[str, tuple[sa.Table, ...]] = {}

    def tables(contract: Contract) -> list[tuple[sa.Engine, sa.Table]]:
        if contract.interface not in made:
            table = messy.table_of(contract)
            table.name = f"staging_{contract.interface}"
            table.create(sqlite_engine)
            table.create(postgres_engine)
            made[contract.interface] = (table,)
        return [(engine, made[contract.interface][0]) for engine in (sqlite_engine, postgres_engine)]

    yield tables
    for (table,) in made.values():
        table.drop(sqlite_engine)
        table.drop(postgres_engine)


def sql_verdicts(staged: Any, contract: Contract, rows: Rows) -> list[dict[str, list[int]]]:
    verdicts = []
    for engine, table in staged(contract):
        messy.fill(engine, table, rows)
        verdicts.append(judged_as_they_stand(engine, contract, table))
    return verdicts


@pytest.mark.parametrize("interface", INTERFACES)
@QUICKLY
@given(data=st.data())
def test_both_databases_say_the_same(staged: Any, interface: str, data: st.DataObject) -> None:
    contract = contract_for(interface)
    sqlite, postgresql = sql_verdicts(staged, contract, data.draw(messy.rows(contract)))
    assert sqlite == postgresql


@pytest.mark.parametrize("interface", INTERFACES)
@SLOWLY
@given(data=st.data())
def test_great_expectations_says_the_same(staged: Any, interface: str, data: st.DataObject) -> None:
    contract = contract_for(interface)
    rows = data.draw(messy.rows(contract, most=60))
    sqlite, postgresql = sql_verdicts(staged, contract, rows)
    frame = pd.DataFrame(rows, dtype=object)
    assert named(broken_rows(contract, frame, known=KNOWN)) == sqlite
    for engine, table in staged(contract):
        assert named(broken_rows(contract, StagedRows(engine, table))) == postgresql


def named(broken: dict[str, list[int]]) -> dict[str, list[int]]:
    """The rules that were broken, by name."""
    return {rule: numbers for rule, numbers in sorted(broken.items()) if numbers}


@pytest.mark.parametrize("interface", ["orders", "materials"])
@QUICKLY
@given(data=st.data())
def test_good_rows_are_converted_alike(staged: Any, interface: str, data: st.DataObject) -> None:
    """Of rows that break no rule both databases give the Suite the same, with care and without."""
    contract = contract_for(interface)
    rows = data.draw(messy.nearly_good(contract))
    bad = {number for numbers in sql_verdicts(staged, contract, rows)[0].values() for number in numbers}
    assert 1 not in bad
    given_to_suite = []
    for engine, table in staged(contract):
        for trusted in (False, True):
            columns = converted(contract, table, engine.dialect, trusted=trusted)
            good = sa.select(*columns).where(table.c.row_id.not_in(bad)).order_by(table.c.row_id)
            with engine.connect() as connection:
                given_to_suite.append([tuple(map(plain, row)) for row in connection.execute(good)])
    assert all(each == given_to_suite[0] for each in given_to_suite)


def plain(value: Any) -> Any:
    """A number as a number, whichever the driver gives."""
    return float(value) if isinstance(value, Decimal) else value


@QUICKLY
@given(data=st.data())
def test_nothing_makes_a_conversion_fail(staged: Any, data: st.DataObject) -> None:
    """Without trust every row is converted, bad ones to nothing where they cannot be read."""
    contract = contract_for("orders")
    rows = data.draw(messy.rows(contract))
    for engine, table in staged(contract):
        messy.fill(engine, table, rows)
        with engine.connect() as connection:
            columns = converted(contract, table, engine.dialect)
            query = sa.select(*(sa.cast(column, sa.Text) for column in columns))
            assert len(connection.execute(query).all()) == len(rows)


TYPED = {
    "order_no": sa.String(20),
    "customer_name": sa.CHAR(30),
    "qty": sa.Numeric,
    "due_date": sa.Date,
    "row_version": sa.BigInteger,
    "changed_at": sa.DateTime,
    "deleted": sa.SmallInteger,
}
DAYS = st.one_of(
    st.sampled_from([dt.date(1, 1, 1), dt.date(1999, 12, 31), dt.date(2100, 12, 31), dt.date(2101, 1, 1)]),
    st.dates(),
)
TYPED_ROW = st.fixed_dictionaries({
    "order_no": st.one_of(st.none(), st.sampled_from(["A1", "B-2 ", "!", "", " A1"])),
    "customer_name": st.one_of(st.none(), st.sampled_from(["K", " ", "Ö"])),
    "item_no": st.sampled_from(["I", None, "", "x" * 61]),
    "description": st.none(),
    "qty": st.one_of(
        st.none(),
        st.decimals(-10, 1_000_010, places=2),
        st.sampled_from([Decimal("NaN"), Decimal(1), Decimal("5.000"), Decimal("0.5"), Decimal(10) ** 20]),
    ),
    "due_date": st.one_of(st.none(), DAYS),
    "status": st.sampled_from(["planned", "gone", None]),
    "row_version": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(1, 3)),
    "changed_at": st.one_of(st.none(), st.datetimes()),
    "deleted": st.sampled_from([0, 1, 2, None]),
})  # fmt: skip


@QUICKLY
@given(rows=st.lists(TYPED_ROW, min_size=1, max_size=30))
def test_typed_columns_are_judged_as_their_text_is(
    postgres_engine: sa.Engine, sqlite_engine: sa.Engine, rows: Rows
) -> None:
    """PostgreSQL spares typed columns the reading of text; the verdict must not depend on that."""
    contract = contract_for("orders")
    typed, text = messy.table_of(contract, TYPED), messy.table_of(contract)
    typed.create(postgres_engine)
    text.create(sqlite_engine)
    try:
        messy.fill(postgres_engine, typed, rows)
        messy.fill(sqlite_engine, text, [{name: written(each) for name, each in row.items()} for row in rows])
        in_types = judged_as_they_stand(postgres_engine, contract, typed)
        in_texts = judged_as_they_stand(sqlite_engine, contract, text)
    finally:
        typed.drop(postgres_engine)
        text.drop(sqlite_engine)
    assert in_types == in_texts


def written(value: Any) -> str | None:
    """A value as PostgreSQL writes it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)


def test_every_rule_is_broken_by_some_messy_row(staged: Any) -> None:
    """The rows above are worth something only when they reach every rule."""
    broken: set[str] = set()
    for interface in INTERFACES:
        contract = contract_for(interface)
        pools = {
            column.name: [*messy._OF_TYPE[column.logical_type], "gone", None]
            for column in contract.table.columns
        }
        good = messy.good_row(contract)
        rows = [good | {name: cell} for name, pool in pools.items() for cell in pool]
        sqlite, postgresql = sql_verdicts(staged, contract, rows)
        assert sqlite == postgresql
        broken |= {f"{interface}.{rule}" for rule in sqlite}
    asked = {f"{each}.{rule.name}" for each in INTERFACES for rule in rules_of(contract_for(each))}
    assert asked - broken == set()
