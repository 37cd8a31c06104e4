"""What a worker asks of the Prefect server again and again: each time once, and not for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from prefect.client.schemas.responses import WorkerFlowRunResponse
    from prefect.workers.base import BaseWorker

    from deployments.warm.job import WarmJobConfiguration, WarmVariables, WarmWorkerResult

    _Worker = BaseWorker[WarmJobConfiguration, WarmVariables, WarmWorkerResult]
else:
    _Worker = object  # Prefect takes every subclass of its worker for a kind of worker with a name


def asked_once() -> AbstractContextManager[object]:
    """For what is asked again anyhow: Prefect's client goes on for a minute, in which no run starts."""
    return temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})


class AskingOnce(_Worker):
    """Makes a worker one that is back at work as soon as a server that was away is."""

    async def _get_scheduled_flow_runs(self) -> list[WorkerFlowRunResponse]:
        with asked_once():
            return await super()._get_scheduled_flow_runs()

    async def sync_with_backend(self) -> None:
        """Send the heartbeat and read the pool; a server that is away is tried again at the next interval."""
        try:
            with asked_once():
                await super().sync_with_backend()
        except httpx.TransportError as error:
            if not self._has_successfully_synced:
                raise
            self._logger.info("The Prefect server did not take the heartbeat: %s", error)
