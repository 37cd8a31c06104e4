"""Bad days of an ERP, each met by the whole exchange: what it says, what it keeps, and that it goes on."""

from __future__ import annotations

import contextvars
import socket
import sqlite3
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from blocks.erp import sqlite as erp_sqlite
from blocks.erp.database import ErpDatabase
from blocks.suite_database import SuiteDatabase
from demo.erp import play
from flows.erp import both_ways
from flows.erp_sync import PROCESS, erp_sync
from nakoming.records import documents, schema
from tests.blocks.erp.proxy import line_to
from tests.harness.erp import CUSTOMER, on_postgresql, on_sqlite
from tests.harness.erp_pair import agree, sqlite_pair
from tests.harness.installation import Walker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.erp import BothSides
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")


@contextmanager
def saved(both: BothSides) -> Iterator[BothSides]:
    both.erp.save("brouwer-erp", overwrite=True)
    both.suite.save("brouwer-suite", overwrite=True)
    yield both
    ErpDatabase.delete("brouwer-erp")
    SuiteDatabase.delete("brouwer-suite")


@pytest.fixture
def both(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[BothSides]:
    """An ERP and a Suite in files."""
    del prefect_api
    with saved(on_sqlite(tmp_path)) as sides:
        yield sides


@pytest.fixture
def served(prefect_api: PrefectServer, postgres_server: PostgresServer) -> Iterator[BothSides]:
    """An ERP and a Suite on a server."""
    del prefect_api
    with (
        postgres_server.database() as erp,
        postgres_server.database() as suite,
        saved(on_postgresql(postgres_server, erp, suite)) as sides,
    ):
        yield sides


def exchange(records: Records, subject: str, customer: str = CUSTOMER, **given: Any) -> str | None:
    parameters = {"mode": "incremental", "order": "", "dry_run": False} | given
    return Walker(records, PROCESS, customer, subject, parameters).enter()


def in_a_thread(work: Callable[..., object], *given: Any) -> threading.Thread:
    """A thread that knows the test's Prefect server."""
    return threading.Thread(target=contextvars.copy_context().run, args=(work, *given))


def told(records: Records, about: str) -> int:
    with records.read() as tx:
        rows = tx.connection.execute(schema.outbox.select().where(schema.outbox.c.kind == "operators"))
        return sum(about in row.key for row in rows)


def orders(both: BothSides) -> list[Any]:
    return both.suite_rows("SELECT * FROM production_orders ORDER BY number")


def open_orders(both: BothSides, count: int) -> list[str]:
    closed = set(both.mess.closed)
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY number")
    return [row[0] for row in rows if row[0] not in closed][:count]


def work(both: BothSides, order: str, minutes: int = 30) -> None:
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=minutes)


def test_a_customer_that_does_not_exist_is_one_sentence(records: Records, both: BothSides) -> None:
    del both
    state = erp_sync("nobody", return_state=True)
    assert state.is_failed()
    assert "nobody" in state.message
    with records.read() as tx:
        assert tx.connection.execute(schema.cases.select()).all() == []


