"""The rules in T-SQL: no SQL Server runs here, so the text itself is held against what it must not do."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from data_contracts.loading import contract_for, parse_contract
from data_contracts.rules import rules_of
from data_contracts.sql import converted, violations
from tests.data_contracts import messy
from tests.data_contracts.conftest import judged_in

if TYPE_CHECKING:
    from data_contracts.contract import Contract

AGREED = parse_contract(Path(__file__).with_name("agreed.yaml").read_text(encoding="utf-8"), "agreed.yaml")
INTERFACES = ("orders", "operations", "materials", "status_out", "hours_out", "materials_out", "overview")


def verdict(contract: Contract) -> str:
    return text_of(violations(contract, messy.table_of(contract), "mssql"))


def text_of(query: sa.Select[tuple[object, ...]]) -> str:
    return " ".join(
        str(query.compile(dialect=mssql.dialect(), compile_kwargs={"literal_binds": True})).split()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    )


@pytest.mark.parametrize("interface", INTERFACES)
def test_nothing_in_it_can_fail_or_is_unknown_there(interface: str) -> None:
    contract = contract_for(interface)
    table = messy.table_of(contract)
    for text in (
        verdict(contract),
        text_of(
            sa.select(*converted(contract, table, "mssql")) if table_filled(contract) else sa.select(table)
        ),
    ):
        assert "MERGE" not in text
        assert "MATERIALIZED" not in text
        assert "NULLS" not in text
        assert " ~ " not in text
        assert "GLOB" not in text
        assert "||" not in text
        # Every conversion of what somebody wrote gives NULL at worst; the other is to text.
        assert not re.search(r"\bCAST\(", text)
        assert set(re.findall(r"(?<!TRY_)CONVERT\((\w+\([^)]*\)|\w+)", text)) <= {"nvarchar(max)"}


def table_filled(contract: Contract) -> bool:
    """Whether the contract fills columns of the Suite at all."""
    return any(column.target for column in contract.table.columns)


def test_all_rules_are_asked_in_one_pass() -> None:
    """A common table is worked out again for each use there: thirty rules must not read thirty times."""
    text = verdict(AGREED)
    assert text.count("FROM judged") == 1
    for rule in rules_of(AGREED):
        assert f"'{rule.name}'" in text


def test_how_a_date_is_judged() -> None:
    text = verdict(AGREED)
    digit = "[0-9]"
    assert f"LIKE N'{digit * 4}-{digit * 2}-{digit * 2}'" in text
    assert f"LIKE N'{digit * 2}-{digit * 2}-{digit * 4}'" in text
    assert "TRY_CONVERT(date, texts.due_date, 23) IS NOT NULL" in text
    assert "judged.due_date__value IN (10101)" in text


def test_texts_are_trimmed_and_compared_sign_by_sign() -> None:
    text = verdict(AGREED)
    blanks = "NCHAR(32)+NCHAR(9)+NCHAR(13)+NCHAR(10)+NCHAR(160)"
    assert f"TRIM({blanks} FROM CONVERT(nvarchar(max), staging.order_no))" in text
    assert "COLLATE Latin1_General_100_BIN2" in text


def test_the_newest_row_is_found_without_a_merge() -> None:
    text = verdict(AGREED)
    assert "row_number() OVER (PARTITION BY" in text
    assert "staging.row_id DESC) AS place" in text
    assert "WHERE anon_1.place > 1" in text


@pytest.mark.mssql
@pytest.mark.skipif("NAKOMING_TEST_MSSQL" not in os.environ, reason="no SQL Server is named")
def test_a_real_server_says_the_same_as_sqlite(sqlite_engine: sa.Engine) -> None:
    engine = sa.create_engine(os.environ["NAKOMING_TEST_MSSQL"])
    pools = {
        column.name: [*messy._OF_TYPE[column.logical_type], "gone", None] for column in AGREED.table.columns
    }
    rows = [messy.good_row(AGREED) | {name: cell} for name, pool in pools.items() for cell in pool]
    types = {column.name: sa.UnicodeText for column in AGREED.table.columns}
    try:
        assert judged_in(engine, AGREED, rows, types) == judged_in(sqlite_engine, AGREED, rows)
    finally:
        engine.dispose()
