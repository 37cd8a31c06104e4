"""Both sides compared: month by month, in both directions, with every cut said."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from tasks.erp import comparing, outward, told
from tasks.erp import write_back as back
from tasks.erp.interfaces import OUTBOUND, interface
from tests.harness.erp import CUSTOMER, NOON

if TYPE_CHECKING:
    from tasks.erp.comparing import Compared
    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-2.6.7a")


def compared(both: BothSides, name: str) -> Compared:
    with both.erp.connect() as session:
        if name in OUTBOUND:
            return outward.compare(session, both.suite.engine(), name, CUSTOMER, NOON)
        return comparing.compare(session, both.suite.engine(), interface(name))


def sent(both: BothSides) -> list[str]:
    """Hours in two months, materials and a status at the ERP; the orders."""
    both.fetch("orders", full=True)
    closed = set(both.mess.closed)
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY number")
    first, second = [row[0] for row in rows if row[0] not in closed][:2]
    for order, day, minutes in ((first, "2026-10-31", 45), (second, "2026-11-01", 30)):
        both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on=day, minutes=minutes)
    both.send("materials_out", first, line_no=1, item_no="M-1", qty="12.345", unit="st")
    both.send("status_out", first, status="started", at="2026-11-20T10:00:00+00:00")
    with both.erp.connect() as session:
        back.write_back(session, both.suite.engine(), CUSTOMER, lambda: NOON)
    return [first, second]


def test_a_difference_says_its_month_and_its_keys(both: BothSides) -> None:
    both.fetch("orders", full=True)
    equal = compared(both, "orders")
    assert equal.is_equal
    assert equal.compared_months > 1
    assert (equal.good_rows, equal.months) == (equal.suite_rows, ())
    number, month = both.suite_rows(
        "SELECT number, substr(CAST(due_on AS text), 1, 7) FROM production_orders ORDER BY number LIMIT 1"
    )[0]
    both.in_suite("UPDATE production_orders SET quantity = quantity + 7 WHERE number = :n", n=number)
    found = compared(both, "orders")
    assert not found.is_equal
    assert [each.month for each in found.months] == [month]
    erp, suite = found.months[0].sums["quantity"]
    assert int(suite) - int(erp) == 7
    assert (found.different, found.counts) == ((number,), {"missing": 0, "different": 1, "left_over": 0})
    said = told.difference(asdict(found))
    assert said.startswith(f"1 different ({number}); months: {month} ERP ")


def test_operations_lie_in_the_month_of_their_order(both: BothSides) -> None:
    both.fetch("orders", full=True)
    both.fetch("operations", full=True)
    order, month = both.suite_rows(
        "SELECT o.number, substr(CAST(o.due_on AS text), 1, 7) FROM production_orders o"
        " JOIN operations p ON p.order_number = o.number ORDER BY o.number LIMIT 1"
    )[0]
    rows = both.suite_rows("SELECT count(*) FROM operations WHERE order_number = :n", n=order)[0][0]
    both.in_suite("DELETE FROM operations WHERE order_number = :n", n=order)
    (differing,) = compared(both, "operations").months
    assert (differing.month, differing.erp_rows - differing.suite_rows) == (month, rows)


def test_more_keys_than_are_named_are_counted(both: BothSides) -> None:
    both.fetch("orders", full=True)
    both.in_suite(
        "DELETE FROM production_orders WHERE number IN (SELECT number FROM production_orders LIMIT 137)"
    )
    found = compared(both, "orders")
    assert (len(found.missing), found.counts["missing"]) == (comparing.SHOWN, 137)
    data = asdict(found)
    assert told.keys_of(data, "missing").endswith(", and 127 more")
    assert told.difference(data).startswith(f"137 missing in the Suite ({found.missing[0]}, ")


def test_what_was_written_stands_at_the_erp(both: BothSides) -> None:
    sent(both)
    for name in OUTBOUND:
        assert compared(both, name).is_equal, name
    hours = compared(both, "hours_out")
    assert (hours.erp_rows, hours.suite_rows, hours.compared_months) == (2, 2, 2)
    assert hours.sums == {"minutes": ("75", "75")}
    assert compared(both, "materials_out").sums == {"qty": ("12.345", "12.345")}


def test_hours_that_are_gone_or_changed_at_the_erp_are_found_in_their_month(both: BothSides) -> None:
    first, second = sent(both)
    both.in_erp("DELETE FROM erp_hours_in WHERE order_no = :number", number=first)
    both.in_erp("UPDATE erp_hours_in SET minutes = 29 WHERE order_no = :number", number=second)
    found = compared(both, "hours_out")
    assert [(each.month, each.erp_rows, each.suite_rows) for each in found.months] == [
        ("2026-10", 0, 1),
        ("2026-11", 1, 1),
    ]
    assert found.months[1].sums == {"minutes": ("29", "30")}
    assert (found.left_over, found.counts["left_over"]) == ((f"{first} (1)",), 1)


def test_a_row_that_the_suite_never_sent_is_named(both: BothSides) -> None:
    first, _ = sent(both)
    both.in_erp(
        "INSERT INTO erp_hours_in (order_no, op_no, employee, worked_on, minutes, external_key)"
        " VALUES (:number, 10, 'Somebody', '2025-01-02', 60, 'not-ours-0001')",
        number=first,
    )
    found = compared(both, "hours_out")
    assert not found.is_equal
    assert (found.missing, found.counts["missing"]) == (("not-ours-0001",), 1)
    assert [(each.month, each.erp_rows) for each in found.months] == [(outward.REST, 1)]


def test_a_status_that_was_changed_at_the_erp_is_different(both: BothSides) -> None:
    first, _ = sent(both)
    both.in_erp("UPDATE erp_status_in SET status = 'finished'")
    found = compared(both, "status_out")
    assert (found.different, found.counts["different"]) == ((f"{first} (4)",), 1)


def test_a_row_on_its_way_is_no_difference(both: BothSides) -> None:
    """It was written, and the Suite was killed before it noted so."""
    first, _ = sent(both)
    both.in_suite("UPDATE erp_sync_outgoing SET state = 'taken' WHERE order_number = :n", n=first)
    assert compared(both, "hours_out").is_equal
    both.in_erp("DELETE FROM erp_hours_in WHERE order_no = :number", number=first)
    assert compared(both, "hours_out").is_equal
