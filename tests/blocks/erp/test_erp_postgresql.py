"""The contract of a connection to an ERP, on PostgreSQL reached directly; COPY; what Python cannot hold."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from blocks.erp.errors import ErpEncodingWrong, ErpFull, ErpStatementRefused, ErpTableMissing
from blocks.erp.protocol import Since
from blocks.erp.sqlstate import meaning
from tests.blocks.erp.contract import BEGAN, COLUMNS, ROWS, ErpContract, hours, numbers, read
from tests.blocks.erp.network import NetworkContract

if TYPE_CHECKING:
    from tests.blocks.erp.postgresql_erp import PostgresErp


@pytest.fixture
def erp(postgres_erp: PostgresErp) -> PostgresErp:
    return postgres_erp


class TestPostgresql(ErpContract, NetworkContract):
    """All of the contract."""


def test_rows_copied_out_and_in_are_the_same(erp: PostgresErp) -> None:
    erp.run("CREATE TABLE again (LIKE orders)")
    with erp.block().connect() as session:
        assert session.can_copy
        for binary in (True, False):
            erp.run("TRUNCATE again")
            out, query = io.BytesIO(), session.copy_query("orders", COLUMNS)
            assert session.copy_out(query, out.write, binary=binary) == 4
            assert session.copy_in("again", COLUMNS, [out.getvalue()], binary=binary) == 4
            assert read(session, "again") == list(ROWS)


def test_a_copy_reads_what_read_would(erp: PostgresErp) -> None:
    erp.run("INSERT INTO orders (number, changed_at) VALUES ('O''Br%ien', '2026-03-05')")
    cases: list[tuple[Any, ...]] = [
        (None, None, None),
        (Since("changed_at", BEGAN), None, None),
        (Since("changed_at", BEGAN, timedelta(hours=1)), BEGAN + timedelta(hours=1), None),
        (None, None, {"number": "O'Br%ien"}),
        (Since("big", 1), None, {"note": None}),
    ]
    with erp.block().connect() as session, session.snapshot():
        for since, upto, only in cases:
            out = io.BytesIO()
            query = session.copy_query("orders", ["number"], since, upto, only=only)
            session.copy_out(query, out.write, binary=False)
            assert sorted(out.getvalue().decode().split("\n")[:-1]) == numbers(
                session, since, upto, only=only
            )


def test_a_copy_that_fails_leaves_nothing_and_the_session_whole(erp: PostgresErp) -> None:
    with erp.block().connect() as session:
        with pytest.raises(ErpTableMissing, match="nothing"):
            session.copy_out("SELECT * FROM nothing", lambda _: None)
        with pytest.raises(RuntimeError, match="full"):
            session.copy_out(session.copy_query("orders", ["number"]), _full)
        assert len(numbers(session)) == 4


def _full(_: object) -> None:
    raise RuntimeError("full")


def test_dates_that_python_cannot_hold_come_as_text(erp: PostgresErp) -> None:
    erp.run("UPDATE orders SET due_on = 'infinity', changed_at = '10000-01-01' WHERE number = 'A-1'")
    erp.run("UPDATE orders SET due_on = '0044-03-15 BC' WHERE number = 'A-2'")
    with erp.block().connect() as session:
        found = read(session, "orders", ["number", "due_on", "changed_at"])
    assert found[0] == ("A-1", "infinity", "10000-01-01 00:00:00")
    assert found[1][1] == "0044-03-15 BC"
    assert len(found) == 4


def test_an_instant_with_a_zone_keeps_its_instant(erp: PostgresErp) -> None:
    erp.run("ALTER TABLE orders ALTER changed_at TYPE timestamptz USING '2026-10-25 00:30:00.000001+00'")
    with erp.block(time_zone="Europe/Amsterdam").connect() as session:
        found = {row[0] for row in read(session, "orders", ["changed_at"])}
        assert found == {datetime(2026, 10, 25, 0, 30, 0, 1, tzinfo=UTC)}
        assert session.high_mark("orders", "changed_at") in found
        assert all(each.tzinfo is UTC for each in found)


def test_the_hour_that_comes_twice_is_read_again(erp: PostgresErp) -> None:
    """Local times of 25 October 2026: 02:50 before the clocks go back, 02:10 an hour and less after it."""
    erp.run("UPDATE orders SET changed_at = '2026-10-25 02:50:00' WHERE number = 'A-1'")
    erp.run("UPDATE orders SET changed_at = '2026-10-25 02:10:00' WHERE number = 'A-2'")
    mark = datetime(2026, 10, 25, 2, 50)  # noqa: DTZ001 - the ERP's own
    since = Since("changed_at", mark, timedelta(minutes=5))
    with erp.block(time_zone="Europe/Amsterdam").connect() as session:
        assert numbers(session, since) == ["A-1", "A-2"]
    with erp.block().connect() as session:
        assert numbers(session, since) == ["A-1"]


def test_a_database_without_an_encoding_is_read_in_the_one_that_is_said(erp: PostgresErp) -> None:
    name = f"{erp.database}_ascii"
    erp.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        with psycopg.connect(erp.server.url(name, driver="postgresql"), client_encoding="SQL_ASCII") as there:
            there.execute("CREATE TABLE orders (number text)")
            there.execute(b"INSERT INTO orders VALUES ('caf\xe9')")
        with erp.block(database=name).connect() as session:
            with pytest.raises(ErpEncodingWrong, match=r"utf-8.*0xe9") as caught:
                numbers(session)
            assert "caf" not in str(caught.value)
        with erp.block(database=name, encoding="cp1252").connect() as session:
            assert numbers(session) == ["café"]
    finally:
        erp.run(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_right_that_is_missing_is_no_fault_of_the_effect(erp: PostgresErp) -> None:
    role = f"reader_{erp.database[-6:]}"
    erp.run(f"CREATE ROLE {role} LOGIN")
    erp.run(f"GRANT SELECT ON orders, suite_keys TO {role}")
    with erp.block(username=role).connect() as session:
        with pytest.raises(ErpStatementRefused, match="permission denied"):
            session.apply([hours("h1")])
        assert len(numbers(session)) == 4
    erp.run(f"DROP OWNED BY {role}")
    erp.run(f"DROP ROLE {role}")


def test_a_full_disk_has_a_sentence() -> None:
    """Its state, for no disk is filled here; on SQLite it is tried for real."""
    assert meaning("53100") is ErpFull
