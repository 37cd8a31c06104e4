"""`nakoming erp`: how exchanges stand, what waits is settled, the overview is written."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from sqlalchemy import insert

from demo.erp import play
from nakoming.records import cases, connections, duties, proofs
from nakoming.records.connections import Standing
from nakoming.records.events import Event
from nakoming.records.owners import this_process
from tasks.erp import settling, write_back
from tasks.erp.bookkeeping import overrulings
from tests.harness.block_names import forget
from tests.harness.erp_pair import AT, Pair, agree, sqlite_pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.prefect_server import PrefectServer

RUN = "2026-11-23T09:00Z"
KEY = f"erp_sync/brouwer/{RUN}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "pair"
    sqlite_pair(folder).load(KEY)
    return folder


@pytest.fixture
def pair(tmp_path: Path, template: Path, records: Records, prefect_api: PrefectServer) -> Pair:
    """Brouwer's ERP, exchanged once; it is the only customer with one."""
    del prefect_api
    made = sqlite_pair(tmp_path / "pair", template)
    made.save_blocks("brouwer")
    for customer, minutes in (("brouwer", 5), ("fenwick", None), ("kestrel", None)):
        agree(records, customer, minutes)
    with records.write() as tx:
        opened = cases.open_case(
            tx, "erp_sync", "brouwer", RUN, agreement_version=1, flow_revision=1, parameters={}
        )
        cases.close(tx, cases.acquire(tx, opened.case.id, this_process()), "exchanged")
    return made


def bad_quantity(pair: Pair) -> Any:
    return next(row for row in pair.held_back() if json.loads(row.row)["qty"].startswith("-"))


def test_the_status_tells_what_waits_and_what_is_wrong(pair: Pair, nakoming: Callable[..., Ended]) -> None:
    (found,) = nakoming("erp", "status", "--json").data
    waiting = len(settling.waiting(pair.engine))
    assert found["customer"] == "brouwer"
    assert found["exchanged"]["outcome"] == "exchanged"
    assert found["waits"]["quarantined"] == waiting > 3
    assert found["waits"]["loaded_at"]["orders"] == AT.isoformat()
    assert (found["waits"]["dead_letters"], found["trouble"], found["paused"]) == (0, None, {})
    assert found["needs_a_look"] is True
    lines = nakoming("erp", "status").out.splitlines()
    assert len(lines) == 2
    assert f" {waiting} " in lines[1]
    assert lines[1].endswith("well")