def test_one_order_alone_is_exchanged(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full")
    wanted, other = open_orders(both, 2)
    both.in_erp("UPDATE erp_orders SET description = 'changed' WHERE order_no IN (:a, :b)", a=wanted, b=other)
    work(both, wanted)
    work(both, other)
    assert exchange(records, "one", order=wanted) == both_ways.EXCHANGED
    changed = both.suite_rows("SELECT number FROM production_orders WHERE description = 'changed'")
    assert changed == [(wanted,)]
    assert [row.order_no for row in play.hours(both.erp_url)] == [wanted]
    assert exchange(records, "all") == both_ways.EXCHANGED
    assert len(both.suite_rows("SELECT number FROM production_orders WHERE description = 'changed'")) == 2
    assert len(play.hours(both.erp_url)) == 2


def test_two_runs_at_once_for_one_customer_do_all_of_it_once(records: Records, served: BothSides) -> None:
    exchange(records, "first", mode="full")
    play.change(served.erp_url, 40, 3)
    for order in open_orders(served, 20):
        work(served, order)
    together = threading.Barrier(2)
    states: dict[str, Any] = {}

    def run(subject: str) -> None:
        together.wait()
        states[subject] = erp_sync(CUSTOMER, subject=subject, return_state=True)

    runs = [in_a_thread(run, subject) for subject in ("left", "right")]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert any(each.is_completed() for each in states.values())
    assert exchange(records, "after") == both_ways.EXCHANGED
    query = "SELECT count(*), count(DISTINCT key) FROM erp_sync_transactions WHERE change = 'changed'"
    assert served.suite_rows(query) == [(40, 40)]
    assert len(play.hours(served.erp_url)) == 20
    assert exchange(records, "night", mode="compare") == both_ways.COMPARED


@pytest.mark.parametrize(
    ("drift", "back", "said"),
    [
        (
            "ALTER TABLE erp_orders RENAME COLUMN item_no TO article_no",
            "ALTER TABLE erp_orders RENAME COLUMN article_no TO item_no",
            "item_no",
        ),
        (
            "ALTER TABLE erp_orders ALTER COLUMN row_version TYPE text",
            "ALTER TABLE erp_orders ALTER COLUMN row_version TYPE bigint USING row_version::bigint",
            "row_version",
        ),
    ],
)
def test_a_column_that_vanished_or_was_retyped_loads_nothing_and_is_told(
    records: Records, served: BothSides, drift: str, back: str, said: str
) -> None:
    exchange(records, "first", mode="full")
    before = orders(served)
    served.in_erp("ALTER TABLE erp_orders DISABLE TRIGGER USER")
    served.in_erp("UPDATE erp_orders SET description = 'later', row_version = row_version + 1000000")
    served.in_erp(drift)
    assert exchange(records, "drift") == both_ways.REFUSED
    assert orders(served) == before
    assert told(records, "/refused/orders/") == 1
    with records.read() as tx:
        kept = [each for each in documents.listed(tx, CUSTOMER) if each.name.startswith("erp-orders-")]
    assert any(said in documents.content(records, each).decode() for each in kept)
    served.in_erp(back)
    assert exchange(records, "back") == both_ways.EXCHANGED
    assert orders(served) != before


def test_an_emptied_table_removes_nothing_and_is_told(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full")
    before = both.suite_rows("SELECT count(*) FROM planned_materials")
    both.in_erp("DELETE FROM erp_materials")
    assert exchange(records, "again", mode="full") == both_ways.REFUSED
    assert both.suite_rows("SELECT count(*) FROM planned_materials") == before
    assert told(records, "/refused/materials/") == 1


def test_an_erp_that_hangs_holds_no_other_customer_up(
    records: Records, both: BothSides, tmp_path: Path
) -> None:
    """The server takes the connection and says nothing; the other customer is done before it is given up."""
    good = sqlite_pair(tmp_path / "kestrel")
    good.save_blocks("kestrel")
    agree(records, "kestrel")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = {"host": "127.0.0.1", "port": silent.getsockname()[1], "database": "erp", "username": "x"}
        hanging = ErpDatabase(
            dialect="postgresql", connect_timeout=timedelta(seconds=20), attempts=1, **address
        )
        hanging.save("brouwer-erp", overwrite=True)
        outcome: list[str | None] = []
        waits = in_a_thread(lambda: outcome.append(exchange(records, "hangs")))
        waits.start()
        silent.settimeout(15)
        line, _ = silent.accept()
        assert exchange(records, "goes-on", customer="kestrel") == both_ways.EXCHANGED
        assert waits.is_alive()
        line.close()
        waits.join(25)
    assert outcome == [both_ways.NOT_REACHED]
    assert good.rows("SELECT count(*) FROM production_orders")[0][0] > 150
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] == 0


def test_a_slow_erp_is_given_up_in_time_and_caught_up_with(records: Records, served: BothSides) -> None:
    exchange(records, "first", mode="full")
    changed = play.change(served.erp_url, 5, 3)
    served.in_erp("ALTER TABLE erp_orders RENAME TO fast")
    served.in_erp("CREATE VIEW erp_orders AS SELECT fast.* FROM fast, pg_sleep(30)")
    assert isinstance(served.erp, ErpDatabase)
    served.erp.model_copy(update={"statement_timeout": timedelta(seconds=1)}).save(
        "brouwer-erp", overwrite=True
    )
    assert exchange(records, "slow") == both_ways.NOT_REACHED
    served.in_erp("DROP VIEW erp_orders")
    served.in_erp("ALTER TABLE fast RENAME TO erp_orders")
    assert exchange(records, "fast") == both_ways.EXCHANGED
    query = "SELECT count(*) FROM erp_sync_transactions WHERE change = 'changed'"
    assert served.suite_rows(query) == [(len(changed),)]


def test_a_locked_erp_is_no_refusal_and_is_caught_up_with(records: Records, both: BothSides) -> None:
    assert isinstance(both.erp, ErpDatabase)
    assert both.erp.path is not None
    both.erp.model_copy(update={"lock_timeout": timedelta(seconds=0.2), "attempts": 1}).save(
        "brouwer-erp", overwrite=True
    )
    holder = sqlite3.connect(both.erp.path, isolation_level=None)
    holder.execute("PRAGMA journal_mode = DELETE")  # in which a writer keeps readers out
    holder.execute("BEGIN EXCLUSIVE")
    assert exchange(records, "locked") == both_ways.NOT_REACHED
    holder.execute("ROLLBACK")
    holder.close()
    assert exchange(records, "free") == both_ways.EXCHANGED
    assert told(records, "/refused/") == 0


def test_a_read_only_erp_is_still_read_and_what_goes_out_waits(records: Records, served: BothSides) -> None:
    exchange(records, "first", mode="full")
    work(served, open_orders(served, 1)[0])
    play.change(served.erp_url, 5, 3)
    name = served.erp_url.rpartition("/")[2]
    served.in_erp(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert exchange(records, "read-only") == both_ways.REFUSED
    query = "SELECT count(*) FROM erp_sync_transactions WHERE change = 'changed'"
    assert served.suite_rows(query) == [(5,)]
    assert told(records, "/refused/outbox/") == 1
    plain = served.erp_url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True, options="-c default_transaction_read_only=off") as there:
        there.execute(f'ALTER DATABASE "{name}" RESET ALL')
    assert exchange(records, "again") == both_ways.EXCHANGED
    assert len(play.hours(served.erp_url)) == 1


def test_a_full_erp_is_told_and_what_goes_out_waits(
    records: Records, both: BothSides, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange(records, "first", mode="full")
    for order in open_orders(both, 30):
        both.send("hours_out", order, op_no=10, employee="x" * 120, worked_on="2026-11-20", minutes=30)
    opened = erp_sqlite.open_sqlite

    def full(path: Path, bounds: Any) -> Any:
        session = opened(path, bounds)
        (pages,) = session._raw.execute("PRAGMA page_count").fetchone()
        session._raw.execute(f"PRAGMA max_page_count = {pages}")
        return session

    with monkeypatch.context() as patch:
        patch.setattr(erp_sqlite, "open_sqlite", full)
        assert exchange(records, "full") == both_ways.REFUSED
    assert told(records, "/refused/outbox/") == 1
    assert exchange(records, "room") == both_ways.EXCHANGED
    assert len(play.hours(both.erp_url)) == 30


def test_a_line_that_is_cut_in_the_middle_of_a_chunk_loses_and_doubles_nothing(
    records: Records, served: BothSides
) -> None:
    assert isinstance(served.erp, ErpDatabase)
    with line_to(served.erp.port) as line:
        served.erp.model_copy(update={"port": line.port, "attempts": 1}).save("brouwer-erp", overwrite=True)
        line.cut_after(120_000)  # the orders are some 250 kB
        assert exchange(records, "cut", mode="full") == both_ways.NOT_REACHED
        assert orders(served) == []
    served.erp.save("brouwer-erp", overwrite=True)
    assert exchange(records, "whole", mode="full") == both_ways.EXCHANGED
    assert exchange(records, "night", mode="compare") == both_ways.COMPARED


def test_a_watermark_beyond_the_erp_reads_everything_once(records: Records, both: BothSides) -> None:
    """As after the ERP was brought back to an earlier day, or its clock and counters were set back."""
    exchange(records, "first", mode="full")
    both.in_suite("UPDATE erp_sync_marks SET mark = '999999999999'")
    changed = play.change(both.erp_url, 5, 3)
    assert exchange(records, "behind") == both_ways.EXCHANGED
    query = "SELECT count(*) FROM erp_sync_transactions WHERE change = 'changed'"
    assert both.suite_rows(query) == [(len(changed),)]
