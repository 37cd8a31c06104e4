"""What a warm job is made of: the pool's variables, and the place of a deployment's code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorkerResult
from pydantic import Field, PrivateAttr

from deployments.warm.errors import CodePlaceError

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

_SET_DIRECTORY = "prefect.deployments.steps.set_working_directory"


class WarmJobConfiguration(BaseJobConfiguration):
    """The job variables of one run, resolved."""

    stream_output: bool = Field(default=True)
    working_dir: Path | None = Field(default=None)

    _own_command: str | None = PrivateAttr(default=None)

    @property
    def own_command(self) -> str | None:
        """The command somebody configured, which a fork cannot honour."""
        return self._own_command

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: APIFlow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Add the run's own variables, under the worker's environment as Prefect's process worker does."""
        # The base class fills in a command of its own where there is none.
        self._own_command = self.command
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id=worker_id)
        self.env = {**os.environ, **self.env}


class WarmVariables(BaseVariables):
    """What a pool, a deployment or a run may set."""

    stream_output: bool = Field(
        default=True, description="Whether the output of runs appears in the worker's own output."
    )
    working_dir: Path | None = Field(
        default=None,
        title="Working Directory",
        description="The directory a run starts in. Empty: the directory of its code.",
    )


class WarmWorkerResult(BaseWorkerResult):
    """How the process of a run ended."""


@dataclass(frozen=True)
class Place:
    """Where a deployment's code is.

    Attributes:
        directory: The project's directory on this machine; None when Prefect has to fetch the code.
        entrypoint: The flow in it; None when Prefect has to fetch the code.
    """

    directory: str | None
    entrypoint: str | None


def place_of(deployment: DeploymentResponse) -> Place:
    """Find the code of a deployment.

    Code in a directory of this machine is used where it is (Prefect's process worker copies it to a new
    directory for each run). Any other source is left to Prefect, in a forked child without preloaded flows.

    Raises:
        CodePlaceError: No entrypoint, or a directory that does not exist here.
    """
    if not deployment.entrypoint:
        raise CodePlaceError(deployment=deployment.name, reason="it has no entrypoint")
    directory = _directory_of(deployment)
    if directory is None:
        return Place(None, None)
    if not Path(directory).is_dir():
        raise CodePlaceError(deployment=deployment.name, reason=f"its directory {directory} does not exist")
    return Place(str(Path(directory).resolve()), deployment.entrypoint)


def _directory_of(deployment: DeploymentResponse) -> str | None:
    here = str(Path.cwd())
    if deployment.pull_steps:
        return _directory_of_steps(deployment.pull_steps)
    if deployment.storage_document_id is not None:
        return None
    return str(Path(here, deployment.path or "."))


def _directory_of_steps(steps: list[dict[str, Any]]) -> str | None:
    """Return the directory when setting it is all the steps do."""
    directory = None
    for step in steps:
        (name, inputs), *others = step.items()
        # Placeholders are for Prefect to fill in.
        if others or name != _SET_DIRECTORY or "{{" in str(inputs.get("directory", "{{")):
            return None
        directory = str(Path(inputs["directory"]).expanduser())
    return directory
