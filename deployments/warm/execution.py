"""One attempt of a run on a forked child, in the hands of Prefect's own executor.

Prefect's process worker builds a client, two websockets and a control channel for every run; here they are
made once a worker, and the parts that know how to end a run (crash reports, cancellation, receipts) are
Prefect's own.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import anyio
import httpx
from prefect.logging import get_logger
from prefect.runner._cancellation_manager import CancellationManager
from prefect.runner._control_channel import ControlChannel
from prefect.runner._event_emitter import EventEmitter
from prefect.runner._flow_run_executor import FlowRunExecutor
from prefect.runner._process_manager import ProcessHandle, ProcessManager, create_isolated_termination_scope
from prefect.runner._state_proposer import StateProposer

from deployments.warm.ends import STOP_SECONDS, kill_group, stop_group
from deployments.warm.errors import StillRunningError
from deployments.warm.hooks import ForkedHooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from anyio.abc import TaskStatus
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

    from deployments.warm.forked import ForkedProcess
    from deployments.warm.job import Place
    from deployments.warm.stable import Stable

_GROUP_POLL_SECONDS = 0.05
FORMER_SECONDS = 10.0
"""How long the former process of a resumed run may take to end before it is killed."""


class PromptProcessManager(ProcessManager):
    """Ends process groups as Prefect's does, but notices their end at once instead of every 3 s."""

    async def kill(self, flow_run_id: UUID, grace_seconds: float = 30, *, force: bool = False) -> None:
        """Send SIGTERM to the group, and SIGKILL to what is left of it after `grace_seconds`."""
        handle = self.get(flow_run_id)
        if handle is None or handle.pid is None:
            return
        with suppress(ProcessLookupError):
            if not force:
                handle.graceful_kill()
                with anyio.move_on_after(grace_seconds):
                    while handle.is_alive():  # noqa: ASYNC110 - the end of a whole group raises no event
                        await anyio.sleep(_GROUP_POLL_SECONDS)
                    return
            handle.hard_kill()


