"""A step is a node of the run graph; its result stays with the ledger, and only bad ends are logged."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.logging.handlers import APILogWorker

from tasks import nodes
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from tests.harness.prefect_server import PrefectServer


@task(name="plain", task_run_name="plain", persist_result=False)
def plain() -> int:
    return 7


@flow(persist_result=False)
def shows() -> list[Any]:
    kept = nodes.show("a/1/object", object)
    inner = nodes.show("a/2/outer", lambda: nodes.show("a/3/inner", plain))
    with pytest.raises(ZeroDivisionError):
        nodes.show("a/4/fails", lambda: 1 / 0)
    return [type(kept).__name__, inner, plain()]


async def _runs() -> dict[str, str]:
    async with get_client() as client:
        return {each.name: each.state_name or "" for each in await client.read_task_runs(limit=50)}


def test_a_node_gives_what_the_work_gave_and_only_a_bad_end_is_logged(
    prefect_api: PrefectServer, caplog: pytest.LogCaptureFixture
) -> None:
    del prefect_api
    with caplog.at_level(logging.INFO):
        assert shows() == ["object", 7, 7]
    APILogWorker.drain_all(timeout=10)

    ends = [
        (record.__dict__.get("task_run_name"), record.getMessage())
        for record in caplog.records
        if record.name == "prefect.task_runs" and "Finished in state" in record.getMessage()
    ]
    assert [name for name, _ in ends] == ["plain", "a/4/fails", "plain"]
    assert "Failed" in ends[1][1]

    def all_ended() -> dict[str, str] | None:
        ours = {name: state for name, state in asyncio.run(_runs()).items() if name.startswith("a/")}
        return ours if len(ours) == 4 and not set(ours.values()) & {"Pending", "Running"} else None

    assert wait_for(all_ended) == {
        "a/1/object": "Completed",
        "a/2/outer": "Completed",
        "a/3/inner": "Completed",
        "a/4/fails": "Failed",
    }
