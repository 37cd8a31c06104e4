"""A customer's ERP with the mess of real ones, and its Suite: on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from blocks.erp.database import ErpDatabase
from blocks.erp.odbc import ErpOdbc
from blocks.suite_database import SuiteDatabase
from demo.erp.making import make
from tasks.erp.fetching import Asked, fetch
from tasks.erp.interfaces import INBOUND, interface

if TYPE_CHECKING:
    from demo.erp.mess import Mess
    from tasks.erp.loaded import Loaded
    from tests.harness.postgres import PostgresServer

ORDERS = 2000
CUSTOMER = "brouwer"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
SUITE = Path(__file__).parents[2] / "demo" / "suite" / "base"


@dataclass(frozen=True)
class BothSides:
    """The ends of an exchange, and what is wrong with the ERP's rows."""

    erp_url: str
    erp: ErpDatabase | ErpOdbc
    suite: SuiteDatabase
    mess: Mess

    def fetch(self, name: str, *, batch_rows: int = 700, **asked: Any) -> Loaded:
        """Bring one interface up to date."""
        wanted = Asked(customer=CUSTOMER, run="erp_sync/brouwer/test", batch_rows=batch_rows, **asked)
        with self.erp.connect() as session:
            return fetch(session, self.suite.engine(), interface(name), wanted, lambda: NOON)

    def fetch_all(self, **asked: Any) -> dict[str, Loaded]:
        """Bring all interfaces up to date."""
        return {name: self.fetch(name, **asked) for name in INBOUND}

    def suite_rows(self, query: str, **values: Any) -> list[Any]:
        """What the Suite holds."""
        with self.suite.engine().connect() as connection:
            return list(connection.execute(sa.text(query), values))

    def in_suite(self, statement: str, **values: Any) -> None:
        """Change something in the Suite."""
        with self.suite.engine().begin() as connection:
            connection.execute(sa.text(statement), values)

    def in_erp(self, statement: str, **values: Any) -> None:
        """Change something at the ERP."""
        engine = sa.create_engine(self.erp_url)
        with engine.begin() as connection:
            connection.execute(sa.text(statement), values)
        engine.dispose()

    def send(self, kind: str, order: str, **payload: Any) -> None:
        """Put a row into the Suite's outbox, as the Suite does."""
        self.in_suite(
            "INSERT INTO erp_outbox (interface, order_number, payload, created_at)"
            " VALUES (:kind, :number, :payload, :at)",
            kind=kind,
            number=order,
            payload=json.dumps({"order_no": order, **payload}),
            at=NOON.isoformat() if self.suite.dialect == "sqlite" else NOON,
        )


def on_sqlite(folder: Path) -> BothSides:
    """Both in files of a folder."""
    erp, suite = folder / "erp.db", folder / "suite.db"
    url = f"sqlite:///{erp}"
    mess = make(url, orders=ORDERS)
    _migrate(f"sqlite:///{suite}")
    return BothSides(
        url, ErpDatabase(dialect="sqlite", path=erp), SuiteDatabase(dialect="sqlite", path=suite), mess
    )


def on_postgresql(server: PostgresServer, erp: str, suite: str) -> BothSides:
    """Both on a server, in these databases."""
    mess = make(server.url(erp), orders=ORDERS)
    _migrate(server.url(suite).replace("+psycopg", ""))
    return there_on_postgresql(server, erp, suite, mess)


def there_on_postgresql(server: PostgresServer, erp: str, suite: str, mess: Mess) -> BothSides:
    """Both on a server, in databases that are made already, or in copies of them."""
    return BothSides(
        server.url(erp),
        ErpDatabase(**_address(server.url(erp))),
        SuiteDatabase(**_address(server.url(suite))),
        mess,
    )


def over_odbc(both: BothSides) -> BothSides:
    """The same, the ERP reached over PostgreSQL's ODBC driver."""
    at = sa.make_url(both.erp_url)
    settings = {"Server": at.host or "", "Port": str(at.port), "Database": at.database or ""}
    block = ErpOdbc(
        driver="PostgreSQL Unicode", settings=settings, username=at.username, dialect="postgresql"
    )
    return replace(both, erp=block)


def _address(url: str) -> dict[str, Any]:
    parsed = sa.make_url(url)
    return {
        "dialect": "postgresql",
        "host": parsed.host,
        "port": parsed.port,
        "database": parsed.database,
        "username": parsed.username,
    }


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "suite.migrate", "to"],
        cwd=SUITE,
        env=os.environ | {"SUITE_DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        check=True,
    )
