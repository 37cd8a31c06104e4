"""A flow's hooks for a run whose process is gone, run where the flow's code is: in a forked child."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from deployments.warm.ends import kill_group

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

    from deployments.warm.job import Place
    from deployments.warm.stable import Stable


class ForkedHooks:
    """Runs a flow's on_crashed and on_cancellation hooks in a forked child, with the flow's own code."""

    def __init__(self, stable: Stable, place: Place, request: dict[str, Any]) -> None:
        self._stable = stable
        self._place = place
        self._request = request

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State) -> None:
        """Run the hooks for Cancelling."""
        await self._run("cancellation", flow_run, state)

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State) -> None:
        """Run the hooks for Crashed."""
        await self._run("crashed", flow_run, state)

    async def _run(self, hooks: str, flow_run: FlowRun, state: State) -> None:
        request = {
            **self._request,
            "kind": "hooks",
            "hooks": hooks,
            "flow_run": flow_run.model_dump(mode="json"),
            "state": state.model_dump(mode="json"),
        }
        process = await self._stable.fork(self._place.directory, self._place.entrypoint, request)
        try:
            await process.wait()
        except asyncio.CancelledError:
            kill_group(process)
            raise
