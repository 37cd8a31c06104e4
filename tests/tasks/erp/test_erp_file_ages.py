"""Files beside the ERP's database: a late file does not undo what was fetched since, on both databases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from blocks.erp.inbox import ErpInbox
from demo.erp import play
from tasks.erp import file_ages, file_answers, files
from tasks.erp.fetching import Asked
from tasks.erp.interfaces import interface
from tests.harness.erp import CUSTOMER, NOON

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-4.2.1")
COLUMNS = ("order_no", "customer_name", "item_no", "description", "qty", "due_date", "status", "row_version")


def take(both: BothSides, folder: Path, *rows: tuple[Any, ...]) -> str:
    """Take a file with these rows; the answer."""
    path = folder / "orders.csv"
    path.write_text("\n".join(";".join(map(str, row)) for row in (COLUMNS, *rows)), encoding="utf-8")
    digest = f"{abs(hash(rows)):064d}"
    received = files.Received(name=path.name, path=path, digest=digest)
    asked = Asked(customer=CUSTOMER, run="file")
    block = ErpInbox.model_construct(csv_encoding="utf-8-sig", csv_delimiter=";")
    taken = files.take(both.suite.engine(), block, received, asked, NOON)
    return file_answers.of_taken(both.suite.engine(), path.name, taken, "en")


def row(number: str, qty: int, version: int) -> tuple[Any, ...]:
    return (number, "Veldkamp", "HEB-200", "Ligger", qty, "2026-12-18", "planned", version)


def quantity(both: BothSides, number: str) -> int:
    return int(both.suite_rows("SELECT quantity FROM production_orders WHERE number = :n", n=number)[0][0])


def test_a_file_from_before_the_last_fetch_is_left_alone_and_a_later_one_taken(
    both: BothSides, tmp_path: Path
) -> None:
    both.fetch("orders", full=True)
    (number,) = play.change(both.erp_url, 1, 3)
    both.fetch("orders")
    held = quantity(both, number)
    kept = json.loads(both.suite_rows("SELECT mark FROM erp_sync_marks WHERE interface = 'orders'")[0][0])
    assert kept["of"] == "erp_orders.row_version"
    mark = kept["at"]
    answer = take(both, tmp_path, row(number, held + 1, mark - 1), row("F-NEW", 5, 1))
    assert quantity(both, number) == held
    assert f"- {number}: version {mark - 1}; the Suite has version {mark}." in answer
    assert quantity(both, "F-NEW") == 5  # what the Suite does not hold is no older version of anything
    answer = take(both, tmp_path, row(number, held + 2, mark + 5))
    assert "older" not in answer
    assert quantity(both, number) == held + 2
    take(both, tmp_path, row(number, held + 3, mark + 4))
    assert quantity(both, number) == held + 2


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ('{"instant": "2026-11-23T12:00:00"}', "2026-11-23 12:00:00"),
        ('{"instant": "2026-11-23T12:00:00+00:00"}', "2026-11-22 12:00:00"),
        ("7", "7"),
        ('{"of": "erp_orders.row_version", "at": 7}', "7"),
        ('{"of": "erp_orders.row_version", "at": {"instant": "2026-11-23T12:00:00"}}', "2026-11-23 12:00:00"),
        ('{"of": "mfg_orders.changed", "at": 7}', None),  # the contract named another column then
        ('{"bytes": "00ff"}', None),
        (None, None),
    ],
)
def test_how_far_the_database_was_fetched(both: BothSides, mark: str | None, text: str | None) -> None:
    both.fetch("orders")
    both.in_suite("UPDATE erp_sync_marks SET mark = :mark", mark=mark)
    with both.suite.engine().connect() as connection:
        assert file_ages._fetched_upto(connection, interface("orders")) == text
