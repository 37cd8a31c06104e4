"""What stands in a fresh ERP is what was sown, counted by SQL that knows nothing of how it was sown."""

# ruff: noqa: S608 - the tables and conditions that are put together stand in this file

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from demo.erp.making import make, sown
from demo.erp.mess import FEWEST_ORDERS, Mess
from demo.erp.play import counts
from demo.errors import ErpOrdersTooFew
from demo.orders import orders_for
from tests.demo.erp.conftest import Erp

if TYPE_CHECKING:
    from pathlib import Path

NEGATIVE = "qty LIKE '-%'"
NO_NUMBER = "(qty = '' OR rtrim(ltrim(qty, '-'), '0123456789') <> '')"
YEAR_ONE = "due_date = '01-01-0001'"
NO_ARTICLE = "(item_no IS NULL OR trim(item_no) = '')"
BAD = f"({NEGATIVE} OR {NO_NUMBER} OR {YEAR_ONE} OR {NO_ARTICLE})"
OF_BAD = f"order_no IN (SELECT order_no FROM erp_orders WHERE {BAD})"
OF_NONE = "NOT EXISTS (SELECT 1 FROM erp_orders o WHERE o.order_no = {table}.order_no)"
TWICE = "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {table} GROUP BY {columns}) AS t"
OLDER = (
    "SELECT count(*) FROM {table} a WHERE EXISTS"
    " (SELECT 1 FROM {table} b WHERE {same} AND b.row_version > a.row_version)"
)
ORDER_COLUMNS = (
    "order_no, customer_name, item_no, description, qty, due_date, status, row_version, changed_at, deleted"
)
OPERATION_COLUMNS = "order_no, op_no, op_name, planned_min, row_version, changed_at"
MATERIAL_COLUMNS = "order_no, line_no, item_no, qty, unit, row_version, changed_at"


def count(table: str, condition: str) -> str:
    return f"SELECT count(*) FROM {table} WHERE {condition}"


COUNTED = {
    "orders": "SELECT count(DISTINCT order_no) FROM erp_orders",
    "order_rows": "SELECT count(*) FROM erp_orders",
    "operation_rows": "SELECT count(*) FROM erp_operations",
    "material_rows": "SELECT count(*) FROM erp_materials",
    "negative_quantities": count("erp_orders", NEGATIVE),
    "text_quantities": count("erp_orders", NO_NUMBER),
    "year_one_dates": count("erp_orders", YEAR_ONE),
    "empty_articles": count("erp_orders", NO_ARTICLE),
    "identical_orders": TWICE.format(table="erp_orders", columns=ORDER_COLUMNS),
    "older_orders": OLDER.format(table="erp_orders", same="b.order_no = a.order_no"),
    "identical_operations": TWICE.format(table="erp_operations", columns=OPERATION_COLUMNS),
    "older_operations": OLDER.format(
        table="erp_operations", same="b.order_no = a.order_no AND b.op_no = a.op_no"
    ),
    "orphan_operations": count("erp_operations", OF_NONE.format(table="erp_operations")),
    "orphan_materials": count("erp_materials", OF_NONE.format(table="erp_materials")),
    "operations_of_bad_orders": count("erp_operations", OF_BAD),
    "materials_of_bad_orders": count("erp_materials", OF_BAD),
    "negative_materials": count("erp_materials", f"qty < 0 AND NOT {OF_BAD}"),
    "deleted_orders": count("erp_orders", "deleted = 1"),
    "orders_without_operations": count(
        "erp_orders", "deleted = 0 AND order_no NOT IN (SELECT order_no FROM erp_operations)"
    ),
    "padded_orders": count("erp_orders", "order_no LIKE '% '"),
    "unicode_orders": count("erp_orders", "description LIKE '%🔩%'"),
    "formulas": count("erp_orders", "description LIKE '=%'"),
    "dutch_dates": count("erp_orders", f"due_date LIKE '__-__-____' AND NOT {YEAR_ONE}"),
}


@pytest.mark.parametrize("what", COUNTED)
def test_what_stands_there_is_what_was_sown(large: Erp, what: str) -> None:
    assert large.one(COUNTED[what]) == getattr(large.mess, what) > 0


def test_nothing_that_is_sown_is_left_uncounted(large: Erp) -> None:
    assert {field.name for field in fields(Mess)} == {*COUNTED, "closed"}
    assert [number for (number,) in large.rows("SELECT order_no FROM erp_closed_orders ORDER BY 1")] == list(
        large.mess.closed
    )


def test_the_demo_s_size_is_there_within_seconds(large: Erp) -> None:
    assert large.seconds < 10
    assert large.mess.orders == 50_000
    assert large.mess.operation_rows / large.mess.orders == pytest.approx(3, rel=0.02)
    assert large.mess.material_rows / large.mess.orders == pytest.approx(2, rel=0.02)


def test_an_order_has_one_thing_wrong_at_most(large: Erp) -> None:
    strange = ("deleted = 1", "order_no LIKE '% '", "description LIKE '%🔩%'", "description LIKE '=%'")
    for other in (*strange, "order_no IN (SELECT order_no FROM erp_closed_orders)"):
        assert large.one(count("erp_orders", f"{BAD} AND {other}")) == 0
    assert large.one(count("erp_orders", BAD)) == large.mess.bad_orders


