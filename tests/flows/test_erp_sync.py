"""The exchange as a process: a case with its steps, its evidence, and what operators are told."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from blocks.erp.database import ErpDatabase
from blocks.erp.errors import ErpSlow
from blocks.suite_database import SuiteDatabase
from demo.erp import play
from flows.erp import both_ways
from flows.erp_sync import PROCESS
from nakoming.records import clock, connections, documents, evidence_check, resource_leases, schema
from nakoming.records.owners import this_process
from tasks.erp import health
from tests.harness.erp import CUSTOMER, on_sqlite
from tests.harness.installation import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.erp import BothSides
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")


@pytest.fixture
def both(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[BothSides]:
    """An ERP and a Suite, and the blocks that the agreement names."""
    del prefect_api
    sides = on_sqlite(tmp_path)
    sides.erp.save("brouwer-erp", overwrite=True)
    sides.suite.save("brouwer-suite", overwrite=True)
    yield sides
    ErpDatabase.delete("brouwer-erp")
    SuiteDatabase.delete("brouwer-suite")


def exchange(records: Records, subject: str, **given: Any) -> Walker:
    parameters = {"mode": "incremental", "order": "", "dry_run": False} | given
    return Walker(records, PROCESS, CUSTOMER, subject, parameters)


def operators_mails(records: Records) -> list[str]:
    with records.read() as tx:
        rows = tx.connection.execute(select(schema.outbox.c.key).where(schema.outbox.c.kind == "operators"))
        return [row.key for row in rows]


@pytest.mark.clause("S-2.6.7a")
def test_an_exchange_and_a_comparison_leave_their_evidence(records: Records, both: BothSides) -> None:
    first = exchange(records, "first", mode="full")
    assert first.enter() == both_ways.EXCHANGED
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] > 1900
    compared = exchange(records, "night", mode="compare")
    assert compared.enter() == both_ways.COMPARED
    assert evidence_check.verify(records) == []
    events = {row.event for row in evidence_of(records)}
    assert {"erp:transactions:exchanged", "erp:tables:compared"} <= events


def evidence_of(records: Records) -> list[Any]:
    with records.read() as tx:
        return list(tx.connection.execute(schema.evidence.select()))


def test_a_difference_ends_red_and_the_operators_are_told(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full").enter()
    order = both.suite_rows("SELECT max(number) FROM production_orders")[0][0]
    both.in_suite("UPDATE production_orders SET quantity = quantity + 1 WHERE number = :order", order=order)
    outcome = exchange(records, "night", mode="compare").enter()
    assert outcome == both_ways.DIFFERS
    assert outcome in PROCESS.red
    assert any("/differs/" in key for key in operators_mails(records))


@pytest.mark.clause("S-2.6.7a")
def test_what_changed_went_away_or_turned_bad_since_is_no_difference(
    records: Records, both: BothSides
) -> None:
    exchange(records, "first", mode="full").enter()
    changed = play.change(both.erp_url, 3, 1)
    numbers = [row[0] for row in both.suite_rows("SELECT number FROM production_orders ORDER BY 1")]
    gone, bad = [number for number in numbers if number not in {*changed, *both.mess.closed}][:2]
    operations = "SELECT count(*) FROM operations WHERE order_number = :order"
    assert both.suite_rows(operations, order=gone)[0][0] > 0
    both.in_erp("DELETE FROM erp_operations WHERE order_no = :order", order=gone)
    both.in_erp(
        "UPDATE erp_orders SET qty = '-1', row_version = (SELECT max(row_version) + 1 FROM erp_orders) "
        "WHERE order_no = :order",
        order=bad,
    )
    assert exchange(records, "night", mode="compare").enter() == both_ways.COMPARED
    assert both.suite_rows(operations, order=gone)[0][0] == 0
    assert [key for key in operators_mails(records) if "/stale/" not in key] == []


def test_what_a_contract_refuses_is_told_once_a_day(records: Records, both: BothSides) -> None:
    both.in_erp("UPDATE erp_orders SET qty = '-1'")
    for subject in ("one", "two", "three"):
        assert exchange(records, subject).enter() == both_ways.REFUSED
    assert len([key for key in operators_mails(records) if "/refused/orders/" in key]) == 1


def test_an_erp_that_is_down_is_one_message_and_is_left_alone(records: Records, both: BothSides) -> None:
    assert both.erp.path is not None
    both.erp.path.rename(both.erp.path.with_suffix(".away"))
    outcomes = [exchange(records, f"try-{number}").enter() for number in range(5)]
    assert outcomes == [both_ways.NOT_REACHED] * 3 + [both_ways.LEFT_ALONE] * 2
    assert len([key for key in operators_mails(records) if "operators/connection/" in key]) == 1
    both.erp.path.with_suffix(".away").rename(both.erp.path)
    with records.write() as tx:
        until = connections.standing(tx, CUSTOMER, "brouwer-erp").open_until
        assert until is not None
        clock.set_to(tx.connection, until + timedelta(seconds=1))
    assert exchange(records, "back").enter() == both_ways.EXCHANGED
    assert len([key for key in operators_mails(records) if "operators/connection-back/" in key]) == 1
    with records.write() as tx:
        assert connections.standing(tx, CUSTOMER, "brouwer-erp").failures == 0


def test_dead_letters_are_told_with_the_erps_own_words(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full").enter()
    order = both.suite_rows("SELECT number FROM production_orders ORDER BY 1 LIMIT 1")[0][0]
    play.close(both.erp_url, order)
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=30)
    assert exchange(records, "second").enter() == both_ways.EXCHANGED
    assert any("/dead/" in key for key in operators_mails(records))


def test_nothing_is_loaded_while_something_is_installed(records: Records, both: BothSides) -> None:
    with records.write() as tx:
        resource = f"environment/{CUSTOMER}/production"
        resource_leases.take(tx, resource, this_process(), lease=timedelta(minutes=5), case_id=None)
    waits = exchange(records, "during")
    assert waits.enter() is None
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] == 0


def test_a_dry_run_changes_neither_side(records: Records, both: BothSides) -> None:
    both.send("hours_out", "100001", op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=30)
    assert exchange(records, "dry", mode="full", dry_run=True).enter() == both_ways.REHEARSED
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] == 0
    assert play.hours(both.erp_url) == ()
    assert len(both.suite_rows("SELECT id FROM erp_outbox")) == 1


@pytest.mark.clause("S-2.6.7a")
def test_hours_changed_at_the_erp_are_the_suites_again_after_a_comparison(
    records: Records, both: BothSides
) -> None:
    closed = set(both.mess.closed)
    exchange(records, "first", mode="full").enter()
    numbers = [row[0] for row in both.suite_rows("SELECT number FROM production_orders ORDER BY 1")]
    one, other = [number for number in numbers if number not in closed][:2]
    for order in (one, other):
        both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=30)
    exchange(records, "second").enter()
    both.in_erp("UPDATE erp_hours_in SET minutes = 29")
    rehearsed = exchange(records, "try", mode="compare", dry_run=True).enter()
    assert rehearsed == both_ways.COMPARED
    assert {row.minutes for row in play.hours(both.erp_url)} == {29}
    assert exchange(records, "night", mode="compare").enter() == both_ways.MENDED
    assert both_ways.MENDED not in PROCESS.red
    assert {row.minutes for row in play.hours(both.erp_url)} == {30}
    both.in_erp("DELETE FROM erp_hours_in")
    play.close(both.erp_url, one)
    assert exchange(records, "next-night", mode="compare").enter() == both_ways.DIFFERS
    assert [row.order_no for row in play.hours(both.erp_url)] == [other]
    assert any("/differs/" in key for key in operators_mails(records))


def test_what_was_held_back_is_a_page_among_the_documents(records: Records, both: BothSides) -> None:
    exchange(records, "first", mode="full").enter()
    with records.read() as tx:
        stored = [each for each in documents.listed(tx, CUSTOMER) if each.media_type == "text/html"]
    held = dict(both.suite_rows("SELECT interface, count(*) FROM erp_sync_quarantine GROUP BY interface"))
    assert {each.name.split("-")[1] for each in stored} == set(held)
    page = next(
        documents.content(records, each).decode() for each in stored if each.name.startswith("erp-orders-")
    )
    assert '<html lang="nl">' in page
    assert f"<dt>Foute regels</dt><dd>{held['orders']} (" in page
    assert "Niet nagekomen" in page
    both.in_suite("DELETE FROM erp_sync_quarantine")
    exchange(records, "quiet").enter()
    with records.read() as tx:
        assert len(documents.listed(tx, CUSTOMER)) == len(stored)


def test_a_refusal_is_a_page_with_its_reason(records: Records, both: BothSides) -> None:
    both.in_erp("UPDATE erp_orders SET qty = '-1'")
    exchange(records, "one").enter()
    with records.read() as tx:
        stored = [each for each in documents.listed(tx, CUSTOMER) if each.name.startswith("erp-orders-")]
    page = documents.content(records, stored[0]).decode()
    assert "Van een levering is niets gebruikt: " in page
    assert "rows of orders are bad" in page


def test_a_page_needs_no_heavy_library() -> None:
    code = (
        "import sys, tasks.erp.held_back; print('great_expectations' in sys.modules, 'pandas' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]


def test_an_erp_without_the_table_for_hours_is_told_at_once_and_the_rest_goes_on(
    records: Records, both: BothSides
) -> None:
    """The fetches of each run succeed: the trouble of one step is told all the same, and once."""
    exchange(records, "first", mode="full").enter()
    order = both.suite_rows("SELECT number FROM production_orders ORDER BY 1 LIMIT 1")[0][0]
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=30)
    both.in_erp("ALTER TABLE erp_hours_in RENAME TO erp_hours_away")
    for subject in ("one", "two", "three", "four"):
        assert exchange(records, subject).enter() == both_ways.REFUSED
    assert len([key for key in operators_mails(records) if "/refused/outbox/" in key]) == 1
    both.in_erp("ALTER TABLE erp_hours_away RENAME TO erp_hours_in")
    assert exchange(records, "back").enter() == both_ways.EXCHANGED
    assert len(play.hours(both.erp_url)) == 1


def test_a_step_that_never_gets_its_answer_is_one_message_though_the_others_succeed(
    records: Records, both: BothSides
) -> None:
    erp = both.erp._block_document_name or ""
    slow = ErpSlow(where="erp", doing="reading operations", reason="60 s")
    for _ in range(5):
        with records.write() as tx:
            health.note(tx, CUSTOMER, erp, "fetch/1/orders", None)
            health.note(tx, CUSTOMER, erp, "fetch/1/operations", slow)
            assert health.left_alone_until(tx, CUSTOMER, erp) is None
    assert len([key for key in operators_mails(records) if "operators/connection/" in key]) == 1
    with records.write() as tx:
        health.note(tx, CUSTOMER, erp, "fetch/1/operations", None)
    assert len([key for key in operators_mails(records) if "operators/connection-back/" in key]) == 1
    assert exchange(records, "first").enter() == both_ways.EXCHANGED
