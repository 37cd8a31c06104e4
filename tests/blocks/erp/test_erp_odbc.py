"""The contract of a connection to an ERP, over ODBC; PostgreSQL's driver plays any other."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pydantic import ValidationError

from blocks.erp.errors import ErpConnectionLost, ErpEncodingWrong, OdbcMissing
from blocks.erp.odbc import ErpOdbc
from blocks.erp.odbc_address import Address
from blocks.erp.protocol import Since
from tests.blocks.erp.contract import COLUMNS, ROWS, ErpContract, numbers, read
from tests.blocks.erp.network import NetworkContract

if TYPE_CHECKING:
    from blocks.erp.odbc_session import OdbcSession
    from tests.blocks.erp.postgresql_erp import OdbcErp

EXACT = [*COLUMNS, "seen_at", "short", "small", "fixed", "tiny"]


@pytest.fixture
def erp(odbc_erp: OdbcErp) -> OdbcErp:
    return odbc_erp


class TestOdbc(ErpContract, NetworkContract):
    """All of the contract."""


def _wide(erp: OdbcErp) -> None:
    erp.run(
        "ALTER TABLE orders ADD seen_at timestamptz DEFAULT '0001-01-01 00:00:00.000001+00', "
        "ADD short varchar(4) DEFAULT '😀😀😀😀', ADD small real DEFAULT 0.1, "
        "ADD fixed char(5) DEFAULT 'ab', "
        "ADD tiny smallint DEFAULT -32768"
    )
    erp.run("UPDATE orders SET note = repeat('漢😀', 10000) WHERE number = 'A-1'")
    erp.run(
        "UPDATE orders SET changed_at = '9999-12-31 23:59:59.999999', weight = 'NaN' WHERE number = 'A-2'"
    )


def _batched(session: OdbcSession, columns: list[str], *args: Any, **given: Any) -> list[tuple[Any, ...]]:
    return sorted(row for each in session.batches("orders", columns, *args, **given) for row in each.rows())


def test_record_batches_hold_the_very_rows_of_pyodbc(erp: OdbcErp) -> None:
    _wide(erp)
    with erp.block(chunk_rows=3).connect() as session:
        chunks = list(session.batches("orders", EXACT))
        assert [each.count for each in chunks] == [3, 1]
        assert all(each.batch is not None for each in chunks)
        rows, batched = read(session, "orders", EXACT), _batched(session, EXACT)
        assert repr(batched) == repr(rows)  # also where a value does not equal itself
        assert rows[2][:9] == ROWS[2]


def test_a_decimal_that_is_no_number_is_not_made_zero(erp: OdbcErp) -> None:
    erp.run("UPDATE orders SET price = 'NaN' WHERE number = 'A-2'")
    with erp.block().connect() as session:
        (chunk,) = session.batches("orders", ["number", "price"])
        assert chunk.batch is None
        found = dict(chunk.rows())
        assert found["A-2"].is_nan()
        assert found["A-1"] == Decimal("10.500")


@pytest.mark.parametrize("kind", ["numeric", "bytea", "uuid", "time"])
def test_a_type_that_is_not_exact_in_batches_is_read_in_rows(erp: OdbcErp, kind: str) -> None:
    erp.run(f"ALTER TABLE orders ADD other {kind}")
    erp.run("ALTER TABLE orders ADD large numeric DEFAULT 1.23456789012345678901234567890123456789012345")
    with erp.block().connect() as session:
        (chunk,) = session.batches("orders", ["number", "other", "large"])
        assert chunk.batch is None
        assert sorted(chunk.rows()) == read(session, "orders", ["number", "other", "large"])
        assert chunk.rows()[0][2] == Decimal("1.23456789012345678901234567890123456789012345")


def test_batches_of_changes_and_of_nothing(erp: OdbcErp) -> None:
    with erp.block().connect() as session:
        since = Since("changed_at", ROWS[1][3])
        assert _batched(session, ["number"], since) == [("B-1",), ("B-2",)]
        assert _batched(session, ["number"], None, None, only={"number": "A-1"}) == [("A-1",)]
        erp.run("DELETE FROM orders")
        assert _batched(session, COLUMNS) == []


def test_batches_are_of_the_state_of_the_snapshot(erp: OdbcErp) -> None:
    with erp.block().connect() as session:
        with session.snapshot():
            mark = session.high_mark("orders", "changed_at")
            erp.run("INSERT INTO orders (number, note) VALUES ('C-1', repeat('x', 100000))")
            assert len(_batched(session, COLUMNS)) == 4
            assert session.high_mark("orders", "changed_at") == mark
        assert len(_batched(session, COLUMNS)) == 5


def test_batches_that_are_cut(erp: OdbcErp) -> None:
    erp.fill(20_000)
    with erp.block(chunk_rows=100).connect() as session:
        chunks = session.batches("bulk", ["number", "note"])
        next(chunks)
        assert erp.terminate() == 2
        with pytest.raises(ErpConnectionLost, match="reading bulk"):
            list(chunks)


def test_an_instant_in_the_erps_zone(erp: OdbcErp) -> None:
    _wide(erp)
    erp.run("UPDATE orders SET seen_at = '2026-07-01 10:00:00+00'")
    with erp.block(time_zone="Europe/Amsterdam").connect() as session:
        local = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - ODBC knows no zones
        assert {row[0] for row in read(session, "orders", ["seen_at"])} == {local}
        assert {row[0] for row in _batched(session, ["seen_at"])} == {local}
        assert session.now().tzinfo is UTC


def test_bytes_that_are_no_text(erp: OdbcErp) -> None:
    name = f"{erp.database}_ascii"
    erp.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        with psycopg.connect(erp.server.url(name, driver="postgresql"), client_encoding="SQL_ASCII") as there:
            there.execute("CREATE TABLE orders (number text)")
            there.execute(b"INSERT INTO orders VALUES ('caf\xe9')")
        erp.database = name
        with erp.block().connect() as session, pytest.raises(ErpEncodingWrong, match="0xe9"):
            numbers(session)
    finally:
        with psycopg.connect(erp.server.url(driver="postgresql"), autocommit=True) as there:
            there.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_driver_that_is_not_installed_has_one_sentence(erp: OdbcErp) -> None:
    with pytest.raises(OdbcMissing, match=r"NoSuchDriver.*apt-get install unixodbc"):
        erp.block(driver="NoSuchDriver").check()


def test_a_machine_without_libodbc_has_one_sentence(erp: OdbcErp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(OdbcMissing, match=r"apt-get install unixodbc"):
        erp.block().check()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Server": "x", "PWD": "hunter2"}, "PWD stands in settings"),
        ({"Server": "x", "Access Token": "hunter2"}, "Access Token stands in settings"),
        ({"UID": "x"}, "field of its own"),
        ({"Server;PWD": "x"}, "no word"),
    ],
)
def test_a_connection_described_wrongly(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ErpOdbc(driver="x", settings=settings)


def test_no_value_begins_another_word() -> None:
    address = Address("/opt/lib driver.so", {"Server": "a;PWD=x", "Database": "b}c"}, "{me}", "mssql")
    text = address.connection_string("p;w}d", 10)
    assert text == ("Driver={/opt/lib driver.so};Server={a;PWD=x};Database={b}}c};UID={{me}}};PWD={p;w}}d};")
