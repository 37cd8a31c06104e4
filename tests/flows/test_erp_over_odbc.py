"""The exchange with an ERP that is reached over ODBC: what comes in and goes out is equal, sign by sign."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from blocks.erp.odbc import ErpOdbc
from blocks.suite_database import SuiteDatabase
from flows.erp import both_ways
from flows.erp_sync import PROCESS
from tests.harness.block_names import forget
from tests.harness.erp import CUSTOMER, on_postgresql, over_odbc
from tests.harness.installation import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.store import Records
    from tests.harness.erp import BothSides
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")
NAME = "Żółw & Søn 東京 👩🏽‍🏭 'quoted' \"twice\" %s ? {curly}"


@pytest.fixture
def both(prefect_api: PrefectServer, postgres_server: PostgresServer) -> Iterator[BothSides]:
    """An ERP behind PostgreSQL's ODBC driver, and a Suite."""
    del prefect_api
    with postgres_server.database() as erp, postgres_server.database() as suite:
        sides = over_odbc(on_postgresql(postgres_server, erp, suite))
        forget("brouwer-erp")  # one that another test left, of another kind
        sides.erp.save("brouwer-erp")
        sides.suite.save("brouwer-suite", overwrite=True)
        yield sides
        ErpOdbc.delete("brouwer-erp")
        SuiteDatabase.delete("brouwer-suite")


def exchange(records: Records, subject: str, **given: Any) -> str | None:
    parameters = {"mode": "incremental", "order": "", "dry_run": False} | given
    return Walker(records, PROCESS, CUSTOMER, subject, parameters).enter()


def erp_rows(both: BothSides, query: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(both.erp_url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found


def open_order(both: BothSides) -> str:
    closed = set(both.mess.closed)
    numbers = [row[0] for row in both.suite_rows("SELECT number FROM production_orders ORDER BY number")]
    return next(number for number in numbers if number not in closed)


def test_rows_come_in_as_they_stand_there(records: Records, both: BothSides) -> None:
    both.in_erp("ALTER TABLE erp_orders DISABLE TRIGGER USER")
    both.in_erp(
        "UPDATE erp_orders SET customer_name = :name, description = NULL, qty = '7', due_date = '2028-02-29'"
        " WHERE order_no = (SELECT min(order_no) FROM erp_materials WHERE qty > 0)",
        name=NAME,
    )
    (number,) = erp_rows(both, "SELECT min(order_no) FROM erp_materials WHERE qty > 0")[0]
    assert exchange(records, "first", mode="full") == both_ways.EXCHANGED
    query = "SELECT customer, description, quantity, due_on FROM production_orders WHERE number = :n"
    assert both.suite_rows(query, n=number) == [(NAME, "", 7, date(2028, 2, 29))]
    materials = (
        "SELECT line, article, quantity, unit FROM planned_materials WHERE order_number = :n ORDER BY 1"
    )
    there = f"SELECT line_no, item_no, qty, unit FROM erp_materials WHERE order_no = '{number}' ORDER BY 1"  # noqa: S608 - the ERP's own number
    assert [tuple(row) for row in both.suite_rows(materials, n=number)] == erp_rows(both, there)
    assert exchange(records, "night", mode="compare") == both_ways.COMPARED


def test_rows_go_out_and_are_read_back_equal(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full")
    order = open_order(both)
    both.send("hours_out", order, op_no=10, employee=NAME, worked_on="2028-02-29", minutes=45)
    both.send("materials_out", order, line_no=1, item_no=NAME[:60], qty="1234567.891", unit="kg")
    both.send("materials_out", order, line_no=2, item_no="B", qty=0.1, unit="m²")
    both.send("status_out", order, status="started", at="2026-03-29T03:30:00.123456")
    assert exchange(records, "second") == both_ways.EXCHANGED
    assert both.suite_rows("SELECT state, count(*) FROM erp_sync_outgoing GROUP BY 1") == [
        ("acknowledged", 4)
    ]
    assert both.suite_rows("SELECT DISTINCT guarantee FROM erp_sync_outgoing") == [("exactly-once",)]
    hours = erp_rows(both, "SELECT order_no, op_no, employee, worked_on, minutes FROM erp_hours_in")
    assert hours == [(order, 10, NAME, date(2028, 2, 29), 45)]
    materials = erp_rows(both, "SELECT line_no, item_no, qty, unit FROM erp_materials_in ORDER BY 1")
    assert materials == [
        (1, NAME[:60], Decimal("1234567.891"), "kg"),
        (2, "B", Decimal("0.100"), "m²"),
    ]
    status = erp_rows(both, "SELECT order_no, status, at FROM erp_status_in")
    assert status == [(order, "started", datetime(2026, 3, 29, 3, 30, 0, 123456))]  # noqa: DTZ001 - as it is held there


def test_sent_again_nothing_is_doubled(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full")
    both.send("hours_out", open_order(both), op_no=10, employee="A", worked_on="2026-11-20", minutes=30)
    exchange(records, "second")
    both.in_suite("UPDATE erp_sync_outgoing SET state = 'taken', sent_at = NULL, acknowledged_at = NULL")
    assert exchange(records, "third") == both_ways.EXCHANGED
    assert erp_rows(both, "SELECT count(*) FROM erp_hours_in") == [(1,)]
