"""Versions that are given out in one order and committed in another: no row is missed, none waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.harness.erp import on_postgresql, over_odbc, there_on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.erp.mess import Mess
    from tests.harness.erp import BothSides
    from tests.harness.postgres import PostgresServer

pytestmark = pytest.mark.clause("S-4.2.1")
NEXT = "UPDATE {table} SET description = %s, row_version = nextval('late') WHERE order_no = %s"


@pytest.fixture(scope="module")
def made(postgres_server: PostgresServer) -> Iterator[tuple[str, str, Mess]]:
    """An ERP whose versions come from a sequence, as most do, and a Suite; to be copied."""
    with postgres_server.database() as erp, postgres_server.database() as suite:
        mess = on_postgresql(postgres_server, erp, suite).mess
        with psycopg.connect(postgres_server.url(erp, driver="postgresql"), autocommit=True) as there:
            there.execute("ALTER TABLE erp_orders DISABLE TRIGGER USER")
            there.execute("CREATE SEQUENCE late START 1000000")
        yield erp, suite, mess


@pytest.fixture(params=["directly", "odbc"])
def both(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, made: tuple[str, str, Mess]
) -> Iterator[BothSides]:
    """Both sides, in step with each other."""
    with postgres_server.database(made[0]) as erp, postgres_server.database(made[1]) as suite:
        sides = there_on_postgresql(postgres_server, erp, suite, made[2])
        sides = over_odbc(sides) if request.param == "odbc" else sides
        sides.fetch("orders", full=True)
        yield sides


class Writer:
    """A transaction of the ERP."""

    def __init__(self, both: BothSides) -> None:
        self.connection = psycopg.connect(both.erp_url.replace("+psycopg", ""))

    def change(self, order: str, to: str, table: str = "erp_orders") -> None:
        self.connection.execute(NEXT.format(table=table), (to, order))

    def commit(self) -> None:
        self.connection.commit()
        self.connection.close()


def described(both: BothSides, *orders: str) -> list[str]:
    found = dict(both.suite_rows("SELECT number, description FROM production_orders"))
    return [found[order] for order in orders]


def some(both: BothSides, count: int) -> list[str]:
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY 1 LIMIT :count", count=count)
    return [row[0] for row in rows]


def mark(both: BothSides) -> Any:
    kept = both.suite_rows("SELECT mark FROM erp_sync_marks WHERE interface = 'orders'")[0][0]
    return json.loads(kept)["at"]


def test_a_lower_version_that_is_committed_later_is_fetched(both: BothSides) -> None:
    one, two, three = some(both, 3)
    before = mark(both)
    late, early = Writer(both), Writer(both)
    late.change(one, "took the lower version")
    early.change(two, "took the higher version")
    early.commit()
    assert both.fetch("orders").changed == 1  # what is there is not kept waiting
    assert described(both, two) == ["took the higher version"]
    assert mark(both) == before
    assert both.fetch("orders").changed == 0
    late.commit()
    again = Writer(both)
    again.change(three, "afterwards")
    again.commit()
    assert both.fetch("orders").changed == 2
    assert described(both, one, three) == ["took the lower version", "afterwards"]
    assert int(mark(both)) == 1_000_002
    assert both.fetch("orders").staged == 0


def test_a_long_change_of_many_batches_holds_the_watermark_and_loses_nothing(both: BothSides) -> None:
    first, *others = some(both, 30)
    late = Writer(both)
    late.change(first, "took the lowest version")
    for order in others:
        early = Writer(both)
        early.change(order, "changed")
        early.commit()
    before = mark(both)
    assert both.fetch("orders", batch_rows=4).changed == len(others)
    assert mark(both) == before
    late.commit()
    assert both.fetch("orders", batch_rows=4).changed == 1
    assert described(both, first) == ["took the lowest version"]
    assert int(mark(both)) == 1_000_000 + len(others)


def test_a_table_of_parts_behind_a_view_is_looked_through(both: BothSides) -> None:
    """The row that is still being written lies in a partition; the exchange reads a view of its parent."""
    one, two = some(both, 2)
    both.in_erp("ALTER TABLE erp_orders RENAME TO part")
    both.in_erp("CREATE TABLE whole (LIKE part) PARTITION BY RANGE (row_version)")
    both.in_erp("ALTER TABLE whole ATTACH PARTITION part FOR VALUES FROM (MINVALUE) TO (MAXVALUE)")
    both.in_erp("CREATE VIEW erp_orders AS SELECT * FROM whole")
    late, early = Writer(both), Writer(both)
    late.change(one, "took the lower version", "part")
    early.change(two, "took the higher version", "part")
    early.commit()
    assert both.fetch("orders").changed == 1
    late.commit()
    assert both.fetch("orders").changed == 1
    assert described(both, one, two) == ["took the lower version", "took the higher version"]


def test_who_only_reads_or_writes_elsewhere_holds_nothing_up(both: BothSides) -> None:
    (one,) = some(both, 1)
    reader, elsewhere, early = Writer(both), Writer(both), Writer(both)
    reader.connection.execute("SELECT count(*) FROM erp_orders")
    elsewhere.connection.execute("DELETE FROM erp_materials WHERE false")
    early.change(one, "changed")
    early.commit()
    before = mark(both)
    assert both.fetch("orders").changed == 1
    assert mark(both) != before
    reader.commit()
    elsewhere.commit()