def test_what_a_full_load_leaves_in_the_suite_can_be_told_beforehand(large: Erp) -> None:
    good = f"FROM erp_orders WHERE deleted = 0 AND NOT {BAD}"
    assert large.one(f"SELECT count(DISTINCT rtrim(order_no)) {good}") == large.mess.good_orders
    of_good = f"WHERE order_no IN (SELECT order_no {good})"
    operations = f"SELECT DISTINCT order_no, op_no FROM erp_operations {of_good}"
    assert large.one(f"SELECT count(*) FROM ({operations}) AS t") == large.mess.good_operations
    materials = f"SELECT DISTINCT order_no, line_no FROM erp_materials {of_good} AND qty > 0"
    assert large.one(f"SELECT count(*) FROM ({materials}) AS t") == large.mess.good_materials


def test_signs_from_everywhere_come_out_as_they_went_in(large: Erp) -> None:
    signs = {"Ż", "ł", "ı", "İ", "e\u0301", "\u00a0", "\u202f", "👩🏽\u200d🏭", "🇳🇱"}
    names = [name for (name,) in large.rows("SELECT DISTINCT customer_name FROM erp_orders")]
    assert {sign for sign in signs if any(sign in name for name in names)} == signs
    assert large.one(count("erp_orders", "description LIKE '%naïve\u00a0Ø'")) == large.mess.unicode_orders


def test_lines_carry_the_number_of_their_order_blanks_and_all(large: Erp) -> None:
    for table in ("erp_operations", "erp_materials"):
        padded = large.rows(f"SELECT DISTINCT order_no FROM {table} WHERE order_no LIKE '% '")
        assert len(padded) == large.mess.padded_orders
    deleted = "order_no IN (SELECT order_no FROM erp_orders WHERE deleted = 1)"
    assert large.one(count("erp_operations", deleted)) == large.one(count("erp_materials", deleted)) == 0


def test_the_newest_of_two_versions_stands_first_or_last(large: Erp) -> None:
    place = "ctid" if large.url.startswith("postgresql") else "rowid"
    query = (
        f"SELECT a.{place} < b.{place}, count(*) FROM erp_orders a JOIN erp_orders b"
        " ON b.order_no = a.order_no AND b.row_version > a.row_version GROUP BY 1"
    )
    found = {bool(first): often for first, often in large.rows(query)}
    assert set(found) == {False, True}
    assert sum(found.values()) == large.mess.older_orders


def test_no_version_is_given_to_two_different_rows_and_time_rises_with_it(large: Erp) -> None:
    union = " UNION ALL ".join(
        f"SELECT DISTINCT '{table}' AS name, order_no, row_version, changed_at FROM {table}"
        for table in ("erp_orders", "erp_operations", "erp_materials")
    )
    rows = large.rows(f"SELECT row_version, changed_at FROM ({union}) AS t ORDER BY row_version")
    assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
    times = [at for _, at in rows]
    assert times == sorted(times)


def test_the_suites_first_orders_are_there_and_clean(large: Erp) -> None:
    known = orders_for("brouwer", "nl")
    query = (
        "SELECT order_no, customer_name, item_no, description, qty, due_date, status FROM erp_orders"
        " WHERE order_no LIKE 'BR-%' ORDER BY row_version"
    )
    names = ("number", "customer", "article", "description", "quantity", "due_on", "status")
    assert large.rows(query) == [tuple(str(order[name]) for name in names) for order in known]
    query = (
        "SELECT order_no, op_no, op_name, planned_min FROM erp_operations WHERE order_no LIKE 'BR-%'"
        " ORDER BY row_version"
    )
    assert large.rows(query) == [
        (order["number"], step["sequence"], step["name"], step["planned_minutes"])
        for order in known
        for step in order["operations"]
    ]


def everything(erp: Erp) -> list[list[tuple[Any, ...]]]:
    """All rows as they stand there, in the form both databases can give."""
    tables = {
        "erp_orders": ORDER_COLUMNS,
        "erp_operations": OPERATION_COLUMNS,
        "erp_materials": MATERIAL_COLUMNS,
    }
    return [
        [
            tuple(_plain(name, value) for name, value in zip(columns.split(", "), row, strict=True))
            for row in erp.rows(f"SELECT {columns} FROM {table} ORDER BY row_version")
        ]
        for table, columns in tables.items()
    ]


def _plain(name: str, value: Any) -> Any:
    if name == "changed_at":
        return str(value)[:19]
    return value if value is None or isinstance(value, str) else Decimal(str(value))


def test_both_databases_and_every_time_give_the_same_rows(tmp_path: Path, postgres_url: str) -> None:
    urls = [f"sqlite:///{tmp_path / 'a.sqlite'}", f"sqlite:///{tmp_path / 'b.sqlite'}", postgres_url]
    made = [Erp(url, make(url, orders=3_000, seed=11)) for url in urls]
    first, *others = map(everything, made)
    assert all(other == first for other in others)
    assert {erp.mess for erp in made} == {sown(orders=3_000, seed=11)}
    other_seed = Erp(urls[0], make(urls[0], orders=3_000, seed=12, replace=True))
    assert everything(other_seed) != first


def test_the_smallest_erp_has_something_of_everything(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'erp.sqlite'}"
    erp = Erp(url, make(url, orders=FEWEST_ORDERS))
    assert {what for what, query in COUNTED.items() if erp.one(query) != getattr(erp.mess, what)} == set()
    assert all(getattr(erp.mess, what) > 0 for what in COUNTED)
    assert counts(url)["erp_orders"] == erp.mess.order_rows
    with pytest.raises(ErpOrdersTooFew, match="199 orders cannot be made"):
        sown(orders=FEWEST_ORDERS - 1)
