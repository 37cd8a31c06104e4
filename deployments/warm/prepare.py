"""What a run needs before its fork: its job variables resolved, and the place of its code."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
from prefect.exceptions import PrefectHTTPStatusError

from deployments.warm.errors import CodePlaceError, CommandNotAllowedError
from deployments.warm.job import Place, WarmJobConfiguration, place_of

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse


_STORAGE_SECONDS = 60.0


@dataclass(frozen=True)
class Prepared:
    """What is known of a run before its fork."""

    configuration: WarmJobConfiguration
    place: Place
    storage: dict[str, str | None] = field(default_factory=dict)

    def request(self, flow_run: FlowRun, directory: str) -> dict[str, Any]:
        """Write the child's job, as `deployments.warm.child` reads it.

        Args:
            flow_run: The run, claimed.
            directory: Where it starts, unless its variables name another.
        """
        return {
            "kind": "flow",
            "cwd": str(self.configuration.working_dir or directory),
            "entrypoint": self.place.entrypoint,
            "stream_output": self.configuration.stream_output,
            "flow_run": flow_run.model_dump(mode="json"),
            # The worker reports crashes and cancellations, and runs their hooks, once the child is gone.
            "env": {**self.configuration.env, "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false"},
            **self.storage,
        }


class Preparer:
    """Reads what runs need; changes nothing, so a run may be prepared for nothing.

    Args:
        client: The worker's.
        worker_name: The worker's.
    """

    def __init__(self, client: PrefectClient, worker_name: str) -> None:
        self._client = client
        self._worker_name = worker_name
        # A flow is its name and its id, which do not change: one request less in each run.
        self._flows: dict[UUID, APIFlow] = {}
        self._storage_is: dict[str, str | None] = {}
        self._storage_until = 0.0

    async def prepare(self, flow_run: FlowRun, pool: WorkPool, worker_id: UUID | None) -> Prepared:
        """Read the deployment and resolve the job variables.

        Raises:
            CodePlaceError: The code is not here.
            CommandNotAllowedError: The job brings a command.
            ObjectNotFound: The deployment was deleted.
        """
        if flow_run.deployment_id is None:
            raise CodePlaceError(deployment="(none)", reason="the run has no deployment")
        deployment = await self._client.read_deployment(flow_run.deployment_id)
        configuration = await self._configure(flow_run, deployment, pool)
        configuration.prepare_for_flow_run(
            flow_run,
            deployment,
            await self._flow(flow_run.flow_id),
            pool,
            self._worker_name,
            worker_id=worker_id,
        )
        if configuration.own_command is not None:
            raise CommandNotAllowedError(
                pool=pool.name, deployment=deployment.name, command=configuration.own_command
            )
        return Prepared(configuration, place_of(deployment), await self._storage())

    async def _storage(self) -> dict[str, str | None]:
        """The server's default result storage, read once a minute; nothing when it cannot be read."""
        if time.monotonic() > self._storage_until:
            self._storage_is = {}
            with suppress(PrefectHTTPStatusError, httpx.HTTPError):
                found = await self._client.read_server_default_result_storage()
                block_id = found.default_result_storage_block_id
                self._storage_is = {"result_storage": str(block_id) if block_id else None}
            self._storage_until = time.monotonic() + _STORAGE_SECONDS
        return self._storage_is

    async def _configure(
        self, flow_run: FlowRun, deployment: DeploymentResponse, pool: WorkPool
    ) -> WarmJobConfiguration:
        """Merge the variables of pool, deployment and run; the environment name by name, as Prefect does."""
        values = {**(deployment.job_variables or {})}
        own = {**(flow_run.job_variables or {})}
        if isinstance(values.get("env"), dict):
            values["env"] = {**values["env"], **own.pop("env", {})}
        configuration: WarmJobConfiguration = await WarmJobConfiguration.from_template_and_values(
            base_job_template=pool.base_job_template, values={**values, **own}, client=self._client
        )
        return configuration

    async def _flow(self, flow_id: UUID) -> APIFlow:
        if flow_id not in self._flows:
            self._flows[flow_id] = await self._client.read_flow(flow_id)
        return self._flows[flow_id]


def working_directory(place: Place) -> AbstractContextManager[str]:
    """Return the directory of the code: where it is, or a new one for Prefect to fetch it into."""
    return TemporaryDirectory(prefix="warm-") if place.directory is None else nullcontext(place.directory)
