"""The overview read back from Excel: it keeps its contract, and its counts and sums are the ledger's."""

from __future__ import annotations

import dataclasses
import tracemalloc
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openpyxl
import pandas as pd
import pytest

from data_contracts.loading import contract_for
from data_contracts.validation import validate
from tasks.erp import stored_overview
from tasks.erp import write_back as back
from tasks.erp.errors import OverviewUnequal
from tasks.erp.overview import write_overview
from tasks.erp.overview_words import WORDS
from tasks.erp.period import Period
from tests.harness.erp import CUSTOMER, NOON

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.erp.overview import Overview
    from tests.harness.erp import BothSides

pytestmark = pytest.mark.clause("S-4.2.2")
DAYS = timedelta(days=30)
DAY = Period(date(2026, 11, 23), date(2026, 11, 23))


def exchanged(both: BothSides) -> None:
    """Everything in; hours, materials and a status out; a dead letter that is no JSON but a formula."""
    both.fetch("orders", full=True)
    closed = set(both.mess.closed)
    orders = [row[0] for row in both.suite_rows("SELECT number FROM production_orders ORDER BY number")]
    first, second, third = [order for order in orders if order not in closed][:3]
    for name in ("operations", "materials"):
        both.fetch(name, order=first)
    hours = {"op_no": 10, "worked_on": "2026-11-20"}
    both.send("hours_out", first, employee="J. de Boer", minutes=45, **hours)
    both.send("hours_out", second, employee="=1+1", minutes=30, **hours)
    both.send("materials_out", first, line_no=1, item_no="M-1", qty="12.345", unit="st")
    both.send("materials_out", second, line_no=2, item_no="M-2", qty="0.1", unit="st")
    both.send("status_out", first, status="started", at="2026-11-20T10:00:00+00:00")
    both.send("hours_out", third, employee="J. de Boer", minutes="veel", **hours)
    with both.erp.connect() as session:
        back.write_back(session, both.suite.engine(), CUSTOMER, lambda: NOON)
    both.in_suite("UPDATE erp_sync_outgoing SET payload = '=A1' WHERE state = 'dead'")


def written(both: BothSides, path: Path, language: Any = "nl", **given: int) -> Overview:
    engine = both.suite.engine()
    return write_overview(engine, path, start=DAY.start, end=DAY.end, language=language, **given)


def read_back(path: Path, language: Any) -> pd.DataFrame:
    """All sheets of data under the contract's names, words turned back into what they stand for."""
    contract = contract_for("overview")
    named = {each.label(language): each.name for each in contract.table.columns}
    meant = {word: code for code, word in WORDS[language].items()}
    book = openpyxl.load_workbook(path)
    sheets = [book[name] for name in book.sheetnames if book[name].max_column == len(named)]
    rows = []
    for sheet in sheets:
        header, *cells = sheet.iter_rows(values_only=True)
        names = [named[str(each).removesuffix(" (Europe/Amsterdam)")] for each in header]
        rows += [dict(zip(names, row, strict=True)) for row in cells]
    for row in rows:
        if row["worked_on"] is not None:  # Excel knows no date without a time
            assert row["worked_on"].time() == time()
            row["worked_on"] = row["worked_on"].date()
        row |= {name: meant.get(row[name], row[name]) for name in ("direction", "state", "guarantee")}
    return pd.DataFrame(rows, dtype=object)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_what_stands_in_excel_keeps_the_contract(both: BothSides, tmp_path: Path, language: Any) -> None:
    exchanged(both)
    made = written(both, tmp_path / "o.xlsx", language)
    frame = read_back(tmp_path / "o.xlsx", language)
    assert len(frame) == made.rows == made.incoming + made.outgoing + made.held_back
    report = validate(contract_for("overview"), frame)
    assert report.clean, [each for each in report.findings if each.broken]


