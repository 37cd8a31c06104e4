"""Two customers of whom one has contracts of its own: other tables, changes by time, tombstones."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from blocks.erp.postgresql import PostgresqlSession
from blocks.erp.sqlite import SqliteSession
from demo.erp import play
from deployments.embedded.records import load_agreements
from flows.erp import both_ways
from flows.erp_sync import PROCESS
from nakoming.records import agreements, cases, schema
from tests.data_contracts.owned import own_orders
from tests.harness.erp_pair import agreement_text, postgres_pair, sqlite_pair
from tests.harness.installation import AGREEMENTS, Walker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.erp_pair import Pair
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
USUAL, OWN = "brouwer", "fenwick"
ENDS = "suite: fenwick-suite, "
TABLE = """
CREATE TABLE mfg_orders (
    ordno text PRIMARY KEY, cust text, item text, descr text, qty text, due text, state text,
    changed timestamp, gone smallint
)
"""
FILL = """
INSERT INTO mfg_orders SELECT order_no, customer_name, item_no, description, qty, due_date, status,
    '2026-11-20 12:00:00', deleted
FROM erp_orders WHERE row_version IN (SELECT max(row_version) FROM erp_orders GROUP BY trim(order_no))
    AND order_no NOT IN (SELECT order_no FROM erp_orders GROUP BY order_no HAVING count(*) > 1)
