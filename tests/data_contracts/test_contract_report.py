"""Checks by hand: great_expectations keeps to itself, and what it finds is a report that people can read."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from data_contracts.errors import LanguageUnknown, StagingUnfit
from data_contracts.loading import parse_contract
from data_contracts.report import report_of
from data_contracts.report_page import page_of
from data_contracts.rules import rules_of
from data_contracts.suite import suite_of
from data_contracts.validation import StagedRows, validate
from tests.data_contracts import messy

if TYPE_CHECKING:
    import sqlalchemy as sa

    from data_contracts.report import Report

ROOT = Path(__file__).parents[2]
AGREED = parse_contract(Path(__file__).with_name("agreed.yaml").read_text(encoding="utf-8"), "agreed.yaml")
AT = dt.datetime(2027, 3, 27, 22, 30, tzinfo=dt.UTC)
ROWS = [
    messy.good_row(AGREED, 1),
    messy.good_row(AGREED, 2) | {"qty": "-5", "due_date": "01-01-0001"},
    messy.good_row(AGREED, 3)
    | {"customer_name": "<b>Jansen & Zn.</b>", "status": "<script>alert(1)</script>"},
    messy.good_row(AGREED, 1) | {"row_version": "2"},
]


def checked(rows: list[dict[str, Any]] | None = None) -> Report:
    return validate(AGREED, pd.DataFrame(ROWS if rows is None else rows, dtype=object))


def test_a_report_counts_and_says_why() -> None:
    report = checked()
    assert (report.rows, report.bad_rows, report.share, report.over_limit) == (4, 2, Decimal("0.5"), True)
    broken = {finding.rule: finding for finding in report.findings if finding.broken}
    assert {rule: finding.broken for rule, finding in broken.items()} == {
        "qty.range": 1,
        "due_date.placeholder": 1,
        "status.allowed": 1,
        "key.overtaken": 1,
    }
    sample = broken["qty.range"].samples[0]
    assert sample.row_id == 2
    assert sample.words["nl"].startswith("Aantal '-5' ligt niet tussen")
    assert [finding.rule for finding in report.findings] == [rule.name for rule in rules_of(AGREED)]


def test_a_report_is_plain_data() -> None:
    data = json.loads(json.dumps(checked().as_data()))
    assert data["interface"] == "orders"
    assert data["share"] == "0.500000"
    assert data["over_limit"] is True
    assert data["findings"][0]["rule"] == "order_no.required"


def test_a_staging_table_is_checked_where_it_lies(engine: sa.Engine) -> None:
    table = messy.table_of(AGREED)
    table.create(engine)
    try:
        messy.fill(engine, table, ROWS)
        assert validate(AGREED, StagedRows(engine, table)) == checked()
        with engine.connect() as connection:  # nothing of the check stays behind in a connection of the pool
            assert not engine.dialect.has_table(connection, "data_contract_view")
    finally:
        table.drop(engine)


def test_every_bad_row_of_a_staging_table_is_counted(engine: sa.Engine) -> None:
    rows = [messy.good_row(AGREED, number) | {"qty": "-5"} for number in range(1, 51)]
    table = messy.table_of(AGREED)
    table.create(engine)
    try:
        messy.fill(engine, table, rows)
        report = validate(AGREED, StagedRows(engine, table))
    finally:
        table.drop(engine)
    assert report == checked(rows)
    assert (report.rows, report.bad_rows) == (50, 50)


def test_references_that_nobody_can_look_up_are_named_as_unchecked() -> None:
    from data_contracts.loading import contract_for

    contract = contract_for("operations")
    frame = pd.DataFrame([messy.good_row(contract)], dtype=object)
    report = validate(contract, frame)
    assert report.unchecked == ("order_no.reference",)
    assert not report.clean
    assert validate(contract, frame, known={"order_no": {"A1"}}).clean


def test_frames_are_judged_whatever_their_types() -> None:
    rows = [messy.good_row(AGREED, 1), messy.good_row(AGREED, 2)]
    frame = pd.DataFrame(rows).assign(
        qty=[1.0, float("nan")],
        row_version=pd.array([1, None], dtype="Int64"),
        due_date=[dt.date(2027, 1, 3), pd.NaT],
        changed_at=pd.to_datetime(["2027-01-03 10:00:00", None]),
        deleted=[False, True],
    )
    assert validate(AGREED, frame).clean  # of the second row, a deleted one, only the key matters
    alive = frame.assign(deleted=False)
    broken = {finding.rule for finding in validate(AGREED, alive).findings if finding.broken}
    assert broken == {"qty.required", "due_date.required", "row_version.required"}


def test_a_frame_without_a_column_is_refused() -> None:
    with pytest.raises(StagingUnfit, match=r"The frame cannot be checked .* it has no qty, due_date"):
        validate(AGREED, pd.DataFrame(ROWS).drop(columns=["qty", "due_date"]))


def test_the_suite_is_the_librarys_own_and_can_be_kept_as_json() -> None:
    suite = suite_of(AGREED)
    kept = json.loads(json.dumps(suite.to_json_dict()))
    types = {each["type"] for each in kept["expectations"]}
    assert all(each.startswith("expect_column_value") for each in types)
    assert [each["meta"]["rule"] for each in kept["expectations"]] == [rule.name for rule in rules_of(AGREED)]
    assert kept["meta"]["version"] == "1.0.0"


def test_a_report_can_be_made_from_counts_alone() -> None:
    """The exchange counts by itself; a page for it needs no library of anybody."""
    row = messy.good_row(AGREED, 7) | {"qty": "-5"}
    report = report_of(
        AGREED,
        rows=100_000,
        bad_rows=1,
        broken={"qty.range": 1},
        samples=[("qty.range", 7, row), ("gone.rule", 8, row)],
    )
    assert not report.over_limit
    assert "1 van de 100.000 regels zijn fout (&lt; 0,01%)" in page_of(report, "nl", AT)
    assert "1 of 100,000 rows are bad (&lt; 0.01%)" in page_of(report, "en", AT)


class Page(HTMLParser):
    """What stands in a page: tags, their attributes, and the words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Keep them."""
        self.words.append(data)


@pytest.mark.parametrize(
    ("language", "title", "reason", "verdict"),
    [
        (
            "nl",
            "Controle van orders",
            "Leverdatum '01-01-0001' betekent",
            "Van deze levering is niets gebruikt",
        ),
        ("en", "Check of orders", "Due date '01-01-0001' means", "Nothing of this delivery was used"),
    ],
)
def test_the_page_is_readable_and_brings_nothing_from_elsewhere(
    language: str, title: str, reason: str, verdict: str
) -> None:
    text = page_of(checked(), language, AT)
    page = Page(text)
    words = " ".join(" ".join(page.words).split())
    assert title in words
    assert reason in words
    assert verdict in words
    assert "27-03-2027 23:30" in words
    assert "<script>alert(1)</script>" in words  # as text
    assert not {"script", "link", "img", "iframe", "b"} & set(page.tags)
    assert not {"src", "href", "onclick"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?://|@import|url\(", text)
    assert ("lang", language) in page.attributes
    assert {"h1", "main", "caption", "th"} <= set(page.tags)


def test_a_page_of_nothing_wrong() -> None:
    page = page_of(checked([messy.good_row(AGREED)]), "nl", AT)
    assert "Alle regels zijn nagekomen: 1 regels gecontroleerd" in page
    assert "Niet nagekomen" not in page


def test_a_page_in_another_language_is_refused() -> None:
    with pytest.raises(LanguageUnknown, match="no words in the language 'de'; there are in: nl, en"):
        page_of(checked([messy.good_row(AGREED)]), "de", AT)


ALONE = """
import os, socket, sys
def refused(*arguments, **named):
    raise OSError("the network was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
import pandas as pd
from tests.data_contracts import messy
from data_contracts.loading import contract_for
from data_contracts.validation import validate
contract = contract_for("orders")
print(validate(contract, pd.DataFrame([messy.good_row(contract)], dtype=object)).rows)
"""


def test_the_library_writes_nothing_and_calls_nobody(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=ROOT,
        env={"HOME": str(home), "TMPDIR": str(temporary), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "1\n"), run.stderr
    assert [path.name for path in home.rglob("*")] == []
    assert [path.name for path in temporary.rglob("*")] == []


HEAVY = ("great_expectations", "pandas", "pyarrow", "numpy")


@pytest.mark.parametrize(
    "imported",
    [
        "flows.rfc_street, flows.erp_sync",
        "tasks, tasks.erp.exchange",
        "blocks; [getattr(blocks, name) for name in blocks.__all__]",
        "deployments.cli; deployments.cli.make_app()",
        "deployments.warm",
        "data_contracts.loading, data_contracts.sql, data_contracts.drift, data_contracts.diff",
    ],
)
def test_nobody_loads_the_library_without_need(imported: str) -> None:
    """Importing it takes seconds, which every command and every worker would wait."""
    code = f"import sys, {imported}\nprint(sorted({set(HEAVY)!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
