"""What changed between two versions of a contract, and whom it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.diff import diff
from data_contracts.loading import parse_contract

TEXT = Path(__file__).with_name("agreed.yaml").read_text(encoding="utf-8")
AGREED = parse_contract(TEXT, "agreed.yaml")
READER, WRITER, BOTH, NOBODY = ("reader",), ("writer",), ("reader", "writer"), ()
FINISHED = "          - {value: finished}\n"


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1, old
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "where", "what", "breaks"),
    [
        ("maxLength: 120", "maxLength: 100", "customer_name", "max length", WRITER),
        ("maxLength: 120", "maxLength: 200", "customer_name", "max length", READER),
        ("maxLength: 120", "maxLength: 120, minLength: 2", "customer_name", "min length", WRITER),
        ("minimum: 1, maximum", "minimum: 5, maximum", "qty", "minimum", WRITER),
        ("minimum: 1, maximum", "minimum: 0, maximum", "qty", "minimum", READER),
        ("maximum: 1000000", "maximum: 2000000", "qty", "maximum", READER),
        ('minimum: "2000-01-01"', 'minimum: "2010-01-01"', "due_date", "minimum", WRITER),
        (FINISHED, "", "status", "allowed", WRITER),
        (FINISHED, f"{FINISHED}          - {{value: held}}\n",
         "status", "allowed", READER),
        (FINISHED, "          - {value: done}\n", "status", "allowed", BOTH),
        ("{1,20}", "{1,30}", "order_no", "pattern", BOTH),
        ("[YYYY-MM-DD, DD-MM-YYYY]", "[YYYY-MM-DD]", "due_date", "formats", WRITER),
        ("[YYYY-MM-DD, DD-MM-YYYY]", "[YYYY-MM-DD, DD-MM-YYYY, YYYYMMDD]", "due_date", "formats", READER),
        ('["0001-01-01"]', '["0001-01-01", "2099-12-31"]', "due_date", "placeholders", WRITER),
        ("physicalType: smallint", "physicalType: bigint", "deleted", "physical types", READER),
        ("physicalType: smallint", "physicalType: boolean", "deleted", "physical types", NOBODY),
        ("physicalType: bigint", "physicalType: text", "row_version", "physical types", BOTH),
        ("logicalType: boolean", "logicalType: integer", "deleted", "logical type", BOTH),
        ("value: customer}", "value: client}", "customer_name", "target", READER),
        ('default, value: ""', "default, value: none", "description", "default", NOBODY),
        ("nl: Klant,", "nl: Afnemer,", "customer_name", "labels", NOBODY),
        ("value: 15, unit: minutes", "value: 5, unit: minutes", "table", "freshness", WRITER),
        ("value: 15, unit: minutes", "value: 1, unit: hours", "table", "freshness", READER),
        ("value: 0.05", "value: 0.01", "table", "share of bad rows", WRITER),
        ("value: 0.05", "value: 0.5", "table", "share of bad rows", READER),
        ("value: newest", "value: refuse", "table", "duplicates", WRITER),
        ("by: row_version, column: row_version", "by: changed_at, column: changed_at, overlapMinutes: 10",
         "table", "changes", BOTH),
        ("by: tombstone, column: deleted", "by: tombstone, table: gone", "table", "deletions", BOTH),
        ("name: erp_orders", "name: orders", "table", "source table", BOTH),
        ("value: production_orders}", "value: orders}", "table", "target table", READER),
        ("exchange@sps.example", "erp@sps.example", "contract", "owner", NOBODY),
        ("status: active", "status: deprecated", "contract", "status", NOBODY),
        ("- name: item_no\n", "- name: item_no\n        unique: true\n", "item_no", "unique", WRITER),
    ],
)  # fmt: skip
def test_each_change_and_whom_it_breaks(
    old: str, new: str, where: str, what: str, breaks: tuple[str, ...]
) -> None:
    after = parse_contract(changed(old, new), "new.yaml")
    assert [(each.where, each.what, each.breaks) for each in diff(AGREED, after).changes] == [
        (where, what, breaks)
    ]
    back = [(each.where, each.what) for each in diff(after, AGREED).changes]
    assert back == [(where, what)]


def test_what_is_stricter_one_way_is_looser_the_other() -> None:
    stricter = parse_contract(changed("maxLength: 120", "maxLength: 100"), "new.yaml")
    assert diff(AGREED, stricter).changes[0].breaks == WRITER
    assert diff(stricter, AGREED).changes[0].breaks == READER


COLUMN = """      - name: colour
        logicalType: string
        physicalType: text
{required}"""


@pytest.mark.parametrize(("required", "breaks"), [("", NOBODY), ("        required: true\n", WRITER)])
def test_columns_come_and_go(required: str, breaks: tuple[str, ...]) -> None:
    more = parse_contract(TEXT + COLUMN.format(required=required), "new.yaml")
    (come,) = diff(AGREED, more).changes
    assert (come.where, come.what, come.old, come.new, come.breaks) == (
        "colour",
        "column",
        "–",
        "text",
        breaks,
    )
    (gone,) = diff(more, AGREED).changes
    assert (gone.old, gone.new, gone.breaks) == ("text", "–", READER)


def test_the_same_contract_has_not_changed() -> None:
    found = diff(AGREED, parse_contract(TEXT, "new.yaml"))
    assert (found.changes, found.breaking, found.version_fits) == ((), False, True)


@pytest.mark.parametrize(
    ("old", "new", "least"),
    [
        ("maxLength: 120", "maxLength: 100", "2.0.0"),
        ('{property: default, value: ""}', "{property: default, value: none}", "1.1.0"),
        ("nl: Klant,", "nl: Afnemer,", "1.0.1"),
        ("status: active", "status: active", "1.0.0"),
    ],
)
def test_the_version_says_as_much_as_the_changes(old: str, new: str, least: str) -> None:
    text = changed(old, new)
    found = diff(AGREED, parse_contract(text, "new.yaml"))
    assert found.least_version == least
    assert found.version_fits is (least == "1.0.0")
    raised = parse_contract(text.replace("version: 1.0.0", f"version: {least}"), "new.yaml")
    assert diff(AGREED, raised).version_fits
