"""Sets up Prefect: `python -m deployments.embedded.provision` makes blocks, work pools and deployments.

It imports what it needs while the server is still starting, waits for the server, and may be repeated: what
stands there already stays.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from deployments.embedded import connections, system
from deployments.embedded.errors import DeploymentFileError, PrefectSilentError
from deployments.embedded.home import HOUSE, Home
from deployments.embedded.options import Options
from deployments.warm.worker import WarmWorker
from nakoming.agreement.loading import load_agreement
from nakoming.errors import NakomingError
from nakoming.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.flows import Flow
    from prefect.workers.base import BaseWorker

    from deployments.embedded.system import System

WAIT_SECONDS = 90.0
ASK_AGAIN_SECONDS = 0.1
WORKERS: tuple[type[BaseWorker[Any, Any, Any]], ...] = (WarmWorker, ProcessWorker)
VENDOR_FILE = "vendor.yaml"


async def provision(described: System, customers: list[str]) -> None:
    """Make all of it.

    Raises:
        PrefectSilentError: the server does not answer.
        DeploymentFileError: `prefect.yaml` does not fit the flows.
    """
    wanted = read_deployments(HOUSE / "prefect.yaml")
    flows = [_flow(entry) for entry in wanted]
    async with get_client() as client:
        await _healthy(client)
        for worker in WORKERS:
            await _pool(client, worker)
        await connections.register(client, described.home.prefect / "registered.json")
        ledger = described.home.prefect / "blocks.json"
        await connections.save(client, connections.wanted(described, customers), ledger)
        for entry, flow in zip(wanted, flows, strict=True):
            await _deploy(client, entry, flow, described.options.worker)


def read_deployments(path: Path) -> list[dict[str, Any]]:
    """The deployments of `prefect.yaml`; `DeploymentFileError` when it is none."""
    try:
        entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
        for entry in entries:
            entry["name"], entry["entrypoint"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise DeploymentFileError(path=path, reason=str(problem)) from problem
    return entries


def _flow(entry: dict[str, Any]) -> Flow[Any, Any]:
    path, _, name = str(entry["entrypoint"]).partition(":")
    try:
        return load_flow_from_entrypoint(f"{HOUSE / path}:{name}", use_placeholder_flow=False)
    except Exception as problem:
        reason = f"{entry['entrypoint']} cannot be loaded ({problem})"
        raise DeploymentFileError(path=HOUSE / "prefect.yaml", reason=reason) from problem


async def _healthy(client: PrefectClient) -> None:
    patience = time.monotonic() + WAIT_SECONDS
    while await client.api_healthcheck() is not None:
        if time.monotonic() > patience:
            raise PrefectSilentError(url=client.api_url, seconds=WAIT_SECONDS)
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _pool(client: PrefectClient, worker: type[BaseWorker[Any, Any, Any]]) -> None:
    """Make the work pool named for its kind of worker; one that is there keeps what operators chose."""
    template = worker.get_default_base_job_template()
    pool = WorkPoolCreate(name=worker.type, type=worker.type, base_job_template=template)
    try:
        await client.create_work_pool(pool)
    except ObjectAlreadyExists:
        return


async def _deploy(client: PrefectClient, entry: dict[str, Any], flow: Flow[Any, Any], pool: str) -> None:
    """Make a deployment, or change the one that is there: made anew it would lose schedules and pauses."""
    what = {
        "entrypoint": entry["entrypoint"],
        "description": entry.get("description"),
        "tags": entry.get("tags", []),
        "parameters": entry.get("parameters", {}),
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
        "enforce_parameter_schema": entry.get("enforce_parameter_schema", True),
        "work_pool_name": pool,
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(HOUSE)}}],
    }
    try:
        there = await client.read_deployment_by_name(f"{flow.name}/{entry['name']}")
    except ObjectNotFound:
        flow_id = await client.create_flow_from_name(flow.name)
        made = await client.create_deployment(flow_id=flow_id, name=entry["name"], **what)
    else:
        await client.update_deployment(there.id, DeploymentUpdate(**what))
        made = there.id
    await _schedule(client, made, entry.get("schedules", []))


async def _schedule(client: PrefectClient, deployment_id: UUID, entries: list[dict[str, Any]]) -> None:
    """Make the schedules of a deployment; one that is there keeps its pause, which is the operator's."""
    there = {each.slug: each for each in await client.read_deployment_schedules(deployment_id)}
    for entry in entries:
        wanted = CronSchedule(cron=entry["cron"], timezone=entry["timezone"])
        found = there.get(entry["slug"])
        if found is None:
            new = DeploymentScheduleCreate(schedule=wanted, active=True, slug=entry["slug"])
            await client.create_deployment_schedules(deployment_id, [new])
        elif found.schedule != wanted:
            await client.update_deployment_schedule(
                deployment_id, found.id, schedule=wanted, parameters=found.parameters
            )


def main() -> int:
    """Set up the system of this process's variables; one sentence on standard error when that cannot be."""
    settings = Settings()
    described = system.describe(Home.of(settings), settings, Options.of(), os.getppid())
    try:
        files = sorted(path for path in settings.agreements.glob("*.yaml") if path.name != VENDOR_FILE)
        asyncio.run(provision(described, [load_agreement(path).customer for path in files]))
    except NakomingError as problem:
        sys.stderr.write(f"{problem} [{problem.code}]\n")
        return problem.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
