"""Schedules of prefect.yaml are made once; an operator's pause outlives the next start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prefect.client.orchestration import get_client

from deployments.embedded.home import HOUSE
from deployments.embedded.provision import _schedule, read_deployments
from flows.daily_backup import daily_backup

if TYPE_CHECKING:
    from prefect.client.schemas.objects import DeploymentSchedule

    from tests.harness.prefect_server import PrefectServer


async def started_twice() -> tuple[list[DeploymentSchedule], list[DeploymentSchedule]]:
    """The schedules after a start, and after a pause and a start with a schedule that moved."""
    entries = {entry["name"]: entry for entry in read_deployments(HOUSE / "prefect.yaml")}
    wanted = entries["daily-backup"]["schedules"]
    async with get_client() as client:
        flow_id = await client.create_flow_from_name(daily_backup.name)
        deployment = await client.create_deployment(flow_id=flow_id, name="scheduled-for-a-test")
        try:
            for _ in range(2):
                await _schedule(client, deployment, wanted)
            first = await client.read_deployment_schedules(deployment)
            await client.update_deployment_schedule(deployment, first[0].id, active=False)
            await _schedule(client, deployment, [wanted[0] | {"cron": "5 0,1 * * *"}])
            return first, await client.read_deployment_schedules(deployment)
        finally:
            await client.delete_deployment(deployment)


@pytest.mark.clause("S-2.4.2")
def test_a_schedule_is_made_once_and_stays_paused(prefect_api: PrefectServer) -> None:
    del prefect_api
    ((first,), (second,)) = asyncio.run(started_twice())
    assert (first.slug, first.active) == ("daily-backup", True)
    assert getattr(first.schedule, "cron", None) == "0 0,1 * * *"
    assert getattr(first.schedule, "timezone", None) == "UTC"
    assert (second.id, second.active) == (first.id, False)
    assert getattr(second.schedule, "cron", None) == "5 0,1 * * *"
