"""What goes out to the ERP: each once, in order, acknowledged when it was read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.erp import play
from tasks.erp import write_back as back
from tasks.erp.errors import SchemaDrifted
from tests.harness.erp import CUSTOMER, NOON

if TYPE_CHECKING:
    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-4.2.1")


def sent(both: BothSides, **asked: int) -> back.WrittenBack:
    with both.erp.connect() as session:
        return back.write_back(session, both.suite.engine(), CUSTOMER, lambda: NOON, **asked)


def work(both: BothSides, order: str, minutes: int) -> None:
    both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=minutes)


def states(both: BothSides) -> list[str]:
    return [row[0] for row in both.suite_rows("SELECT state FROM erp_sync_outgoing ORDER BY id")]


def open_orders(both: BothSides, count: int) -> list[str]:
    closed = set(both.mess.closed)
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY number")
    return [row[0] for row in rows if row[0] not in closed][:count]


def test_what_the_suite_tells_stands_at_the_erp_once(both: BothSides) -> None:
    both.fetch("orders", full=True)
    first, second = open_orders(both, 2)
    for order in (first, second, first):
        work(both, order, 45)
    assert sent(both) == back.WrittenBack(acknowledged=3)
    assert states(both) == [back.ACKNOWLEDGED] * 3
    assert sorted(row.order_no for row in play.hours(both.erp_url)) == sorted([first, first, second])
    assert both.suite_rows("SELECT * FROM erp_outbox") == []
    assert sent(both) == back.WrittenBack()


def test_sent_again_after_a_crash_nothing_is_doubled(both: BothSides) -> None:
    both.fetch("orders", full=True)
    for order in open_orders(both, 3):
        work(both, order, 30)
    sent(both)
    # As a crash leaves it between the ERP's commit and ours.
    both.in_suite("UPDATE erp_sync_outgoing SET state = 'taken', sent_at = NULL, acknowledged_at = NULL")
    assert sent(both).acknowledged == 3
    assert len(play.hours(both.erp_url)) == 3


def test_what_the_erp_refuses_is_a_dead_letter_and_stops_its_own_order_alone(both: BothSides) -> None:
    both.fetch("orders", full=True)
    good, poisoned = open_orders(both, 2)
    play.close(both.erp_url, poisoned)
    for order, minutes in ((poisoned, 10), (good, 20), (poisoned, 30), (good, 40)):
        work(both, order, minutes)
    found = sent(both)
    assert (found.acknowledged, found.dead, found.waiting) == (2, 1, 1)
    assert states(both) == [back.DEAD, back.ACKNOWLEDGED, back.TAKEN, back.ACKNOWLEDGED]
    message = both.suite_rows("SELECT message FROM erp_sync_outgoing WHERE state = 'dead'")[0][0]
    assert message.startswith(f"Order {poisoned} is closed for registrations")
    play.reopen(both.erp_url, poisoned)
    assert sent(both).acknowledged == 0  # behind a dead letter until somebody settles it
    both.in_suite("UPDATE erp_sync_outgoing SET state = 'taken' WHERE state = 'dead'")
    assert sent(both).acknowledged == 2
    assert sorted(row.minutes for row in play.hours(both.erp_url) if row.order_no == poisoned) == [10, 30]


def test_a_value_that_reads_back_differently_is_not_acknowledged(both: BothSides) -> None:
    both.fetch("orders", full=True)
    order = open_orders(both, 1)[0]
    work(both, order, 45)
    sent(both)
    both.in_erp("UPDATE erp_hours_in SET minutes = 44")
    both.in_suite("UPDATE erp_sync_outgoing SET state = 'sent'")
    assert sent(both).acknowledged == 0
    message = both.suite_rows("SELECT message FROM erp_sync_outgoing")[0][0]
    assert message == "read back differently: minutes is 44, not 45"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"minuten": 45}, "the contract has no column minuten; allowed: employee, external_key, minutes"),
        ({"minutes": -5}, "Minutes"),
        ({"minutes": "abc"}, "Minutes"),
        ({"op_no": "ten"}, "Operation number"),
        ({"worked_on": "31-31-2026"}, "Worked on"),
        ({"worked_on": "1999-12-31"}, "Worked on"),
        ({"employee": None}, "Employee"),
        ({"employee": "x" * 121}, "Employee"),
    ],
)
def test_a_row_that_breaks_its_contract_is_a_dead_letter_of_its_own_order(
    both: BothSides, changed: dict[str, object], said: str
) -> None:
    both.fetch("orders", full=True)
    good, poisoned = open_orders(both, 2)
    plain = {"op_no": 10, "employee": "J. de Boer", "worked_on": "2026-11-20", "minutes": 30}
    both.send("hours_out", poisoned, **plain | changed)
    work(both, poisoned, 15)
    work(both, good, 20)
    found = sent(both)
    assert (found.acknowledged, found.dead) == (1, 1)
    assert states(both) == [back.DEAD, back.TAKEN, back.ACKNOWLEDGED]
    message = both.suite_rows("SELECT message FROM erp_sync_outgoing WHERE state = 'dead'")[0][0]
    assert said in message
    assert [row.minutes for row in play.hours(both.erp_url)] == [20]
    both.in_suite("UPDATE erp_sync_outgoing SET state = 'taken' WHERE state = 'dead'")  # replayed as it was
    assert sent(both) == back.WrittenBack(dead=1)


@pytest.mark.parametrize("at", ["2026-11-23T21:40:57.225000+00:00", "2026-11-23 21:40:57", "2026-11-23"])
def test_an_instant_goes_out_however_iso_8601_writes_it(both: BothSides, at: str) -> None:
    both.fetch("orders", full=True)
    (order,) = open_orders(both, 1)
    both.send("status_out", order, order_no=order, status="started", at=at)
    assert sent(both) == back.WrittenBack(acknowledged=1)


def test_an_instant_that_is_none_stays_here(both: BothSides) -> None:
    both.fetch("orders", full=True)
    (order,) = open_orders(both, 1)
    both.send("status_out", order, order_no=order, status="started", at="yesterday")
    assert sent(both) == back.WrittenBack(dead=1)


def test_an_outbox_that_names_no_interface_or_holds_no_json_stops_nobody(both: BothSides) -> None:
    both.fetch("orders", full=True)
    first, second, third = open_orders(both, 3)
    both.send("invoices", first, total=1)
    work(both, second, 15)
    both.in_suite("UPDATE erp_outbox SET payload = '{' WHERE interface = 'hours_out'")
    work(both, third, 20)
    found = sent(both)
    assert (found.acknowledged, found.dead) == (1, 2)
    told = [row[0] for row in both.suite_rows("SELECT message FROM erp_sync_outgoing ORDER BY id")]
    assert "there is no interface 'invoices'; allowed: status_out, hours_out, materials_out" in told[0]
    assert "its payload is no JSON" in told[1]


def test_a_table_that_broke_its_contract_takes_nothing(both: BothSides) -> None:
    both.fetch("orders", full=True)
    work(both, open_orders(both, 1)[0], 15)
    both.in_erp("ALTER TABLE erp_hours_in RENAME COLUMN minutes TO mins")
    with pytest.raises(SchemaDrifted, match="minutes"):
        sent(both)
    assert states(both) == [back.TAKEN]
    both.in_erp("ALTER TABLE erp_hours_in RENAME COLUMN mins TO minutes")
    assert sent(both).acknowledged == 1


def test_everything_goes_in_small_chunks_too(both: BothSides) -> None:
    both.fetch("orders", full=True)
    for order in open_orders(both, 25):
        work(both, order, 15)
    assert sent(both, chunk=4).acknowledged == 25
    assert len(play.hours(both.erp_url)) == 25