class BriefEmitter(EventEmitter):
    """Prefect's emitter, connected only while it emits: a cancellation is rare, a websocket is not free."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    async def emit_flow_run_cancelled(
        self, flow_run: FlowRun, flow: APIFlow | None, deployment: DeploymentResponse | None
    ) -> None:
        """Connect, emit `prefect.runner.cancelled-flow-run`, disconnect."""
        async with EventEmitter(runner_name=self._runner_name, client=self._client) as emitter:
            await emitter.emit_flow_run_cancelled(flow_run, flow, deployment)


@dataclass
class Attempt:
    """One process of one run, from its fork to the report of its end."""

    hooks: ForkedHooks
    process: ForkedProcess | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class End:
    """How an attempt ended.

    Attributes:
        pid: Of its process.
        status: 0 when the engine itself reported the end, whatever the process then did; else the exit code.
        exit_code: Of the process; negative is the signal that ended it.
    """

    pid: int
    status: int
    exit_code: int


class Execution:
    """What all runs of a worker share: processes, control channel, cancellation.

    Args:
        client: The worker's.
        name: The worker's name, for events.
        stable: The forkservers.
    """

    def __init__(self, client: PrefectClient, name: str, stable: Stable) -> None:
        self._client = client
        self._stable = stable
        self._stack = AsyncExitStack()
        self._control = ControlChannel()
        self._proposer = StateProposer(client=client)
        self._emitter = BriefEmitter(runner_name=name, client=client)
        self._processes = PromptProcessManager(on_remove=self._forget)
        self._attempts: dict[UUID, Attempt] = {}
        self._cancelling: set[UUID] = set()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._stable.close)
        await self._stack.enter_async_context(self._processes)
        await self._stack.enter_async_context(self._control)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _forget(self, flow_run_id: UUID) -> None:
        self._control.unregister(flow_run_id)

    def running(self) -> set[UUID]:
        """The runs that have a process now."""
        return self._processes.flow_run_ids()

    def run_of(self, pid: int) -> UUID | None:
        """Return the run whose process has this pid."""
        return next(
            (
                run
                for run, attempt in self._attempts.items()
                if attempt.process and attempt.process.pid == pid
            ),
            None,
        )

    async def kill(self, flow_run_id: UUID, grace_seconds: float) -> None:
        """End the process group of a run: SIGTERM, after `grace_seconds` SIGKILL."""
        await self._processes.kill(flow_run_id, grace_seconds)

    async def run(
        self, flow_run: FlowRun, place: Place, request: dict[str, Any], started: Callable[[int], None]
    ) -> End:
        """Run one attempt to its end, reporting a crash as Prefect's process worker does.

        Args:
            flow_run: The run, claimed.
            place: Where its code is.
            request: The child's job, without the control channel.
            started: Called with the pid.

        Returns:
            How it ended.

        Raises:
            ForkserverLostError: No process came about.
            ForkRefusedError: The same.
        """
        await self._outlive(flow_run.id)
        attempt = self._attempts[flow_run.id] = Attempt(ForkedHooks(self._stable, place, request))
        try:
            attempt.process = await self._fork(flow_run.id, place, request)
            starter = HandOver(attempt.process, started)
            status = await self._follow(flow_run, starter, attempt.hooks)
        except asyncio.CancelledError:  # the worker is being stopped
            await self._stop(flow_run, attempt.process)
            raise
        finally:
            del self._attempts[flow_run.id]
            attempt.over.set()
        return End(attempt.process.pid or 0, status, attempt.process.returncode or 0)

    async def _stop(self, flow_run: FlowRun, process: ForkedProcess | None) -> None:
        """End a run with its worker; one that could not say itself that it ended is said to be Crashed."""
        if process is not None and process.returncode is None:  # stopped before it was handed over
            await stop_group(process)
        with anyio.move_on_after(STOP_SECONDS, shield=True), suppress(httpx.HTTPError):
            now = await self._client.read_flow_run(flow_run.id)
            if now.state is not None and (now.state.is_running() or now.state.is_pending()):
                await self._proposer.propose_crashed(now, message="The worker was stopped.")

    async def _outlive(self, flow_run_id: UUID) -> None:
        """Wait for the former process of a run: it has reported Suspended, and is about to end.

        One that does not is ended, for two processes of one run would both believe to be it.
        """
        while (former := self._attempts.get(flow_run_id)) is not None:
            try:
                await asyncio.wait_for(former.over.wait(), FORMER_SECONDS)
            except TimeoutError:
                if former.process is not None and former.process.pid is not None:
                    error = StillRunningError(
                        pid=former.process.pid, flow_run_id=flow_run_id, seconds=FORMER_SECONDS
                    )
                    get_logger("worker.warm").warning("%s", error)
                    kill_group(former.process)

    async def _fork(self, flow_run_id: UUID, place: Place, request: dict[str, Any]) -> ForkedProcess:
        with suppress(
            RuntimeError
        ):  # without a listener a cancellation kills without saying why, as Prefect's
            port, token = self._control.register(flow_run_id)
            request["env"] |= {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
        try:
            return await self._stable.fork(place.directory, place.entrypoint, request)
        except BaseException:
            self._control.unregister(flow_run_id)
            raise

    async def _follow(self, flow_run: FlowRun, starter: HandOver, hooks: ForkedHooks) -> int:
        executor = FlowRunExecutor(
            flow_run=flow_run,
            starter=starter,
            process_manager=self._processes,
            state_proposer=self._proposer,
            hook_runner=hooks,
            get_attempt_conclusion=self._control.get_conclusion,
            propose_submitting=False,
        )
        result = await executor.submit()
        return 0 if result is None or result.status_code is None else result.status_code

    async def cancel(self, flow_run_id: UUID) -> None:
        """End the process group of a run, run its cancellation hooks, and set it Cancelled."""
        attempt = self._attempts.get(flow_run_id)
        if attempt is None or flow_run_id in self._cancelling:
            return
        manager = CancellationManager(
            process_manager=self._processes,
            hook_runner=attempt.hooks,
            state_proposer=self._proposer,
            event_emitter=self._emitter,
            client=self._client,
            control_channel=self._control,
        )
        self._cancelling.add(flow_run_id)
        try:
            await manager.cancel_by_id(flow_run_id)
        finally:
            self._cancelling.discard(flow_run_id)


class HandOver:
    """Gives a forked process to Prefect's executor; the counterpart of its EngineCommandStarter."""

    def __init__(self, process: ForkedProcess, started: Callable[[int], None]) -> None:
        self._process = process
        self._started = started

    async def start(
        self,
        flow_run: FlowRun,
        task_status: TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Hand over the handle, then wait for the end."""
        del flow_run
        pid = self._process.pid or 0
        scope = create_isolated_termination_scope(pid)
        # A forked process has the two attributes a handle reads, and is neither of Prefect's two classes.
        task_status.started(ProcessHandle(self._process, termination_scope=scope))  # type: ignore[arg-type]
        self._started(pid)
        try:
            await self._process.wait()
        finally:
            if self._process.returncode is None:  # the worker is being stopped
                await stop_group(self._process)
