"""The two databases of the kill test of the exchange, and what stands in them afterwards.

Nothing here asks the exchange: the ERP's rows and the Suite's are read by plain SQL and compared.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from blocks.suite_database import SuiteDatabase
from demo.erp import schema
from demo.erp.address import erp_at
from demo.suite.base.suite.migrations import m0001_production_orders as suite_schema
from nakoming.records.engine import writing
from tests.faults.exchange_child import AT, Order
from tests.faults.outside import Damage, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.harness.postgres import PostgresServer

PROCESS = "erp-exchange"
OPERATIONS, MATERIALS = 3, 2
BAD_EVERY = 97
"""One order of so many has a quantity that the contract refuses, so its operations and materials hang too."""
# ruff: noqa: S608 - every statement here is this module's own text
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
_FILL = (
    """INSERT INTO erp_orders SELECT 'PO-' || i, 'Brouwer', 'A-' || i % 50, 'Order ' || i,
    CASE WHEN i % :bad = 0 THEN '-1' ELSE CAST(i % 900 + 1 AS text) END, '2026-12-18', 'planned', i, :at, 0
    FROM n""",
    """INSERT INTO erp_operations SELECT 'PO-' || ((i - 1) / :operations + 1), (i - 1) % :operations + 1,
    'Lassen', i % 300, i, :at FROM n""",
    """INSERT INTO erp_materials SELECT 'PO-' || ((i - 1) / :materials + 1), (i - 1) % :materials + 1,
    'M-' || i % 70, CAST(i % 40 + 1 AS numeric), 'st', i, :at FROM n""",
)
# Which rows of the ERP must be in the Suite, which in quarantine: said once more, in words of its own.
_GOOD = "SELECT order_no FROM erp_orders WHERE CAST(qty AS integer) > 0"
_TABLES: dict[str, tuple[str, str]] = {
    "orders": (
        f"SELECT order_no, qty, due_date FROM erp_orders WHERE order_no {{known}} ({_GOOD})",
        "SELECT number, quantity, due_on FROM production_orders",
    ),
    "operations": (
        f"SELECT order_no, op_no, planned_min FROM erp_operations WHERE order_no {{known}} ({_GOOD})",
        "SELECT order_number, sequence, planned_minutes FROM operations",
    ),
    "materials": (
        f"SELECT order_no, line_no, item_no FROM erp_materials WHERE order_no {{known}} ({_GOOD})",
        "SELECT order_number, line, article FROM planned_materials",
    ),
}
_TELLS = "SELECT payload FROM erp_outbox"
_TOLD = "SELECT order_no, op_no, employee, worked_on, minutes FROM erp_hours_in"
_BOOKED = (
    "SELECT t.key FROM erp_sync_transactions t JOIN erp_sync_batches b ON b.id = t.batch"
    " WHERE b.interface = :name AND t.change = 'created'"
)
_HELD = "SELECT key FROM erp_sync_quarantine WHERE interface = :name"


@dataclass(frozen=True)
class World:
    """Both databases, and what the Suite has to tell."""

    erp_url: str
    suite: SuiteDatabase
    erp: dict[str, Any]
    telling: Counter[tuple[str, ...]]

    def order(self, *, batch_rows: int, chunk: int, damage: str | None = None) -> Order:
        """What a process of the exchange is told."""
        given = self.suite.model_dump(include={"dialect", "path", "host", "port", "database", "username"})
        return Order(self.erp, given, batch_rows, chunk, damage)

    def damage(self) -> Damage:
        """What was lost, and what doubled."""
        damage = Damage()
        with erp_at(self.erp_url) as erp, self.suite.engine().connect() as suite:
            for name in _TABLES:
                _compare_table(name, erp, suite, damage)
            _note(damage, "hours", self.telling, _rows(erp, _TOLD))
            left = "SELECT id FROM erp_outbox UNION ALL SELECT id FROM erp_sync_outgoing"
            left += " WHERE state <> 'acknowledged'"
            _note(damage, "unacknowledged", Counter(), _rows(suite, left))
        return damage

    def moved(self) -> tuple[int, int]:
        """How many rows came in, quarantined ones too, and how many went out."""
        with erp_at(self.erp_url) as erp:
            tables = ("erp_orders", "erp_operations", "erp_materials", "erp_hours_in")
            found = [
                erp.execute(sa.select(sa.func.count()).select_from(sa.table(t))).scalar_one() for t in tables
            ]
        return sum(found[:-1]), found[-1]

    def kept(self) -> tuple[int, int]:
        """How many rows of the ERP the Suite holds, and how many of its own it knows to be at the ERP."""
        with self.suite.engine().connect() as suite:
            tables = ("production_orders", "operations", "planned_materials")
            found = [_count(suite, f"SELECT count(*) FROM {each}") for each in tables]
            done = "SELECT count(*) FROM erp_sync_outgoing WHERE state = 'acknowledged'"
            return sum(found), _count(suite, done)

    def good(self) -> int:
        """How many rows of the ERP keep their contract."""
        with erp_at(self.erp_url) as erp:
            tables = ("erp_orders", "erp_operations", "erp_materials")
            return sum(_count(erp, f"SELECT count(*) FROM {t} WHERE order_no IN ({_GOOD})") for t in tables)


def _count(connection: sa.Connection, query: str) -> int:
    return int(connection.execute(sa.text(query)).scalar_one())


def _compare_table(name: str, erp: sa.Connection, suite: sa.Connection, damage: Damage) -> None:
    there, here = _TABLES[name]
    good = _rows(erp, there.format(known="IN"))
    bad = _rows(erp, there.format(known="NOT IN"))
    _note(damage, name, good, _rows(suite, here))
    _note(damage, f"ledger of {name}", _keys(name, good), _rows(suite, _BOOKED, name=name))
    _note(damage, f"quarantine of {name}", _keys(name, bad), _rows(suite, _HELD, name=name))


def _keys(name: str, rows: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    parts = 1 if name == "orders" else 2
    return Counter(("/".join(row[:parts]),) for row in rows.elements())


def _rows(connection: sa.Connection, query: str, **values: Any) -> Counter[tuple[str, ...]]:
    return Counter(tuple(map(str, row)) for row in connection.execute(sa.text(query), values))


def _note(
    damage: Damage, what: str, wanted: Counter[tuple[str, ...]], found: Counter[tuple[str, ...]]
) -> None:
    for faults, rows in ((damage.lost, wanted - found), (damage.doubled, found - wanted)):
        faults.extend(Fault(PROCESS, f"{what} {'/'.join(row)}") for row in rows.elements())


def sqlite_world(folder: Path, orders: int, hours: int) -> World:
    """Both in files."""
    erp, suite = folder / "erp.sqlite", folder / "suite.sqlite"
    block = SuiteDatabase(dialect="sqlite", path=suite)
    return _made(f"sqlite:///{erp}", {"dialect": "sqlite", "path": erp}, block, orders, hours)


@contextmanager
def postgres_world(server: PostgresServer, orders: int, hours: int) -> Iterator[World]:
    """Both on a server."""
    with server.database() as erp, server.database() as suite:
        shared = {"dialect": "postgresql", "host": server.host, "port": server.port, "username": "postgres"}
        block = SuiteDatabase(**shared, database=suite)
        yield _made(server.url(erp), shared | {"database": erp}, block, orders, hours)


def _made(url: str, erp: dict[str, Any], suite: SuiteDatabase, orders: int, hours: int) -> World:
    counts = (orders, orders * OPERATIONS, orders * MATERIALS)
    values = {"bad": BAD_EVERY, "operations": OPERATIONS, "materials": MATERIALS, "at": "2026-01-05 06:00:00"}
    with erp_at(url) as connection:
        schema.create_tables(connection)
        for statement, count in zip(_FILL, counts, strict=True):
            into, select = statement.split(" SELECT ", 1)
            text = sa.text(f"{into} {_NUMBERS}SELECT {select}")
            connection.execute(_bound(text, connection, values | {"count": count}))
        schema.bring_to_life(connection, max(counts))
    told = [_hours(number, orders) for number in range(hours)]
    engine = suite.engine()
    suite_schema.metadata.create_all(engine)
    rows = [
        {
            "interface": "hours_out",
            "order_number": each["order_no"],
            "payload": json.dumps(each),
            "created_at": AT,
        }
        for each in told
    ]
    with engine.connect() as connection, writing(connection).begin():
        connection.execute(sa.insert(suite_schema.metadata.tables["erp_outbox"]), rows)
    return World(url, suite, erp, Counter(tuple(map(str, each.values())) for each in told))


def _bound(text: sa.TextClause, connection: sa.Connection, values: Mapping[str, Any]) -> sa.TextClause:
    """The values written into the statement: PostgreSQL cannot tell the type of one that is only selected."""
    at = f"TIMESTAMP '{values['at']}'" if connection.dialect.name == "postgresql" else f"'{values['at']}'"
    written = text.text.replace(":at", at)
    for name, value in values.items():
        written = written.replace(f":{name}", str(value)) if name != "at" else written
    return sa.text(written)


def _hours(number: int, orders: int) -> dict[str, Any]:
    order = f"PO-{number % orders + 1}"
    # Two rows that are alike in everything are told apart by their key alone.
    return {
        "order_no": order,
        "op_no": 1,
        "employee": f"E{number // 2}",
        "worked_on": "2026-11-20",
        "minutes": number // 2 % 400 + 1,
    }
