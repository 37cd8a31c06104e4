"""The contract of a connection to an ERP, on a SQLite file, and what only a file can do."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import ValidationError

from blocks.erp.database import ErpDatabase
from blocks.erp.errors import ErpEncodingWrong, ErpFull, ErpLocked, ErpUnreachable
from blocks.erp.protocol import Applied, Different, Found, OutEffect, Since
from tests.blocks.erp.contract import COLUMNS, ROWS, ErpContract, hours, numbers, read

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = """
CREATE TABLE orders (number varchar(20) NOT NULL PRIMARY KEY, quantity integer, price text,
    changed_at timestamp, due_on date, done boolean, note text, weight double precision, big bigint);
CREATE TABLE hours (line varchar(20) NOT NULL PRIMARY KEY, number varchar(20), quantity integer,
    external_key varchar(80) UNIQUE);
CREATE TABLE suite_keys (external_key varchar(80) NOT NULL PRIMARY KEY, at timestamp NOT NULL);
"""


@dataclass
class SqliteErp:
    """A file."""

    path: Path

    def connection(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None)

    def block(self, **changes: Any) -> ErpDatabase:
        return ErpDatabase(**({"dialect": "sqlite", "path": self.path} | changes))

    def run(self, statement: str, *values: Any) -> None:
        connection = self.connection()
        connection.execute(statement, values)
        connection.close()

    def as_held(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, datetime):
            return value.isoformat(" ")
        if isinstance(value, date):
            return value.isoformat()
        return int(value) if isinstance(value, bool) else value

    def fill(self, rows: int) -> None:
        self.run("CREATE TABLE bulk (number integer, note text)")
        self.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO bulk SELECT i, printf('%0200d', i) FROM n",
            rows,
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.close()

    def slow_view(self) -> str:
        self.run(
            "CREATE VIEW slow AS WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000000) SELECT max(i) AS number FROM n"
        )
        return "slow"

    def refusing(self) -> str:
        self.run(
            "CREATE TRIGGER no_13 BEFORE INSERT ON hours WHEN NEW.quantity = 13 "
            "BEGIN SELECT RAISE(ABORT, 'no hours on a 13th'); END"
        )
        return "no hours on a 13th"

    @contextmanager
    def read_only(self) -> Iterator[None]:
        # Whoever is root may write to a file without any right; such a mark stops SQLite itself.
        self.run("PRAGMA journal_mode = delete")
        data = bytearray(self.path.read_bytes())
        data[18] = 9  # the format that a writer must know; a reader needs byte 19 alone
        self.path.write_bytes(data)
        yield


@pytest.fixture
def erp(tmp_path: Path) -> SqliteErp:
    peer = SqliteErp(tmp_path / "erp.sqlite")
    connection = peer.connection()
    connection.execute("PRAGMA journal_mode = wal")
    connection.executescript(TABLES)
    marks = ", ".join("?" * len(COLUMNS))
    insert = f"INSERT INTO orders VALUES ({marks})"  # noqa: S608 - marks for values, and nothing else
    connection.executemany(insert, [tuple(map(peer.as_held, row)) for row in ROWS])
    connection.close()
    return peer


class TestSqlite(ErpContract):
    """All of the contract."""

    PRICE: ClassVar[tuple[Any, ...]] = ("string", None, None)  # the only way to keep its digits there


def test_a_file_that_is_none_or_not_there(erp: SqliteErp, tmp_path: Path) -> None:
    with pytest.raises(ErpUnreachable, match="none"), erp.block(path=tmp_path / "none", attempts=1).connect():
        pass
    assert not (tmp_path / "none").exists()
    (tmp_path / "text").write_text("no database at all, but a text of some length" * 100)
    with pytest.raises(ErpUnreachable, match="text"), erp.block(path=tmp_path / "text", attempts=1).connect():
        pass


def test_a_full_disk_is_told_and_nothing_of_the_effect_stays(erp: SqliteErp) -> None:
    with erp.block().connect() as session:
        (pages,) = session._raw.execute("PRAGMA page_count").fetchone()
        session._raw.execute(f"PRAGMA max_page_count = {pages}")
        large = OutEffect("k", "orders", "N-1", {"number": "N-1"}, {"note": "x" * 100_000})
        with pytest.raises(ErpFull, match="k"):
            session.apply([large])
        session._raw.execute("PRAGMA max_page_count = 100000")
        assert session.apply([large]) == [Applied("k")]
        assert session.read_back([large]) == [Found("k")]


def test_text_that_is_not_utf8_is_no_text_until_its_encoding_is_said(erp: SqliteErp) -> None:
    erp.run("UPDATE orders SET note = CAST(x'636166e9' AS TEXT) WHERE number = 'A-1'")
    with erp.block().connect() as session:
        with pytest.raises(ErpEncodingWrong, match=r"utf-8.*note") as caught:
            read(session, "orders", ["number", "note"])
        assert "caf" not in str(caught.value)
        assert len(numbers(session)) == 4
    with erp.block(encoding="cp1252").connect() as session:
        assert read(session, "orders", ["note"], only={"number": "A-1"}) == [("café",)]
    with erp.block(encoding="ascii").connect() as session, pytest.raises(ErpEncodingWrong, match="0xe9"):
        read(session, "orders", ["note"])


def test_digits_that_a_column_cannot_hold_read_back_different(erp: SqliteErp) -> None:
    erp.run("ALTER TABLE hours ADD amount numeric(20, 3)")
    amount = Decimal("12345678901234567.123")
    effects = [hours("h1", values={"amount": amount}), hours("h2", values={"amount": Decimal("1.5")})]
    with erp.block().connect() as session:
        session.apply(effects)
        different, found = session.read_back(effects)
    assert isinstance(different, Different)
    assert different.differences["amount"][0] == amount
    assert found == Found("h2")


def test_instants_as_text_of_several_shapes_are_never_missed(erp: SqliteErp) -> None:
    erp.run("DELETE FROM orders")
    shapes = ["2026-03-02 10:00:00", "2026-03-02 10:00:00.5", "2026-03-02 10:00:00Z", "2026-03-02 09:59:59.9"]
    for number, shape in enumerate(shapes):
        erp.run("INSERT INTO orders (number, changed_at) VALUES (?, ?)", f"N-{number}", shape)
    with erp.block().connect() as session:
        since = Since("changed_at", "2026-03-02 10:00:00.500000", timedelta(0))
        assert numbers(session, since) == ["N-0", "N-1", "N-2"]
        since = Since("changed_at", "2026-03-02 10:00:01", timedelta(seconds=2))
        assert len(numbers(session, since)) == 4
        assert numbers(session, Since("changed_at", "no instant", timedelta(hours=1))) == []


def test_a_writer_that_does_not_end_is_named(erp: SqliteErp) -> None:
    erp.run("PRAGMA journal_mode = delete")
    blocker = erp.connection()
    blocker.execute("BEGIN EXCLUSIVE")
    with (
        pytest.raises(ErpLocked, match="database is locked"),
        erp.block(lock_timeout=timedelta(milliseconds=50)).connect() as session,
    ):
        read(session)
    blocker.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": None}, "sqlite needs path"),
        ({"dialect": "postgresql"}, "needs host"),
        ({"encoding": "klingon"}, "no encoding"),
        ({"time_zone": "Europe/Atlantis"}, "no time zone"),
        ({"time_zone": "../etc/passwd"}, "no time zone"),
        ({"password": "hunter2"}, "env:NAME"),
    ],
)
def test_a_connection_described_wrongly(erp: SqliteErp, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        erp.block(**changes)


def test_no_connection_outlives_its_block(erp: SqliteErp) -> None:
    def held() -> list[str]:
        return [each.name for each in Path("/proc/self/fd").iterdir() if each.resolve() == erp.path]

    with erp.block().connect() as session:
        next(session.read("orders", ["number"]))
        assert held()
    assert not held()