def test_the_status_shows_a_pause_and_an_erp_that_fails(
    records: Records, pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    del pair
    with records.write() as tx:
        duties.tell(tx, "brouwer", "erp-incremental", paused=True, clause="S-4.2.1", schedule="erp-brouwer")
        broken = Standing(failures=3, failing_since=tx.now, open_until=tx.now, reason="geen verbinding")
        connections.put(tx, "brouwer", "brouwer-erp", broken)
    out = nakoming("erp", "status", "brouwer").out
    assert "brouwer: erp-incremental is paused since" in out
    assert "a missed duty" in out
    assert "geen verbinding" in out
    assert "fails" in out.splitlines()[1]


def test_a_suite_that_cannot_be_read_hides_no_other(
    records: Records, pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    del pair
    forget("kestrel-erp", "kestrel-suite")
    agree(records, "kestrel", 5)
    found = {each["customer"]: each for each in nakoming("erp", "status", "--json").data}
    assert found["brouwer"]["waits"]["quarantined"] > 0
    assert found["kestrel"]["waits"] is None
    assert "kestrel-suite" in found["kestrel"]["trouble"]
    assert "kestrel-suite" in nakoming("erp", "status").out


def test_a_customer_without_an_erp_or_without_an_agreement_is_refused(
    pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    del pair
    assert nakoming("erp", "status", "acme").status == 4
    ended = nakoming("erp", "quarantine", "list", "kestrel")
    assert (ended.status, "names no connection to an ERP" in ended.err) == (2, True)


def test_a_row_is_listed_with_its_reason_repaired_and_gone(
    records: Records, pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    bad = bad_quantity(pair)
    listed = {
        each["number"]: each for each in nakoming("erp", "quarantine", "list", "brouwer", "--json").data
    }
    assert (listed[bad.id]["key"], listed[bad.id]["case"]) == (bad.key, KEY)
    assert listed[bad.id]["reasons"]["nl"]
    assert listed[bad.id]["reasons"]["en"][0] in nakoming("erp", "quarantine", "list", "brouwer").out
    ended = nakoming("erp", "quarantine", "replay", "brouwer", bad.id, "--set", "qty=12")
    assert (ended.status, ended.out) == (0, f"{bad.id} (orders {bad.key}) is loaded.\n")
    assert pair.rows("SELECT quantity FROM production_orders WHERE number = :n", n=bad.key) == [(12,)]
    again = nakoming("erp", "quarantine", "replay", "brouwer", bad.id)
    assert (again.status, "[NK7306]" in again.err) == (2, True)
    with records.read() as tx:
        case = cases.by_key(tx, KEY)
        assert proofs.find_of_case(tx, case.id, Event.ERP_QUARANTINE_SETTLED) is not None


def test_a_row_that_is_still_bad_says_why_and_ends_with_one(
    pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    bad = bad_quantity(pair)
    ended = nakoming("erp", "quarantine", "replay", "brouwer", bad.id, "--set", "qty=veel")
    assert ended.status == 1
    assert ended.out.startswith(f"{bad.id} (orders {bad.key}) stays: ")
    assert "veel" in ended.out
    (data,) = nakoming("erp", "quarantine", "replay", "brouwer", bad.id, "--json").data
    assert data["loaded"] is False


def test_the_rows_of_a_case_are_tried_together(pair: Pair, nakoming: Callable[..., Ended]) -> None:
    done = nakoming("erp", "quarantine", "replay", "brouwer", "--case", KEY, "--json").data
    assert [each["number"] for each in done] == [row.id for row in settling.waiting(pair.engine)]
    assert nakoming("erp", "quarantine", "replay", "brouwer", "--case", "erp_sync/brouwer/x").status == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "[NK7353]"),
        ((1, "--case", KEY), "[NK7353]"),
        (("--case", KEY, "--set", "qty=1"), "[NK7353]"),
        ((1, "--set", "qty"), "[NK7354]"),
        ((1, "--set", "=3"), "[NK7354]"),
    ],
)
def test_what_is_wrongly_asked_for_is_refused(
    pair: Pair, nakoming: Callable[..., Ended], words: tuple[object, ...], said: str
) -> None:
    del pair
    ended = nakoming("erp", "quarantine", "replay", "brouwer", *words)
    assert (ended.status, said in ended.err) == (2, True)


def test_a_row_is_dropped_with_a_reason_only(pair: Pair, nakoming: Callable[..., Ended]) -> None:
    bad = bad_quantity(pair)
    assert nakoming("erp", "quarantine", "drop", "brouwer", bad.id, "--reason", " ").status == 2
    assert nakoming("erp", "quarantine", "drop", "brouwer", bad.id, "--reason", "Testorder.").status == 0
    (row,) = [each for each in pair.held_back() if each.id == bad.id]
    assert (row.state, row.settled_because) == ("dropped", "Testorder.")


def test_a_dead_letter_is_listed_with_the_erps_words_and_settled(
    pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    order = pair.rows("SELECT number FROM production_orders LIMIT 1")[0][0]
    hours = {"op_no": 10, "employee": "E17", "worked_on": "2026-11-23", "minutes": 30}
    play.close(pair.erp_url, order)
    pair.tell("hours_out", order, order_no=order, **hours)
    with pair.erp.connect() as session:
        write_back.write_back(session, pair.engine, "brouwer", lambda: AT)
    (letter,) = nakoming("erp", "dead-letter", "list", "brouwer", "--json").data
    assert letter["message"] == f"Order {order} is closed for registrations"
    assert letter["order"] == order
    shown = nakoming("erp", "dead-letter", "list", "brouwer").out
    assert letter["message"].split()[0] in shown
    assert nakoming("erp", "dead-letter", "replay", "brouwer", letter["number"]).status == 0
    assert nakoming("erp", "status", "--json").data[0]["waits"]["outbox"] == 1
    with pair.erp.connect() as session:
        write_back.write_back(session, pair.engine, "brouwer", lambda: AT)
    dropped = nakoming("erp", "dead-letter", "drop", "brouwer", letter["number"], "--reason", "Te veel.")
    assert dropped.out == f"Dead letter {letter['number']} is dropped.\n"
    assert nakoming("erp", "dead-letter", "list", "brouwer").out == "The ERP of brouwer refuses nothing.\n"


def test_overrulings_are_listed_with_what_lost_and_what_won(
    pair: Pair, nakoming: Callable[..., Ended]
) -> None:
    assert nakoming("erp", "overruled", "brouwer").out == "Nothing of brouwer was overruled.\n"
    rows = [
        {
            "interface": "orders",
            "key": f"PO-{number}",
            "winner": "erp",
            "details": json.dumps({"description": ["ours", "theirs"]}),
            "overruled_at": AT + timedelta(seconds=number),
        }
        for number in range(103)
    ]
    with pair.engine.begin() as connection:
        connection.execute(insert(overrulings), rows)
    lines = nakoming("erp", "overruled", "brouwer").out.splitlines()
    assert lines[1].split()[-7:] == ["orders", "PO-102", "erp", "description:", "ours", "→", "theirs"]
    assert lines[-1] == "And 3 more."
    found = nakoming("erp", "overruled", "brouwer", "--json").data
    assert (found["count"], len(found["overruled"])) == (103, 100)


def test_writes_without_keys_are_said_in_the_status(pair: Pair, nakoming: Callable[..., Ended]) -> None:
    order = pair.rows("SELECT number FROM production_orders LIMIT 1")[0][0]
    pair.tell("status_out", order, order_no=order, status="started", at=AT.isoformat())
    with pair.erp.connect() as session:
        write_back.write_back(session, pair.engine, "brouwer", lambda: AT)
    assert "at least once" not in nakoming("erp", "status").out
    with pair.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE erp_sync_outgoing SET guarantee = 'at-least-once with detection'")
    said = "brouwer: 1 rows were written at least once, with detection: the ERP holds no keys of ours."
    assert said in nakoming("erp", "status").out.splitlines()


@pytest.mark.clause("S-4.2.2")
def test_the_overview_is_a_file_whose_rows_are_the_ledgers(
    records: Records, pair: Pair, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    out = tmp_path / "november.xlsx"
    words = ("erp", "overview", "brouwer", "--from", "2026-11-23", "--until", "2026-11-23", "--out", out)
    ended = nakoming(*words)
    assert ended.status == 0, ended.err
    counted = pair.rows("SELECT count(*) FROM erp_sync_transactions")[0][0]
    held = len(pair.held_back("orders") + pair.held_back("operations") + pair.held_back("materials"))
    assert f"{counted + held} rows, equal to the {counted + held} of the ledger." in ended.out
    book = openpyxl.load_workbook(out, read_only=True)
    assert sum(1 for _ in book["Van ERP naar Suite"].rows) == counted + 1
    book.close()
    with records.read() as tx:
        seq = tx.connection.exec_driver_sql(
            "SELECT seq FROM evidence WHERE event = 'erp:overview:written' AND clause = 'S-4.2.2'"
        ).scalar_one()
    assert f"brouwer:{seq}" in ended.out
    assert hashlib.sha256(out.read_bytes()).hexdigest() in ended.out
    before = out.read_bytes()
    again = nakoming(*words)
    assert (again.status, out.read_bytes() == before) == (2, True)
    assert list(tmp_path.glob(".*draft")) == []


def test_a_day_without_transactions_is_an_empty_overview(
    pair: Pair, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del pair
    words = ("--from", "2026-11-21", "--until", "2026-11-22", "--out", tmp_path / "a.xlsx", "--json")
    data = nakoming("erp", "overview", "brouwer", *words).data
    assert (data["rows"], data["equals_ledger"]) == (0, True)
    assert list(data["sheets"]) == ["Van ERP naar Suite", "Van Suite naar ERP", "Tegengehouden"]


def test_an_overview_that_cannot_be_is_refused_before_anything_is_written(
    records: Records, pair: Pair, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del pair
    with records.read() as tx:
        future = tx.now.date() + timedelta(days=400)
    out = tmp_path / "x.xlsx"
    words = ("erp", "overview", "brouwer", "--out", out)
    assert "[NK7352]" in nakoming(*words, "--from", "2026-11-23", "--until", "2026-11-22").err
    assert "[NK7352]" in nakoming(*words, "--from", future, "--until", future).err
    missing = tmp_path / "no" / "x.xlsx"
    ended = nakoming(
        "erp", "overview", "brouwer", "--from", "2026-11-23", "--until", "2026-11-23", "--out", missing
    )
    assert "cannot be written" in ended.err
    assert not out.exists()