def test_dates_and_numbers_are_real_and_a_formula_is_text(both: BothSides, tmp_path: Path) -> None:
    exchanged(both)
    written(both, tmp_path / "o.xlsx")
    out = read_back(tmp_path / "o.xlsx", "nl").query("direction == 'out'").set_index("number")
    hours, formula, material = out.loc[1], out.loc[2], out.loc[3]
    assert (hours["minutes"], hours["worked_on"]) == (45, date(2026, 11, 20))
    assert hours["recorded_at"] == datetime(2026, 11, 23, 13)  # noqa: DTZ001 - local time, as the header says
    assert (hours["state"], hours["guarantee"]) == ("acknowledged", "exactly-once")
    assert Decimal(str(material["quantity"])) == Decimal("12.345")
    sheet = openpyxl.load_workbook(tmp_path / "o.xlsx")[WORDS["nl"]["out"]]
    assert "f" not in {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row}
    assert "employee =1+1" in formula["content"]
    dead = out.loc[6]
    assert (dead["state"], dead["content"], dead["minutes"]) == ("dead", "=A1", None)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:P{sheet.max_row}")


def test_counts_and_sums_per_interface_are_the_ledgers_own(both: BothSides, tmp_path: Path) -> None:
    exchanged(both)
    later = write_overview(
        both.suite.engine(), tmp_path / "o.xlsx", start=DAY.end, end=DAY.end + DAYS, language="en"
    )
    assert (later.rows, later.ledger, later.difference) == (0, {}, None)
    made = written(both, tmp_path / "o.xlsx", "en")
    assert made.difference is None
    assert made.ledger["out", "hours_out", "acknowledged"].sums["minutes"] == 75
    assert made.ledger["out", "materials_out", "acknowledged"].sums["quantity"] == Decimal("12.445")
    book = openpyxl.load_workbook(tmp_path / "o.xlsx")
    assert book.sheetnames[0] == "Overview"
    _, *rows = book["Per interface"].iter_rows(values_only=True)
    told = {row[:3]: row[3:] for row in rows}
    assert told["From Suite to ERP", "hours_out", "acknowledged"] == (2, None, 75)
    assert told["From Suite to ERP", "materials_out", "acknowledged"] == (2, 12.445, None)
    assert sum(row[0] for row in told.values()) == made.rows


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE erp_sync_batches SET created = created + 1 WHERE interface = 'orders' AND created > 0",
            "in orders created",
        ),
        (
            "DELETE FROM erp_sync_transactions WHERE key = (SELECT min(key) FROM erp_sync_transactions)",
            "created",
        ),
    ],
)
def test_a_ledger_that_contradicts_itself_is_not_delivered(
    both: BothSides, tmp_path: Path, damage: str, said: str
) -> None:
    exchanged(both)
    both.in_suite(damage)
    with pytest.raises(OverviewUnequal, match=said):
        stored_overview.whole(both.suite.engine(), tmp_path / "o.xlsx", DAY, "nl")
    assert list(tmp_path.glob("*.xlsx")) == []


def test_a_sum_that_went_wrong_on_the_way_is_seen(both: BothSides, tmp_path: Path) -> None:
    exchanged(both)
    made = written(both, tmp_path / "o.xlsx")
    group = ("out", "hours_out", "acknowledged")
    made.in_book[group].sums["minutes"] += 1
    assert made.difference == (
        "out hours_out acknowledged: 2 rows, minutes 76 in the workbook, 2 rows, minutes 75 in the ledger"
    )
    assert dataclasses.replace(made, sheets={}).difference == "its sheets have 0 rows"


def test_more_rows_than_a_sheet_holds_go_on_in_the_next(both: BothSides, tmp_path: Path) -> None:
    both.fetch("orders", full=True)
    made = written(both, tmp_path / "o.xlsx", sheet_rows=1001)
    assert made.difference is None
    titles = [title for title in made.sheets if title.startswith("Van ERP naar Suite")]
    assert titles[:2] == ["Van ERP naar Suite (1)", "Van ERP naar Suite (2)"]
    assert made.sheets[titles[0]] == 1000
    assert len(read_back(tmp_path / "o.xlsx", "nl")) == made.rows


def test_memory_does_not_grow_with_the_ledger(both: BothSides, tmp_path: Path) -> None:
    both.fetch("orders", full=True)

    def peak() -> int:
        tracemalloc.start()
        try:
            written(both, tmp_path / "o.xlsx")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    written(both, tmp_path / "warm.xlsx")
    few = peak()
    for _ in range(3):
        both.in_suite(
            "INSERT INTO erp_sync_transactions SELECT batch, key || '-', change FROM erp_sync_transactions"
        )
    assert peak() < few + 3 * 2**20
