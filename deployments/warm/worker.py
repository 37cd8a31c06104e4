"""The Prefect worker of type `warm`: woken by events, forking from a preloaded Python."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import httpx
from anyio import TASK_STATUS_IGNORED, to_thread
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import InfrastructureNotFound, ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Pending
from prefect.workers.base import BaseWorker

from deployments.warm import companion
from deployments.warm.after_exit import AFTER_EXIT_VARIABLE, AfterExit, call, named
from deployments.warm.asking import AskingOnce, asked_once
from deployments.warm.execution import Execution
from deployments.warm.job import WarmJobConfiguration, WarmVariables, WarmWorkerResult
from deployments.warm.orphans import bury_orphans
from deployments.warm.prepare import Prepared, Preparer, working_directory
from deployments.warm.signals import end_on_termination
from deployments.warm.stable import Stable, keep_fresh
from deployments.warm.wake import WakeListener

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from anyio.abc import TaskGroup, TaskStatus
    from prefect.client.schemas.objects import FlowRun


class WarmWorker(AskingOnce, BaseWorker[WarmJobConfiguration, WarmVariables, WarmWorkerResult]):
    """Runs flows in children forked from a Python that has imported Prefect and the flows already.

    Everything else is as with Prefect's process worker: pools, queues, limits, heartbeats, cancellation,
    crash reports, hooks.
    """

    type: ClassVar[str] = "warm"  # type: ignore[misc]  # Prefect declares it on the instance and reads the class
    job_configuration = WarmJobConfiguration
    job_configuration_variables = WarmVariables

    _display_name = "Warm"
    _description = (
        "Fork flow runs from a preloaded Python the moment they are due. For flows that wait for people."
    )

    after_exit: ClassVar[AfterExit | None] = None
    """Called in a thread after each child's exit; `NAKOMING_WARM_AFTER_EXIT` names another."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._due = asyncio.Event()
        self._polling = asyncio.Lock()
        self._to_cancel: set[UUID] = set()
        self._limited = True
        self._has_buried = False
        self._services: list[asyncio.Task[None]] = []
        self._listener: WakeListener | None = None
        self._end_companion: Callable[[], object] = companion.nothing
        self._execution: Execution | None = None
        self._stable: Stable | None = None
        self._hook = self._named_hook()

    @classmethod
    def _named_hook(cls) -> AfterExit | None:
        name = os.environ.get(AFTER_EXIT_VARIABLE)
        return named(name) if name else cls.after_exit  # through the instance it would become a method

    @property
    def _tasks(self) -> TaskGroup:
        if self._runs_task_group is None:
            raise RuntimeError("The worker has not been started.")
        return self._runs_task_group

    @property
    def execution(self) -> Execution:
        """The children of this worker.

        Raises:
            RuntimeError: The worker is not started.
        """
        if self._execution is None:
            raise RuntimeError("The worker has not been started.")
        return self._execution

    # Life

    async def setup(self) -> None:
        """Connect, then start listening and preloading in the background."""
        end_on_termination()
        # The worker has compared the versions itself: its children need not ask again, each for 8 ms.
        os.environ.setdefault("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "false")
        environment = {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)}
        self._stable = Stable(self._logger, environment)
        await super().setup()
        self._preparer = Preparer(self.client, self.name)
        self._execution = Execution(self.client, self.name, self._stable)
        # After the client and before the runs in the exit order: runs end first, then what they stand on.
        await self._execution.__aenter__()
        self._end_companion = await to_thread.run_sync(companion.start, self._logger)
        self._services.append(asyncio.create_task(self._poll_when_due(), name="warm-wake"))
        self._services.append(
            asyncio.create_task(
                keep_fresh(self._stable, self.client, self._work_pool_name, self._logger), name="warm-preload"
            )
        )

    async def teardown(self, *exc_info: Any) -> None:
        """Stop listening, end the runs, then the forkservers."""
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        self._services.clear()
        try:
            await super().teardown(*exc_info)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._end_companion)
                if self._execution is not None:
                    await self._execution.__aexit__(*exc_info)
            self._execution = None

    async def _setup_cancellation_observer(self) -> None:
        """Listen to the pool's events: ours brings cancellations as well as runs that are due.

        Prefect's observer sees only runs that never started, and gives up after an outage.
        """
        if self._listener is None:
            self._listener = WakeListener(
                self.work_pool.id, self._due.set, self._take_cancellation, self._logger
            )
            self._services.append(asyncio.create_task(self._listener.run(), name="warm-listener"))

    # Finding runs

    async def _poll_when_due(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            await self._poll()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Poll once, also for cancellations: what an event did not tell."""
        flow_runs = await self._poll()
        with suppress(httpx.HTTPError), asked_once():
            self._limited = await self._is_limited()
            await self._poll_cancellations()
        return flow_runs

    async def _is_limited(self) -> bool:
        """Say whether a run may have to wait for another one's end."""
        if self._limit is not None or (self._work_pool and self._work_pool.concurrency_limit is not None):
            return True
        queues = await self.client.read_work_queues(work_pool_name=self._work_pool_name)
        return any(queue.concurrency_limit is not None for queue in queues)

    async def _poll(self) -> list[FlowRun]:
        """Take what is due; an unreachable server is no reason to stop, children and listener go on."""
        async with self._polling:
            try:
                await self._bury()
                return await super().get_and_submit_flow_runs()
            except httpx.HTTPError as error:
                self._logger.info("The Prefect server did not answer the poll: %s", error)
                return []

    async def _bury(self) -> None:
        """Before the first claim: end what a killed worker left, and let the product look at each."""
        if self._has_buried:
            return
        for flow_run_id in await bury_orphans(self.client, self._work_pool_name, self.name):
            self._logger.warning("Run %s was left by a killed worker", flow_run_id)
            if self._hook is not None:
                self._tasks.start_soon(call, self._hook, flow_run_id, -signal.SIGKILL, self._logger)
        self._has_buried = True

    async def _poll_cancellations(self) -> None:
        running = self.execution.running()
        if not running:
            return
        cancelling = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING]))
        for flow_run in await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(running)), state=cancelling)
        ):
            self._take_cancellation(flow_run.id)

    def _take_cancellation(self, flow_run_id: UUID) -> None:
        if self._execution is None:
            return
        if flow_run_id in self._submitting_flow_run_ids:
            self._to_cancel.add(flow_run_id)
        elif flow_run_id in self.execution.running():
            self._tasks.start_soon(self.execution.cancel, flow_run_id)

    # Running

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Claim a run and fork it; the bookkeeping that can wait comes after its start."""
        # What the run needs is read while the server thinks about the claim.
        preparing = asyncio.create_task(self._prepare(flow_run))
        try:
            if await self._propose_pending_state(flow_run):
                flow_run.state = Pending()
                await self._tasks.start(self._attempt, flow_run, preparing)
            else:
                self._release_limit_slot(flow_run.id)
        finally:
            preparing.cancel()
            self._submitting_flow_run_ids.discard(flow_run.id)
        if flow_run.id in self._to_cancel:
            self._to_cancel.discard(flow_run.id)
            await self.execution.cancel(flow_run.id)

    async def _attempt(
        self, flow_run: FlowRun, preparing: asyncio.Task[Prepared], *, task_status: TaskStatus[None]
    ) -> None:
        """Run a claimed run; whatever keeps it from starting makes it Crashed, with the reason."""
        started = anyio.Event()
        try:
            await self._run_claimed(flow_run, await preparing, started, task_status)
        except ObjectNotFound:
            gone = f"Deployment {flow_run.deployment_id} no longer exists, cancelled run."
            await self._mark_flow_run_as_cancelled(flow_run, {"message": gone})
        except Exception as error:
            logger = self.get_flow_run_logger(flow_run)
            if started.is_set():
                logger.exception("Lost the process of flow run '%s'.", flow_run.name)
            else:
                logger.exception("Flow run '%s' could not be started.", flow_run.name)
                await self._propose_crashed_state(flow_run, f"Flow run could not be started: {error}")
        finally:
            self._release_limit_slot(flow_run.id)
            if self._limited:
                # A slot of this worker, of a queue or of the pool is free: somebody may wait for it. Without
                # limits nobody does, and each poll makes the server write.
                self._due.set()
            if not started.is_set():
                task_status.started()

    async def _run_claimed(
        self, flow_run: FlowRun, prepared: Prepared, started: anyio.Event, task_status: TaskStatus[None]
    ) -> None:
        def is_started(pid: int) -> None:
            started.set()
            task_status.started()
            self._tasks.start_soon(self._note_start, flow_run, prepared.configuration, pid)

        result = await self._run_at(flow_run, prepared, is_started)
        self._emit_flow_run_executed_event(result, prepared.configuration)

    async def _prepare(self, flow_run: FlowRun) -> Prepared:
        return await self._preparer.prepare(flow_run, copy.deepcopy(self.work_pool), self.backend_id)

    async def _run_at(
        self, flow_run: FlowRun, prepared: Prepared, started: Callable[[int], None]
    ) -> WarmWorkerResult:
        with working_directory(prepared.place) as code:
            request = prepared.request(flow_run, code)
            end = await self.execution.run(flow_run, prepared.place, request, started)
        if self._hook is not None:
            logger = self.get_flow_run_logger(flow_run)
            self._tasks.start_soon(call, self._hook, flow_run.id, end.exit_code, logger)
        return WarmWorkerResult(identifier=str(end.pid), status_code=end.status)

    async def _note_start(self, flow_run: FlowRun, configuration: WarmJobConfiguration, pid: int) -> None:
        """Tell the server where the run is: after the start, for the run does not wait for it."""
        try:
            self._emit_flow_run_submitted_event(configuration)
            await self.client.update_flow_run(flow_run.id, infrastructure_pid=str(pid))
            await self._give_worker_labels_to_flow_run(flow_run.id)
        except Exception:  # noqa: BLE001 - the run goes on without
            self.get_flow_run_logger(flow_run).exception("The process id of the run could not be stored.")

    async def run(
        self,
        flow_run: FlowRun,
        configuration: WarmJobConfiguration,
        task_status: TaskStatus[int] | None = None,
    ) -> WarmWorkerResult:
        """Run one run to its end in a forked child: Prefect's interface, of which this worker needs less."""
        prepared = Prepared(configuration, (await self._prepare(flow_run)).place)
        return await self._run_at(flow_run, prepared, (task_status or TASK_STATUS_IGNORED).started)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: WarmJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """End the process group of a run.

        Raises:
            InfrastructureNotFound: No child of this worker has that pid.
        """
        del configuration
        flow_run_id = self.execution.run_of(int(infrastructure_pid))
        if flow_run_id is None:
            raise InfrastructureNotFound(f"No child of worker {self.name!r} has pid {infrastructure_pid}.")
        await self.execution.kill(flow_run_id, grace_seconds)
