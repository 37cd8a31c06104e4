"""An ERP that fell silent is told of once a day; one that changes, or sleeps at night, is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from blocks.erp.database import ErpDatabase
from blocks.erp.sqlite import SqliteSession
from blocks.suite_database import SuiteDatabase
from flows.erp import both_ways
from flows.erp_sync import PROCESS
from nakoming.records import schema
from tests.harness.erp import CUSTOMER, on_sqlite
from tests.harness.installation import Walker, installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.erp import BothSides
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-4.2.1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        yield found


@pytest.fixture
def both(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[BothSides]:
    del prefect_api
    sides = on_sqlite(tmp_path)
    sides.erp.save("brouwer-erp", overwrite=True)
    sides.suite.save("brouwer-suite", overwrite=True)
    yield sides
    ErpDatabase.delete("brouwer-erp")
    SuiteDatabase.delete("brouwer-suite")


def stamped(both: BothSides, at: datetime) -> None:
    """Everything at the ERP changed last at this instant."""
    for table in ("erp_orders", "erp_operations", "erp_materials"):
        both.in_erp(f"DROP TRIGGER {table}_touched_by_update")
        both.in_erp(f"UPDATE {table} SET changed_at = :at", at=at.replace(tzinfo=None).isoformat(" "))  # noqa: S608 - one of three names


@pytest.mark.parametrize(
    ("newest", "now", "is_stale"),
    [
        (NOON - timedelta(minutes=5), NOON, False),
        (NOON - timedelta(hours=70), NOON, False),  # Friday 14:00: seven hours of service, and a weekend
        (NOON - timedelta(hours=73), NOON, True),  # Friday 11:00: ten hours, where a working day has nine
        (NOON + timedelta(hours=9), NOON + timedelta(hours=18), False),  # a night
        (NOON - timedelta(days=300), NOON, True),
    ],
)
def test_a_silent_erp_is_told_of_once_a_day(
    records: Records,
    both: BothSides,
    monkeypatch: pytest.MonkeyPatch,
    newest: datetime,
    now: datetime,
    *,
    is_stale: bool,
) -> None:
    stamped(both, newest)
    monkeypatch.setattr(SqliteSession, "now", lambda _: now)
    for subject in ("one", "two"):
        walker = Walker(
            records, PROCESS, CUSTOMER, subject, {"mode": "incremental", "order": "", "dry_run": False}
        )
        assert walker.enter() == both_ways.EXCHANGED
    with records.read() as tx:
        rows = tx.connection.execute(select(schema.outbox.c.key)).scalars().all()
    assert sum("/stale/" in key for key in rows) == int(is_stale)
