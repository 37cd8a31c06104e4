"""An overview of a period is a document of the customer whose rows are the ledger's."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import openpyxl
import pytest

from flows.erp_overview import erp_overview
from nakoming.records import cases, clock, documents, proofs
from nakoming.records.events import Event
from tasks.erp import stored_overview
from tasks.erp.errors import OverviewUnequal, PeriodInvalid
from tasks.erp.period import Period
from tests.harness.erp_pair import Pair, agree, sqlite_pair
from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

NOW = datetime(2026, 12, 3, 12, 0, tzinfo=UTC)
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        agree(found, "brouwer")
        with found.write() as tx:
            clock.set_to(tx.connection, NOW)
        yield found


@pytest.fixture
def pair(tmp_path: Path, prefect_api: PrefectServer) -> Pair:
    """Loaded on the last evening of November, in local time, and once in December."""
    del prefect_api
    made = sqlite_pair(tmp_path / "pair")
    made.save_blocks("brouwer")
    made.load("erp_sync/brouwer/november", datetime(2026, 11, 30, 22, 59, tzinfo=UTC))
    return made


def count(pair: Pair, table: str) -> int:
    return int(pair.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - a name of this module


@pytest.mark.clause("S-4.2.2")
def test_a_month_is_kept_as_a_workbook_with_its_evidence(records: Records, pair: Pair) -> None:
    state = erp_overview("brouwer", *NOVEMBER, return_state=True)
    assert state.is_completed(), state.message
    assert state.message == "erp_overview/brouwer/2026-11-01_2026-11-30: written"
    with records.read() as tx:
        (document,) = documents.listed(tx, "brouwer")
        case = cases.by_key(tx, "erp_overview/brouwer/2026-11-01_2026-11-30")
        assert proofs.find_of_case(tx, case.id, Event.ERP_OVERVIEW_WRITTEN) is not None
    assert document.name == "erp-brouwer-2026-11-01-2026-11-30.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(documents.content(records, document)), read_only=True)
    incoming, outgoing, held = (sum(1 for _ in book[name].rows) - 1 for name in book.sheetnames[1:4])
    assert (incoming, outgoing) == (count(pair, "erp_sync_transactions"), 0)
    assert held == count(pair, "erp_sync_quarantine")
    assert incoming > 500
    book.close()


def test_the_same_period_again_joins_what_is_there(records: Records, pair: Pair) -> None:
    erp_overview("brouwer", *NOVEMBER)
    pair.load("erp_sync/brouwer/late", datetime(2026, 11, 2, tzinfo=UTC))
    state = erp_overview("brouwer", *NOVEMBER, return_state=True)
    assert state.message.startswith("Joined: erp_overview/brouwer/2026-11-01_2026-11-30 has ended (written)")
    with records.read() as tx:
        assert len(documents.listed(tx, "brouwer")) == 1


def test_a_period_that_is_not_over_is_written_as_far_as_it_is_and_again_later(
    records: Records, pair: Pair
) -> None:
    del pair
    days = (date(2026, 12, 1), date(2026, 12, 31))
    first = erp_overview("brouwer", *days, return_state=True)
    assert "2026-12-01_2026-12-31_as-of-2026-12-03T12:0" in first.message
    with records.write() as tx:
        clock.move(tx.connection, timedelta(days=30))
    assert erp_overview("brouwer", *days, return_state=True).message == (
        "erp_overview/brouwer/2026-12-01_2026-12-31: written"
    )


def test_one_too_large_for_a_document_says_so(
    records: Records, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    del pair
    monkeypatch.setattr(stored_overview, "MOST_BYTES", 1000)
    state = erp_overview("brouwer", *NOVEMBER, return_state=True)
    assert state.is_failed()
    assert state.message.endswith("too large to be kept as a document")
    with records.read() as tx:
        assert documents.listed(tx, "brouwer") == []


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (date(2026, 11, 2), date(2026, 11, 1), "the last day comes before the first"),
        (date(2026, 12, 4), date(2026, 12, 5), "it has not begun; today is 2026-12-03"),
    ],
)
def test_a_period_that_is_none_is_refused(first: date, last: date, reason: str) -> None:
    with pytest.raises(PeriodInvalid, match=reason):
        Period.of(first, last, NOW)


def test_days_are_those_of_amsterdam_with_the_night_on_which_the_clock_changes() -> None:
    period = Period.of(date(2026, 10, 25), date(2026, 10, 25), NOW)
    assert (period.start, period.end) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )


def test_a_workbook_that_is_not_the_ledgers_is_not_delivered(tmp_path: Path, pair: Pair) -> None:
    with pair.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE erp_sync_batches SET created = created + 1")
    path = tmp_path / "out.xlsx"
    with pytest.raises(OverviewUnequal, match="nothing was delivered"):
        stored_overview.whole(pair.engine, path, Period(*NOVEMBER), "nl")
    assert not path.exists()
