"""Parts of Prefect's engine, made to fit a short run.

Each does what the original does, at another moment or once instead of twice: nothing is left out. They
replace names of Prefect's modules in the forkserver, hence in its children only.
Prefect is pinned; `tests/deployments/warm` fails when one of the names is gone.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import certifi
import prefect.client.orchestration
import prefect.flow_engine
import prefect.results
from prefect._flow_run_suspension import mark_flow_run_suspension_requested
from prefect._internal.observers import FlowRunSuspendingObserver
from prefect.flow_engine import MINIMUM_HEARTBEAT_INTERVAL
from prefect.settings import PREFECT_API_SSL_CERT_FILE
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from prefect._flow_run_suspension import FlowRunSuspensionRequest
    from prefect.client.schemas.objects import State
    from prefect.flow_engine import BaseFlowRunEngine

OBSERVE_AFTER_SECONDS = 1.0
"""A run younger than this is not watched for a Suspend from outside: the watch costs a thread, an event loop,
a websocket and two requests, all before the first line of the flow. It begins by reading the run's state, so
nothing is missed."""
_STOP_POLL_SECONDS = 0.2


def apply() -> None:
    """Put the lean parts in place of the originals."""
    prefect.flow_engine.observe_flow_run_suspension = observe_flow_run_suspension  # type: ignore[attr-defined]
    prefect.flow_engine._send_heartbeats = send_heartbeats  # noqa: SLF001 - the name the engine looks up
    prefect.client.orchestration.ssl = SharedTls()  # type: ignore[attr-defined, assignment]  # stands in for the module
    # Reading the certificates costs 20-30 ms; in the forkserver it is paid once for all its children.
    SharedTls.create_default_context(cafile=PREFECT_API_SSL_CERT_FILE.value() or certifi.where())
    # The engine asks the server for its default result storage at the start of a run and at each suspension.
    results = prefect.results
    results._read_server_default_result_storage_block_id = functools.cache(  # noqa: SLF001
        results._read_server_default_result_storage_block_id  # noqa: SLF001
    )
    complete_models()


def complete_models() -> None:
    """Finish the pydantic models whose building Prefect puts off until their first use.

    Four of them are first used by every run, at 3-5 ms each.
    """
    for model in _descendants(BaseModel):
        if model.__module__.startswith("prefect.") and not model.__pydantic_complete__:
            # One that cannot be finished stays as it was.
            with suppress(Exception):
                model.model_rebuild()


def _descendants(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = set(model.__subclasses__())
    return found.union(*(_descendants(child) for child in found))


class SharedTls:
    """The module `ssl`, whose default contexts are made once a process instead of once a client."""

    @staticmethod
    @functools.cache
    def create_default_context(**options: Any) -> ssl.SSLContext:
        """Return the one context for these options."""
        return ssl.create_default_context(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(ssl, name)


@contextmanager
def send_heartbeats(engine: BaseFlowRunEngine[Any, Any], join_on_exit: bool = True) -> Generator[None]:  # noqa: FBT001, FBT002 - Prefect's signature
    """Emit Prefect's heartbeats from a thread that ends when told, not up to a second later."""
    del join_on_exit  # the thread ends at once, there is nothing to wait for
    seconds = engine.heartbeat_seconds
    if seconds is None:
        yield
        return
    interval = max(seconds, MINIMUM_HEARTBEAT_INTERVAL)
    stopped = threading.Event()

    def beat() -> None:
        # The first one after a moment: it opens a websocket, which would compete with the flow's first lines.
        wait: float = OBSERVE_AFTER_SECONDS
        while not stopped.wait(wait) and not _is_final(engine):
            try:
                engine._emit_flow_run_heartbeat()  # noqa: SLF001 - Prefect's own loop calls the same
            except Exception:  # as in the original: a lost heartbeat never harms the run
                engine.logger.debug("Failed to emit heartbeat", exc_info=True)
            wait = interval

    _start_thread(beat, "heartbeat")
    try:
        yield
    finally:
        stopped.set()


def _is_final(engine: BaseFlowRunEngine[Any, Any]) -> bool:
    return bool(engine.flow_run and engine.flow_run.state and engine.flow_run.state.is_final())


@contextmanager
def observe_flow_run_suspension(
    flow_run_id: UUID, suspension_request: FlowRunSuspensionRequest, polling_interval: float = 10
) -> Generator[None]:
    """Watch for a Suspend from outside, once the run is old enough for it to matter."""
    stopped = threading.Event()

    def mark(flow_run_id: UUID, state: State) -> None:
        if not mark_flow_run_suspension_requested(flow_run_id, state):
            suspension_request.mark_requested(state)

    async def watch() -> None:
        async with FlowRunSuspendingObserver(
            on_suspended=mark, polling_interval=polling_interval
        ) as observer:
            await observer.watch_flow_run_id(flow_run_id)
            while not stopped.is_set():  # noqa: ASYNC110 - set by another thread, seldom waited for
                await asyncio.sleep(_STOP_POLL_SECONDS)

    def run() -> None:
        if not stopped.wait(OBSERVE_AFTER_SECONDS):
            asyncio.run(watch())

    _start_thread(run, "suspension-observer")
    try:
        yield
    finally:
        stopped.set()


def _start_thread(target: Any, name: str) -> None:
    # Prefect's settings live in context variables, which a new thread does not have by itself.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(target,), daemon=True, name=name).start()
