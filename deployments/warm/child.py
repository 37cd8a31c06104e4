"""What a forked child does: become the process of one run, run it as `prefect.engine` would, end."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from deployments.warm import preload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun

_STARTED_WITH = dict(os.environ)


def run_and_exit(job: dict[str, Any]) -> NoReturn:
    """Run a job and end this process with the exit code that `prefect.engine` would have.

    Args:
        job: A `fork` request of the worker: `kind` (`flow` or `hooks`), `env`, `cwd`, `stream_output`,
            `flow_run`, `entrypoint` (None: Prefect fetches the code), for hooks `state` and `hooks`.
    """
    code = 0
    try:
        _settle(job)
        if job["kind"] == "flow":
            _run_flow(job)
        else:
            _run_hooks(job)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does with what nobody caught
        traceback.print_exc()
        code = 1
    _finish(code)


def _finish(code: int) -> NoReturn:
    """End as multiprocessing's children do: threads and exit functions, but no tearing down of modules."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - sends Prefect's last logs and events
        atexit._run_exitfuncs()  # noqa: SLF001
    except BaseException:  # noqa: BLE001 - the run is over; its exit code stands
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)


def _settle(job: dict[str, Any]) -> None:
    """Take on the environment, settings, directory and output of this run."""
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    if not job["stream_output"]:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
    if _settings_of(job["env"]) != _settings_of(_STARTED_WITH):
        _reload_settings()


def _settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    # Two underscores mark facts about the run, not settings.
    return {
        name: value
        for name, value in environment.items()
        if name.startswith("PREFECT_") and not name.startswith("PREFECT__")
    }


def _reload_settings() -> None:
    """Read the settings anew: this run's differ from those the forkserver began with."""
    from prefect.context import SettingsContext, get_settings_context
    from prefect.logging.configuration import setup_logging
    from prefect.settings import Settings

    SettingsContext(profile=get_settings_context().profile, settings=Settings()).__enter__()
    setup_logging(incremental=False)


def _run_flow(job: dict[str, Any]) -> None:
    from prefect._internal.control_listener import configure_from_env
    from prefect._internal.metrics import RunMetrics
    from prefect.client.schemas.objects import FlowRun
    from prefect.engine import _drive_run_flow_result, handle_engine_signals
    from prefect.flow_engine import run_flow
    from prefect.logging.loggers import flow_run_logger

    from deployments.warm import known

    configure_from_env()
    flow_run = FlowRun.model_validate(job["flow_run"])
    known.remember(flow_run)
    if "result_storage" in job:
        known.remember_storage(job["result_storage"])
    with handle_engine_signals(flow_run.id):
        logger = flow_run_logger(flow_run=flow_run)
        try:
            flow = _flow(job, flow_run)
        except Exception:
            logger.exception("Unexpected exception encountered when trying to load flow")
            raise
        with RunMetrics(flow_run, flow):
            # As prefect.engine does: its adapter stands in for a Logger.
            result = run_flow(flow, flow_run=flow_run, error_logger=logger)  # type: ignore[arg-type]
            _drive_run_flow_result(flow, result)


def _flow(job: dict[str, Any], flow_run: FlowRun) -> Flow[..., Any]:
    """Return the flow: from the forkserver's memory, from its file, or by the deployment's pull steps."""
    entrypoint = job["entrypoint"]
    if entrypoint is None:
        from prefect.flow_engine import load_flow

        return load_flow(flow_run)
    return preload.flows.get(entrypoint) or preload.load_flow(entrypoint)


def _run_hooks(job: dict[str, Any]) -> None:
    """Run the on_crashed or on_cancellation hooks of a run whose process is gone."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.runner._hook_runner import HookRunner

    async def resolve(flow_run: FlowRun) -> Flow[..., Any]:
        return _flow(job, flow_run)

    async def run() -> None:
        async with get_client():
            hooks = HookRunner(resolve_flow=resolve)
            flow_run = FlowRun.model_validate(job["flow_run"])
            state = State.model_validate(job["state"])
            if job["hooks"] == "crashed":
                await hooks.run_crashed_hooks(flow_run, state)
            else:
                await hooks.run_cancellation_hooks(flow_run, state)

    asyncio.run(run())
