"""The flows of backups as Prefect runs them: due, not due, by hand for one customer."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from prefect.client.orchestration import get_client

from blocks.backup.site_folder import FolderSite
from blocks.backup.source_sqlite import SqliteSource
from flows.backup import backup
from flows.daily_backup import daily_backup
from nakoming.records import cases, clock
from tests.harness.installation import backed_up_as, installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.2", "S-3.1.9")

START = datetime(2026, 11, 24, 1, 10, tzinfo=UTC)  # Tuesday, 02:10 in Amsterdam
TERMS = "backup: {database: brouwer-suite, first_site: near, second_site: far, scratch: trial}\n"


@pytest.fixture
def records(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, prefect_api: PrefectServer
) -> Iterator[Records]:
    """One customer of three is backed up."""
    del prefect_api
    for site in ("near", "far"):
        (tmp_path / site).mkdir()
        FolderSite(folder=tmp_path / site, machine=f"{site}.example").save(site, overwrite=True)
    with sqlite3.connect(tmp_path / "suite.sqlite") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO orders VALUES (1)")
    connection.close()
    SqliteSource(path=tmp_path / "suite.sqlite").save("brouwer-suite", overwrite=True)
    changes = {"brouwer": backed_up_as("brouwer", TERMS), "fenwick": backed_up_as("fenwick", "")}
    with installed(tmp_path / "home", sqlite_url, monkeypatch, **changes) as found:
        yield found


def set_to(records: Records, at: datetime) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, at)


def test_a_night_is_made_once_and_shows_a_node_per_customer(records: Records) -> None:
    set_to(records, START - timedelta(hours=1))
    assert daily_backup(return_state=True).name == "NotDue"
    set_to(records, START)
    state = daily_backup(return_state=True)
    assert state.is_completed()
    assert state.message == "daily_backup/vendor/2026-11-24: all are verified"
    with get_client(sync_client=True) as client:
        assert state.state_details.flow_run_id is not None
        tasks = client.read_task_runs()
    names = [task.name for task in tasks if task.flow_run_id == state.state_details.flow_run_id]
    assert sorted(names) == ["brouwer", "stage night"]
    assert "Joined" in (daily_backup(return_state=True).message or "")
    set_to(records, START + timedelta(hours=1))
    assert daily_backup(return_state=True).name == "NotDue"
    set_to(records, START + timedelta(days=3, hours=5))
    assert daily_backup(return_state=True).is_completed()
    with records.read() as tx:
        assert [case.subject for case in cases.listed(tx, customer="vendor")] == ["2026-11-27", "2026-11-24"]


def test_one_customer_is_backed_up_by_hand_as_its_night(records: Records) -> None:
    set_to(records, START + timedelta(hours=9))
    assert backup("brouwer", return_state=True).message == "backup/brouwer/2026-11-24: verified"
    assert "has ended (verified)" in (backup("brouwer", return_state=True).message or "")
    with pytest.raises(Exception, match="The agreement of fenwick names no backup"):
        backup("fenwick")
