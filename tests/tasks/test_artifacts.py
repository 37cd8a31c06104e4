"""What operators see in the Prefect UI: the state of a case, and all that waits."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks import artifacts
from tasks.waking.reconciler import Reconciler
from tasks.waking.runs import Runs
from tests.harness.installation import Walker, installed
from tests.harness.processes import free_port
from tests.harness.street import street

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.prefect_server import PrefectServer


def table(key: str) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    assert found, f"there is no artifact {key}"
    newest = max(found, key=lambda artifact: str(artifact.created))
    rows: list[dict[str, Any]] = json.loads(str(newest.data))
    return rows


@pytest.fixture
def walker(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walker]:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as records:
        yield street(records)


def test_operators_see_how_a_case_stands(walker: Walker, prefect_api: PrefectServer) -> None:
    del prefect_api
    walker.enter()
    artifacts.publish(walker.records, walker.case.id)
    rows = table(artifacts.artifact_key(walker.case.key))
    assert any(row["what"] == "waits" and "Ines Verhoeven" in row["how"] for row in rows)


def test_a_pass_of_the_reconciler_shows_what_began_to_wait_since_the_last_one(
    walker: Walker, prefect_api: PrefectServer
) -> None:
    del prefect_api

    async def passes() -> list[list[str]]:
        shown = []
        async with Runs() as runs:
            reconciler = Reconciler(walker.records, runs)
            for subject in ("2026-014", "2026-015", "2026-016"):
                street(walker.records, reference=subject).enter()
                await reconciler.once()
                shown.append([row["case"] for row in await asyncio.to_thread(table, artifacts.OPEN_GATES)])
        return shown

    shown = asyncio.run(passes())
    assert [len(rows) for rows in shown] == [1, 2, 3]
    assert shown[-1] == [f"rfc/brouwer/2026-01{number}" for number in (4, 5, 6)]


def test_only_so_many_rows_are_shown_and_all_are_counted(
    walker: Walker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for subject in ("2026-014", "2026-015", "2026-016"):
        street(walker.records, reference=subject).enter()
    monkeypatch.setattr(artifacts, "_MOST_ROWS", 2)
    waiting = artifacts.open_gates(walker.records)
    assert (len(waiting.rows), waiting.total) == (2, 3)
    assert all("Ines Verhoeven" in row["for whom"] and row["until"] != "–" for row in waiting.rows)


def test_an_artifact_that_cannot_be_renewed_says_why_and_stops_nothing(
    walker: Walker, caplog: pytest.LogCaptureFixture
) -> None:
    walker.enter()
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        artifacts.publish(walker.records, walker.case.id)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "tasks.artifacts"]
    assert said.endswith("its next run renews it: ConnectError")
