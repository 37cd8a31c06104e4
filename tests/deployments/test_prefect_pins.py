"""What the pins of Prefect's own dependencies are for: red with the versions they shut out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.harness.processes import running
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.prefect_server import PrefectServer

FLOW = """
from prefect import flow


@flow
def count(upto: int = 3) -> int:
    return sum(range(upto + 1))
"""


@pytest.fixture(scope="module")
def api(prefect_server: PrefectServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=prefect_server.api_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def flow_id(api: httpx.Client) -> str:
    answer = api.post("/flows/", json={"name": "count"})
    identifier: str = answer.raise_for_status().json()["id"]
    return identifier


def deploy(api: httpx.Client, flow_id: str, name: str, **more: Any) -> str:
    """Make a deployment and return its id."""
    answer = api.post("/deployments/", json={"name": name, "flow_id": flow_id, **more})
    identifier: str = answer.raise_for_status().json()["id"]
    return identifier


def prefect(server: PrefectServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        env=server.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def null_filters(prefect_server: PrefectServer) -> Iterator[tuple[str, dict[str, None]]]:
    """Yield each address the UI's lists read from, and all filters it knows set to null, as the UI does."""
    server = prefect_server.api_url.removesuffix("/api")
    document = httpx.get(f"{server}/openapi.json", timeout=60, trust_env=False).raise_for_status().json()
    for path, methods in document["paths"].items():
        body = methods.get("post", {}).get("requestBody")
        if "{" in path or body is None or not path.endswith(("/filter", "/paginate", "/count")):
            continue
        schema = body["content"]["application/json"]["schema"]
        schema = schema.get("anyOf", [schema])[0]
        schema = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
        yield path, {name: None for name, value in schema.get("properties", {}).items() if _nullable(value)}


def _nullable(schema: dict[str, Any]) -> bool:
    return any(kind.get("type") == "null" for kind in schema.get("anyOf", []))


def test_every_list_of_the_ui_takes_null_filters(prefect_server: PrefectServer, api: httpx.Client) -> None:
    """With fastapi 0.151 to 0.154 these answer 422."""
    lists = dict(null_filters(prefect_server))
    pages = {"flows", "flow_runs", "task_runs", "deployments", "work_pools", "block_documents", "variables"}
    pages |= {"automations", "concurrency_limits", "events", "artifacts", "logs", "work_queues"}
    assert pages <= {path.removeprefix("/api").split("/")[1] for path in lists}, sorted(lists)
    assert any(filters for filters in lists.values())
    answers = {path: api.post(path.removeprefix("/api"), json=filters) for path, filters in lists.items()}
    refused = {
        path: answer.text[:200] for path, answer in answers.items() if answer.status_code != httpx.codes.OK
    }
    assert not refused


def test_the_list_of_runs_is_shown_on_the_command_line(prefect_server: PrefectServer) -> None:
    """With fastapi 0.151 to 0.154 this ends with a 422."""
    listed = prefect(prefect_server, "flow-run", "ls")
    assert listed.returncode == 0, listed.stdout + listed.stderr


@pytest.mark.parametrize(
    "page", ["dashboard", "runs", "flows", "deployments", "work-pools", "blocks", "variables", "automations"]
)
def test_the_pages_of_the_ui_are_served(prefect_server: PrefectServer, page: str) -> None:
    root = prefect_server.api_url.removesuffix("/api")
    browser = {"Accept": "text/html"}
    answer = httpx.get(f"{root}/{page}", headers=browser, timeout=60, trust_env=False, follow_redirects=True)
    assert answer.status_code == httpx.codes.OK
    assert "<title>Prefect" in answer.text


def test_a_schedule_creates_runs(api: httpx.Client, flow_id: str) -> None:
    """With sqlalchemy 2.1 all looks healthy and no scheduled run is ever created."""
    schedule = {"schedule": {"interval": 3600.0}, "active": True}
    deployment = deploy(api, flow_id, "hourly", schedules=[schedule])

    def scheduled() -> list[dict[str, Any]]:
        wanted = {"deployments": {"id": {"any_": [deployment]}}, "limit": 5}
        runs: list[dict[str, Any]] = api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
        return runs

    runs = wait_for(scheduled)
    assert {(run["state_type"], run["auto_scheduled"]) for run in runs} == {("SCHEDULED", True)}


def test_a_process_worker_runs_a_flow(
    prefect_server: PrefectServer, api: httpx.Client, flow_id: str, tmp_path: Path
) -> None:
    (tmp_path / "counting.py").write_text(FLOW, encoding="utf-8")
    api.post("/work_pools/", json={"name": "pins", "type": "process"}).raise_for_status()
    entrypoint = f"{tmp_path / 'counting.py'}:count"
    deployment = deploy(
        api, flow_id, "on-demand", work_pool_name="pins", path=str(tmp_path), entrypoint=entrypoint
    )
    run = api.post(f"/deployments/{deployment}/create_flow_run", json={}).raise_for_status().json()["id"]

    def ended() -> str:
        state: str = api.get(f"/flow_runs/{run}").raise_for_status().json()["state_type"]
        return state if state in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else ""

    def online() -> bool:
        workers = api.post("/work_pools/pins/workers/filter", json={}).raise_for_status().json()
        return any(worker["status"] == "ONLINE" for worker in workers)

    log = tmp_path / "worker.log"
    with running(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", "pins", "--type", "process"],
        log=log,
        answers=online,
        env=prefect_server.environment | {"PREFECT_WORKER_QUERY_SECONDS": "1", "PATH": os.environ["PATH"]},
    ):
        assert wait_for(ended) == "COMPLETED", log.read_text(encoding="utf-8")
