"""Hours that somebody changed or removed at the ERP are the Suite's again after a comparison."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from demo.erp import play
from tasks.erp import write_back as back
from tasks.erp.mending import PERIOD, Mended, mend
from tests.harness.erp import CUSTOMER, NOON

if TYPE_CHECKING:
    from datetime import datetime

    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-2.6.7a")


def mended(both: BothSides, at: datetime = NOON, **asked: int) -> Mended:
    with both.erp.connect() as session:
        return mend(session, both.suite.engine(), CUSTOMER, at, **asked)


def worked(both: BothSides, count: int) -> list[str]:
    """Hours on so many open orders, acknowledged by the ERP; the orders."""
    both.fetch("orders", full=True)
    closed = set(both.mess.closed)
    rows = both.suite_rows("SELECT number FROM production_orders ORDER BY number")
    orders = [row[0] for row in rows if row[0] not in closed][:count]
    for order in orders:
        both.send("hours_out", order, op_no=10, employee="J. de Boer", worked_on="2026-11-20", minutes=45)
    with both.erp.connect() as session:
        back.write_back(session, both.suite.engine(), CUSTOMER, lambda: NOON)
    return orders


def overruled(both: BothSides) -> list[tuple[str, str, dict[str, list[str]]]]:
    rows = both.suite_rows("SELECT key, winner, details FROM erp_sync_overrulings ORDER BY id")
    return [(row[0].split("/")[0], row[1], json.loads(row[2])) for row in rows]


def minutes(both: BothSides) -> dict[str, int]:
    return {row.order_no: row.minutes for row in play.hours(both.erp_url)}


def test_what_nobody_touched_is_left_alone(both: BothSides) -> None:
    worked(both, 3)
    assert mended(both) == Mended(read_back=3)
    assert overruled(both) == []


def test_changed_and_removed_rows_are_recorded_and_written_again(both: BothSides) -> None:
    first, second, third = worked(both, 3)
    both.in_erp("UPDATE erp_hours_in SET minutes = 44 WHERE order_no = :number", number=first)
    both.in_erp("DELETE FROM erp_hours_in WHERE order_no = :number", number=second)
    assert mended(both) == Mended(read_back=3, overruled=2, mended=2)
    assert minutes(both) == {first: 45, second: 45, third: 45}
    assert overruled(both) == [
        (first, "suite", {"minutes": ["44", "45"]}),
        (second, "suite", {"row": ["gone", "there"]}),
    ]
    assert mended(both) == Mended(read_back=3)


def test_the_same_row_is_mended_as_often_as_it_is_changed(both: BothSides) -> None:
    (order,) = worked(both, 1)
    for number in (1, 2, 3):
        both.in_erp("UPDATE erp_hours_in SET minutes = 44")
        assert mended(both).mended == 1, number
        both.in_erp("DELETE FROM erp_hours_in")
        assert mended(both).mended == 1, number
    assert minutes(both) == {order: 45}
    assert len(overruled(both)) == 6


def test_what_the_erp_refuses_stays_different_in_its_own_words(both: BothSides) -> None:
    first, second = worked(both, 2)
    both.in_erp("DELETE FROM erp_hours_in")
    play.close(both.erp_url, first)
    found = mended(both)
    assert (found.overruled, found.mended) == (2, 1)
    (said,) = found.unmended
    assert said.startswith(f"hours_out {first} (")
    assert "closed for registrations" in said
    assert minutes(both) == {second: 45}
    play.reopen(both.erp_url, first)
    assert mended(both).mended == 1


def test_only_the_newest_of_the_period_is_read_back(both: BothSides) -> None:
    orders = worked(both, 4)
    both.in_erp("UPDATE erp_hours_in SET minutes = 44")
    assert mended(both, most=3) == Mended(read_back=3, not_read=1, overruled=3, mended=3)
    assert minutes(both) == {orders[0]: 44} | dict.fromkeys(orders[1:], 45)
    assert mended(both, NOON + PERIOD + timedelta(seconds=1)) == Mended(not_read=4)
