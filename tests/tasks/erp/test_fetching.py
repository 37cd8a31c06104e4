"""What comes in from the ERP: all of it, once, checked, with its watermark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from demo.erp import play
from tasks.erp import loading
from tasks.erp.comparing import compare
from tasks.erp.errors import BatchRefused, OtherRunLoads, SchemaDrifted, TooManyGone
from tasks.erp.fetching import Asked
from tasks.erp.interfaces import INBOUND, interface
from tasks.erp.rehearsing import rehearse
from tests.harness.erp import NOON, ORDERS

if TYPE_CHECKING:
    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-4.2.1")


def waiting(both: BothSides, name: str) -> int:
    rows = both.suite_rows(
        "SELECT count(*) FROM erp_sync_quarantine WHERE interface = :name AND state = 'waiting'",
        name=name,
    )
    return int(rows[0][0])


def test_everything_comes_in_once_and_what_was_sown_is_held_back(both: BothSides) -> None:
    mess = both.mess
    loaded = both.fetch_all(full=True)
    orders = loaded["orders"]
    bad = mess.negative_quantities + mess.text_quantities + mess.year_one_dates + mess.empty_articles
    assert orders.staged == mess.order_rows
    assert orders.quarantined == waiting(both, "orders") == bad
    assert orders.created == ORDERS - bad - mess.deleted_orders
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] == orders.created
    operations = loaded["operations"]
    assert operations.quarantined == mess.orphan_operations + mess.operations_of_bad_orders
    assert loaded["materials"].quarantined == (
        mess.orphan_materials + mess.materials_of_bad_orders + mess.negative_materials
    )
    again = both.fetch_all()
    assert {name: each.staged for name, each in again.items()} == dict.fromkeys(INBOUND, 0)


def test_loaded_a_second_time_nothing_changes(both: BothSides) -> None:
    both.fetch_all(full=True)
    before = both.suite_rows("SELECT * FROM production_orders ORDER BY number")
    again = both.fetch("orders", full=True)
    assert (again.created, again.changed, again.removed) == (0, 0, 0)
    assert both.suite_rows("SELECT * FROM production_orders ORDER BY number") == before
    assert (
        waiting(both, "orders") == again.quarantined
    )  # the rows held back before are superseded, not doubled


def test_only_what_changed_is_fetched(both: BothSides) -> None:
    both.fetch_all(full=True)
    changed = play.change(both.erp_url, 40, 3)
    loaded = both.fetch("orders")
    assert (loaded.staged, loaded.changed, loaded.created) == (40, 40, 0)
    booked = both.suite_rows("SELECT key FROM erp_sync_transactions WHERE change = 'changed'")
    assert sorted(row[0] for row in booked) == sorted(changed)


def test_an_erp_brought_back_to_an_earlier_day_is_read_in_full_once(both: BothSides) -> None:
    both.fetch("orders", full=True)
    both.in_suite("UPDATE erp_sync_marks SET mark = '999999999999' WHERE interface = 'orders'")
    changed = play.change(both.erp_url, 3, 1)
    loaded = both.fetch("orders")
    assert (loaded.created, loaded.changed) == (0, len(changed))
    assert loaded.unchanged > 1900
    assert both.fetch("orders").staged == 0
    assert len(play.change(both.erp_url, 2, 2)) == both.fetch("orders").changed


def test_a_repaired_order_is_loaded_and_no_longer_waits(both: BothSides) -> None:
    both.fetch_all(full=True)
    row = both.suite_rows("SELECT key FROM erp_sync_quarantine WHERE interface = 'orders' LIMIT 1")[0]
    play.repair(both.erp_url, row[0])
    before = waiting(both, "orders")
    assert both.fetch("orders").created == 1
    assert waiting(both, "orders") == before - 1


def test_the_reasons_are_said_in_words_in_both_languages(both: BothSides) -> None:
    both.fetch("orders", full=True)
    reasons = [json.loads(row[0]) for row in both.suite_rows("SELECT reasons FROM erp_sync_quarantine")]
    said = {sentence for each in reasons for sentence in each["en"]}
    assert "Due date '01-01-0001' means that the ERP knows no date; enter a real date there." in said
    assert "Artikel ontbreekt." in {sentence for each in reasons for sentence in each["nl"]}


def test_a_deleted_order_is_cancelled_and_its_rows_go(both: BothSides) -> None:
    both.fetch_all(full=True)
    number = both.suite_rows("SELECT order_number FROM operations ORDER BY 1 LIMIT 1")[0][0]
    play.remove(both.erp_url, number)
    assert both.fetch("orders").removed == 1
    both.fetch("operations", full=True)
    status = both.suite_rows("SELECT status FROM production_orders WHERE number = :n", n=number)
    assert [tuple(row) for row in status] == [("cancelled",)]
    assert both.suite_rows("SELECT * FROM operations WHERE order_number = :n", n=number) == []


def test_an_emptied_table_at_the_erp_removes_nothing(both: BothSides) -> None:
    both.fetch_all(full=True)
    count = both.suite_rows("SELECT count(*) FROM planned_materials")[0][0]
    both.in_erp("DELETE FROM erp_materials")
    with pytest.raises(TooManyGone, match=f"{count} of {count} rows of materials are no longer at the ERP"):
        both.fetch("materials", full=True)
    assert both.suite_rows("SELECT count(*) FROM planned_materials")[0][0] == count


def test_too_many_bad_rows_load_nothing_and_leave_the_watermark(both: BothSides) -> None:
    both.in_erp("UPDATE erp_orders SET qty = '-1' WHERE order_no < '100200'")
    with pytest.raises(BatchRefused, match=r"rows of orders are bad, more than the 5% .* Quantity"):
        both.fetch("orders", full=True, batch_rows=10_000)
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] == 0
    assert loading.mark_of(both.suite.engine().connect(), "orders").value is None


def test_a_vanished_column_loads_nothing(both: BothSides) -> None:
    both.in_erp("ALTER TABLE erp_orders RENAME COLUMN item_no TO article_no")
    with pytest.raises(SchemaDrifted, match="item_no"):
        both.fetch("orders")


def test_a_dry_run_says_the_same_and_leaves_nothing(both: BothSides) -> None:
    asked = Asked(customer="brouwer", run="dry", full=True)
    with both.erp.connect() as session:
        every = [interface(name) for name in INBOUND]
        said = rehearse(session, both.suite.engine(), every, asked, NOON)
    assert both.suite_rows("SELECT count(*) FROM production_orders")[0][0] == 0
    assert both.fetch_all(full=True, batch_rows=10_000) == said


def test_one_order_is_fetched_without_moving_the_watermark(both: BothSides) -> None:
    both.fetch_all(full=True)
    first, second = play.change(both.erp_url, 2, 5)
    assert both.fetch("orders", order=first).changed == 1
    assert both.fetch("orders").changed == 1  # the second; the first is there already
    assert second


def test_of_two_runs_at_once_one_stops(both: BothSides) -> None:
    both.fetch("orders", full=True)
    play.change(both.erp_url, 5, 9)
    engine = both.suite.engine()
    stale = loading.Batch(customer="brouwer", run="late", at=NOON, seen_batches=0, mark=1, types={})
    with engine.begin() as connection, pytest.raises(OtherRunLoads, match="Another run loads orders"):
        loading.load(connection, interface("orders"), stale, lambda _connection, _table: 0)
    assert both.fetch("orders").changed == 5


def test_the_erp_overrules_what_was_changed_in_the_suite_and_it_is_recorded(both: BothSides) -> None:
    both.fetch_all(full=True)
    number = play.change(both.erp_url, 1, 11)[0]
    both.in_suite(
        "UPDATE production_orders SET description = 'changed here', changed_in_suite_at = :at"
        " WHERE number = :n",
        at=NOON.isoformat(),
        n=number,
    )
    assert both.fetch("orders").overruled == 1
    row = both.suite_rows("SELECT key, winner, details FROM erp_sync_overrulings")[0]
    assert (row.key, row.winner) == (number, "erp")
    assert json.loads(row.details)["description"][0] == "changed here"
    left = both.suite_rows("SELECT changed_in_suite_at FROM production_orders WHERE number = :n", n=number)
    assert left[0][0] is None


def test_both_sides_are_equal_after_a_load_and_a_difference_names_its_keys(both: BothSides) -> None:
    both.fetch_all(full=True)
    engine = both.suite.engine()
    with both.erp.connect() as session:
        found = [compare(session, engine, interface(name)) for name in INBOUND]
    assert [each.is_equal for each in found] == [True, True, True]
    numbers = [row[0] for row in both.suite_rows("SELECT number FROM production_orders ORDER BY 1 LIMIT 2")]
    both.in_suite("UPDATE production_orders SET quantity = quantity + 1 WHERE number = :n", n=numbers[0])
    changed = play.change(both.erp_url, 1, 21)
    with both.erp.connect() as session:
        orders = compare(session, engine, interface("orders"))
    assert not orders.is_equal
    assert set(orders.different) == {numbers[0], *changed}
    erp, suite = orders.sums["quantity"]
    assert erp != suite
