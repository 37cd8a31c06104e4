"""Scheduled runs that an outage held up: real ones, of a real Prefect server and a real worker."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nakoming.records import cases, migrate
from nakoming.records.case_model import State
from nakoming.records.store import Records
from tasks.erp.timetable import anchor
from tests.deployments.warm.conftest import Pool, warm_worker
from tests.harness.erp_pair import agree, sqlite_pair
from tests.harness.installation import load_agreements
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.prefect_server import PrefectServer

ROOT = Path(__file__).parents[2]
EVERY = timedelta(minutes=5)


@pytest.fixture
def house(prefect_api: PrefectServer) -> Iterator[tuple[Records, Path]]:
    """An installation of its own, with brouwer's ERP and the blocks that reach it."""
    del prefect_api
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own is made there
    with tempfile.TemporaryDirectory(prefix="nakoming-test-", dir=memory) as name:
        home = Path(name)
        url = f"sqlite:///{home / 'records.sqlite'}"
        records = Records(url, keys=home / "keys", documents=home / "documents", pooled=True)
        migrate.upgrade(records)
        load_agreements(records)
        agree(records, "brouwer", 5)
        sqlite_pair(home / "pair").save_blocks("brouwer")
        yield records, home
        records.engine.dispose()


def deployed(api: httpx.Client, pool: str, slug: str, schedule: dict[str, Any], **more: str) -> str:
    flow = api.post("/flows/", json={"name": "erp-sync"}).raise_for_status().json()["id"]
    body = {
        "name": f"{slug}-{pool}",
        "flow_id": flow,
        "work_pool_name": pool,
        "path": str(ROOT),
        "entrypoint": "flows/erp_sync.py:erp_sync",
        "schedules": [
            {"schedule": schedule, "slug": slug, "parameters": {"customer": "brouwer", **more}},
        ],
    }
    return str(api.post("/deployments/", json=body).raise_for_status().json()["id"])


def late_runs(api: httpx.Client, deployment: str, now: datetime, since: datetime) -> list[dict[str, Any]]:
    """The runs that Prefect planned before it was away, as its scheduler makes them."""
    span = {"start_time": since.isoformat(), "end_time": now.isoformat(), "min_runs": 1, "max_runs": 200}
    span["min_time"] = (now - since).total_seconds()  # type: ignore[assignment]
    api.post(f"/deployments/{deployment}/schedule", json=span).raise_for_status()
    return sorted((each for each in all_runs(api, deployment) if _due(each) <= now), key=_due)


def all_runs(api: httpx.Client, deployment: str) -> list[dict[str, Any]]:
    which = {"deployments": {"id": {"any_": [deployment]}}, "limit": 200}
    found: list[dict[str, Any]] = api.post("/flow_runs/filter", json=which).raise_for_status().json()
    return found


def _due(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["expected_start_time"]).astimezone(UTC)


@pytest.mark.clause("S-4.2.1")
@pytest.mark.long
def test_of_the_runs_that_an_outage_held_up_only_the_newest_exchanges(
    house: tuple[Records, Path], prefect_server: PrefectServer, tmp_path: Path
) -> None:
    records, home = house
    with records.read() as tx:
        now = tx.now
    with httpx.Client(base_url=prefect_server.api_url, timeout=30, trust_env=False) as api:
        pool = Pool(api, home.name, tmp_path)
        settings = {
            "NAKOMING_HOME": str(home),
            "NAKOMING_WARM_AFTER_EXIT": "deployments.after_exit.look_again",
            # The exchange and the comparison share the Suite: one waits for the other, and is woken.
            "NAKOMING_WARM_COMPANION": "deployments.reconciler.beside.start",
        }
        with warm_worker(prefect_server, pool, **settings):
            pass  # its command makes the pool
        regular = {"interval": EVERY.total_seconds(), "anchor_date": anchor("brouwer", EVERY).isoformat()}
        nightly = {"cron": "10 3 * * *", "timezone": "Europe/Amsterdam"}
        made = [
            deployed(api, pool.name, "erp-brouwer", regular),
            deployed(api, pool.name, "erp-compare-brouwer", nightly, mode="compare"),
        ]
        exchanges = late_runs(api, made[0], now, now - 6 * EVERY)
        nights = late_runs(api, made[1], now, now - timedelta(days=2))
        assert (len(exchanges), len(nights)) == (6, 2)
        kept = {run["id"] for run in [*exchanges, *nights]}
        with warm_worker(prefect_server, pool, **settings):
            done = wait_for(lambda: _ended(api, made, kept), within_seconds=90)
        for deployment in made:
            api.delete(f"/deployments/{deployment}")
    overtaken = [run["id"] for run in done if "was overtaken" in (run["state"]["message"] or "")]
    assert all(run["state"]["type"] == "COMPLETED" or "mode" in run["parameters"] for run in done)
    newest, night = exchanges[-1], nights[-1]
    assert set(overtaken) == kept - {newest["id"], night["id"]}
    with records.read() as tx:
        listed = {case.subject: case for case in cases.listed(tx, customer="brouwer")}
    # The schedule goes on: an instant that came while the test ran is an occasion of its own.
    found = {
        subject: case
        for subject, case in listed.items()
        if subject <= f"{_due(newest):%Y-%m-%dT%H:%MZ}" or subject.startswith("compare-")
    }
    assert set(found) == {f"{_due(newest):%Y-%m-%dT%H:%MZ}", f"compare-{_local(night)}"}
    assert all(case.state == State.CLOSED for case in found.values())
    assert found[f"{_due(newest):%Y-%m-%dT%H:%MZ}"].outcome == "exchanged"


def _local(run: dict[str, Any]) -> Any:
    from nakoming.agreement.local_time import local_date

    return local_date(_due(run))


def _ended(api: httpx.Client, made: list[str], kept: set[str]) -> list[dict[str, Any]] | None:
    found = [run for each in made for run in all_runs(api, each) if run["id"] in kept]
    over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    return found if all(run["state"]["type"] in over for run in found) else None