"""


def agreed(records: Records, folder: Path, contract: str | None) -> None:
    """Load the agreements of both from files; `contract`: of the one whose orders differ."""
    place = folder / "agreements" / "contracts" / OWN
    place.mkdir(parents=True, exist_ok=True)
    for customer in (USUAL, OWN):
        text = agreement_text(customer)
        if customer == OWN and contract is not None:
            (place / "orders.yaml").write_text(contract, encoding="utf-8")
            text = text.replace(ENDS, f"{ENDS}contracts: {{orders: contracts/{OWN}/orders.yaml}}, ")
        (folder / "agreements" / f"{customer}.yaml").write_text(text, encoding="utf-8")
    vendor = (AGREEMENTS / "vendor.yaml").read_text(encoding="utf-8")
    (folder / "agreements" / "vendor.yaml").write_text(vendor, encoding="utf-8")
    load_agreements(records, folder / "agreements")


def in_erp(pair: Pair, statement: str, **values: Any) -> None:
    engine = sa.create_engine(pair.erp_url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement), values)
    engine.dispose()


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.long), "postgresql"])
def pairs(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    prefect_api: PrefectServer,
    postgres_server: PostgresServer,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, Pair]]:
    """Both sides of both customers; the clock of each ERP says noon."""
    del prefect_api
    with ExitStack() as opened:
        found = {
            name: sqlite_pair(tmp_path / name)
            if request.param == "sqlite"
            else opened.enter_context(postgres_pair(postgres_server))
            for name in (USUAL, OWN)
        }
        for name, pair in found.items():
            pair.save_blocks(name)
        for statement in (TABLE, FILL):
            in_erp(found[OWN], statement)
        agreed(records, tmp_path, own_orders())
        clock(monkeypatch, NOON)
        yield found


def clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    for session in (SqliteSession, PostgresqlSession):
        monkeypatch.setattr(session, "now", lambda _: at)


def exchange(records: Records, customer: str, subject: str, mode: str = "incremental") -> str | None:
    parameters = {"mode": mode, "order": "", "dry_run": False}
    return Walker(records, PROCESS, customer, subject, parameters).enter()


def numbers(pair: Pair, count: int) -> list[str]:
    rows = pair.rows("SELECT number FROM production_orders WHERE status = 'planned' ORDER BY number")
    return [row[0] for row in rows][:count]


def quantity(pair: Pair, order: str) -> int:
    return int(pair.rows("SELECT quantity FROM production_orders WHERE number = :n", n=order)[0][0])


def changed(pair: Pair, order: str, amount: int, at: datetime) -> None:
    """The ERP changes an order, and its clock says when."""
    in_erp(
        pair,
        "UPDATE mfg_orders SET qty = :qty, changed = :at WHERE ordno = :order",
        qty=str(amount),
        at=at.strftime("%Y-%m-%d %H:%M:%S"),
        order=order,
    )


def told(records: Records, about: str) -> int:
    with records.read() as tx:
        rows = tx.connection.execute(schema.outbox.select().where(schema.outbox.c.kind == "operators"))
        return sum(about in row.key for row in rows)


def test_each_customer_is_exchanged_with_by_its_own_contract(
    records: Records, pairs: dict[str, Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, own = pairs[USUAL], pairs[OWN]
    for name in pairs:
        assert exchange(records, name, "first", "full") == both_ways.EXCHANGED
    first, second = numbers(own, 2)
    moved = play.change(usual.erp_url, 3, 1)
    changed(own, first, 777, NOON)
    in_erp(
        own,
        "UPDATE mfg_orders SET gone = 1, changed = '2026-11-23 12:00:00' WHERE ordno = :order",
        order=second,
    )
    for name in pairs:
        assert exchange(records, name, "second") == both_ways.EXCHANGED
    assert quantity(own, first) == 777
    (status,) = own.rows("SELECT status FROM production_orders WHERE number = :n", n=second)[0]
    assert status == "cancelled"
    changes = "SELECT count(*) FROM erp_sync_transactions WHERE change = 'changed' AND key = :n"
    assert any(usual.rows(changes, n=order)[0][0] for order in moved)
    for name in pairs:
        assert exchange(records, name, "night", "compare") == both_ways.COMPARED
    # A change that was stamped before the watermark and committed behind it: the overlap brings it in.
    changed(own, first, 778, NOON - timedelta(minutes=9))
    assert exchange(records, OWN, "third") == both_ways.EXCHANGED
    assert quantity(own, first) == 778
    behind_the_clock(records, own, monkeypatch, first)
    kept_by_a_case_under_way(records, own, tmp_path, first)


def behind_the_clock(records: Records, own: Pair, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """The clock of the ERP is put back: a little is covered by the overlap, more is refused and told."""
    clock(monkeypatch, NOON - timedelta(minutes=5))
    changed(own, order, 779, NOON - timedelta(minutes=5))
    assert exchange(records, OWN, "a little behind") == both_ways.EXCHANGED
    assert quantity(own, order) == 779
    clock(monkeypatch, NOON - timedelta(hours=2))
    changed(own, order, 780, NOON - timedelta(hours=2))
    assert exchange(records, OWN, "far behind") == both_ways.REFUSED
    assert quantity(own, order) == 779
    assert told(records, "/refused/orders/") == 1
    clock(monkeypatch, NOON + timedelta(minutes=1))
    changed(own, order, 781, NOON + timedelta(hours=1))  # ahead of its own clock: loaded, and read again
    assert exchange(records, OWN, "ahead") == both_ways.EXCHANGED
    assert quantity(own, order) == 781
    clock(monkeypatch, NOON + timedelta(minutes=2))
    changed(own, order, 782, NOON + timedelta(minutes=2))
    assert exchange(records, OWN, "in time again") == both_ways.EXCHANGED
    assert quantity(own, order) == 782


def kept_by_a_case_under_way(records: Records, own: Pair, folder: Path, order: str) -> None:
    """A case keeps the contracts that it was opened under; a watermark is one of its column."""
    with records.write() as tx:
        version = agreements.newest_version(tx, OWN)
        parameters = {"mode": "incremental", "order": "", "dry_run": False}
        cases.open_case(
            tx,
            PROCESS.kind,
            OWN,
            "under way",
            agreement_version=version,
            flow_revision=PROCESS.revision,
            parameters=parameters,
        )
    agreed(records, folder, None)
    with records.read() as tx:
        assert agreements.newest_version(tx, OWN) == version + 1
        assert set(agreements.contracts(tx, OWN, version)) == {"orders"}
        assert agreements.contracts(tx, OWN) == {}
    changed(own, order, 783, NOON + timedelta(minutes=2))
    assert exchange(records, OWN, "under way") == both_ways.EXCHANGED
    assert quantity(own, order) == 783
    assert exchange(records, OWN, "by the product's") == both_ways.EXCHANGED
    assert quantity(own, order) != 783
