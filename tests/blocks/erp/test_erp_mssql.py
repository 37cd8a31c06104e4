"""The contract of a connection to an ERP, on Microsoft SQL Server, wherever one is given.

`NAKOMING_TEST_MSSQL` holds an ODBC connection string of a database that the tests may empty.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from blocks.erp.odbc import ErpOdbc
from blocks.erp.settling import OVERLAP
from tests.blocks.erp.contract import COLUMNS, ROWS, Changes, ErpContract

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "NAKOMING_TEST_MSSQL"
WORD = re.compile(r"([^=;]+)=(\{(?:[^}]|\}\})*\}|[^;]*)")
TABLES = """
CREATE TABLE orders (number varchar(20) NOT NULL PRIMARY KEY, quantity int, price decimal(20, 3),
    changed_at datetime2(6), due_on date, done bit, note nvarchar(max), weight float, big bigint);
CREATE TABLE hours (line varchar(20) NOT NULL PRIMARY KEY, number varchar(20), quantity int,
    external_key varchar(80));
CREATE UNIQUE INDEX hours_key ON hours (external_key) WHERE external_key IS NOT NULL;
CREATE TABLE suite_keys (external_key varchar(80) NOT NULL PRIMARY KEY, at datetime2(6) NOT NULL);
"""
EMPTY = """
DECLARE @all nvarchar(max) = N'';
SELECT @all += N'DROP VIEW ' + QUOTENAME(name) + N';' FROM sys.views WHERE is_ms_shipped = 0;
SELECT @all += N'DROP TABLE ' + QUOTENAME(name) + N';' FROM sys.tables WHERE is_ms_shipped = 0;
EXEC (@all);
"""


@dataclass
class MssqlErp:
    """A database on SQL Server."""

    text: str

    def connection(self) -> Any:
        import pyodbc  # its wheel holds no libodbc

        return pyodbc.connect(self.text, autocommit=True)

    def block(self, **changes: Any) -> ErpOdbc:
        words = {name.strip(): value.strip("{}") for name, value in WORD.findall(self.text)}
        by_name = {name.lower(): name for name in words}
        taken = {name: words.pop(by_name[name]) for name in ("driver", "uid", "pwd") if name in by_name}
        os.environ["ERP_MSSQL_PASSWORD"] = taken.get("pwd", "")
        given = {
            "driver": taken["driver"],
            "settings": words,
            "username": taken.get("uid"),
            "dialect": "mssql",
        }
        given |= {"password": "env:ERP_MSSQL_PASSWORD"} if "pwd" in taken else {}
        return ErpOdbc(**(given | changes))

    def run(self, statement: str) -> None:
        connection = self.connection()
        connection.execute(statement)
        connection.close()

    def as_held(self, value: Any) -> Any:
        return value

    def fill(self, rows: int) -> None:
        self.run("CREATE TABLE bulk (number int, note varchar(200))")
        self.run(
            f"INSERT INTO bulk SELECT TOP {rows} ROW_NUMBER() OVER (ORDER BY (SELECT 1)), "  # noqa: S608 - ours
            "REPLICATE('0', 200) FROM sys.all_columns a CROSS JOIN sys.all_columns b"
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        connection = self.connection()
        connection.autocommit = False
        connection.execute("UPDATE orders SET note = note WHERE number = 'A-1'")
        yield
        connection.rollback()
        connection.close()

    def slow_view(self) -> str:
        self.run(
            "CREATE VIEW slow AS SELECT CAST(COUNT_BIG(*) AS varchar(30)) AS number "
            "FROM sys.all_columns a CROSS JOIN sys.all_columns b CROSS JOIN sys.all_columns c"
        )
        return "slow"

    def refusing(self) -> str:
        self.run(
            "CREATE TRIGGER no_13 ON hours AFTER INSERT AS "
            "IF EXISTS (SELECT * FROM inserted WHERE quantity = 13) THROW 50013, 'no hours on a 13th', 1"
        )
        return "no hours on a 13th"

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self.run("ALTER DATABASE CURRENT SET READ_ONLY WITH ROLLBACK IMMEDIATE")
        yield
        self.run("ALTER DATABASE CURRENT SET READ_WRITE WITH ROLLBACK IMMEDIATE")


@pytest.fixture
def erp() -> MssqlErp:
    peer = MssqlErp(os.environ[VARIABLE])
    connection = peer.connection()
    connection.execute("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON")
    connection.execute(EMPTY)
    connection.execute(TABLES)
    marks = ", ".join("?" * len(COLUMNS))
    insert = f"INSERT INTO orders VALUES ({marks})"  # noqa: S608 - marks for values, and nothing else
    connection.cursor().executemany(insert, ROWS)
    connection.close()
    return peer


@pytest.mark.mssql
@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no SQL Server")
class TestMssql(ErpContract):
    """All of the contract."""

    # The numbers of the tests are higher than any row version of the database: something else fills them.
    VERSIONS_AGAIN = OVERLAP

    @pytest.mark.parametrize("kind", ["stamped", "cast"])
    def test_a_row_version_that_is_still_being_written_holds_the_watermark(
        self, erp: MssqlErp, kind: str
    ) -> None:
        erp.run("CREATE TABLE stamped (number varchar(20), version rowversion)")
        erp.run("CREATE VIEW cast AS SELECT number, CAST(version AS bigint) AS version FROM stamped")
        change = Changes("row_version", "version")
        late = erp.connection()
        late.autocommit = False
        late.execute("INSERT INTO stamped (number) VALUES ('late')")
        erp.run("INSERT INTO stamped (number) VALUES ('early')")
        with erp.block().connect() as session:
            window = session.settles(kind, change, None)
            assert window.mark is None
            late.commit()
            settled = session.settles(kind, change, None)
            assert settled.mark == settled.reach == window.reach
