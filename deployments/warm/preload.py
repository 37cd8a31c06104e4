"""What a forkserver imports before it forks, and which files of the project that was."""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect import Flow

# What the engine imports only while it runs: found by comparing sys.modules at a flow's first line with the
# modules of a forkserver; each left out costs its import in every run.
_ENGINE_MODULES = (
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.flow_runs",
    "prefect.task_runners",
    "prefect.futures",
    "prefect.input",
    "prefect.filesystems",
    "prefect.artifacts",
    "prefect.variables",
    "prefect.events.worker",
    "prefect.events.clients",
    "prefect.events.related",
    "prefect.events.utilities",
    "prefect.runner._hook_runner",
    "prefect.runtime",
    "prefect._internal.metrics",
    "prefect._internal.observers",
    "prefect._internal.control_listener",
    "prefect.concurrency.sync",
    "prefect.concurrency.v1.sync",
    "prefect.deployments.steps.core",
    "websockets.asyncio.client",
    "httpcore",
    "h11",
    "anyio._backends._asyncio",
    "deployments.warm.known",
    "encodings.idna",
)
_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)

REHEARSAL_VARIABLE = "NAKOMING_WARM_REHEARSAL"
"""Environment variable with the dotted name of a callable, called once in each forkserver after its imports.
It must leave no thread, connection or open file behind."""

flows: dict[str, Flow[..., Any]] = {}
"""The loaded flows of this process, by entrypoint."""


def load(entrypoints: list[str]) -> dict[str, Any]:
    """Import the engine and the flows, and say what was loaded.

    Args:
        entrypoints: Entrypoints of deployments, relative to the current directory.

    Returns:
        `loaded` and `failed` entrypoints (with the reason), `files` of the project with the modification time
        in nanoseconds and the size in bytes, `threads` alive afterwards.
    """
    for name in _ENGINE_MODULES:
        importlib.import_module(name)
    from deployments.warm import lean

    lean.apply()
    failed = {}
    for entrypoint in entrypoints:
        try:
            flows[entrypoint] = load_flow(entrypoint)
        except Exception as error:  # noqa: BLE001 - the run itself will fail with it, in its own log
            failed[entrypoint] = f"{type(error).__name__}: {error}"
    if not failed:
        _rehearse(failed)
    return {
        "loaded": sorted(flows),
        "failed": failed,
        "files": stamps(project_files()),
        "threads": threading.active_count(),
    }


def _rehearse(failed: dict[str, str]) -> None:
    """Let the product do once what its runs will do, if it names something for that."""
    name = os.environ.get(REHEARSAL_VARIABLE)
    if not name:
        return
    module, _, attribute = name.rpartition(".")
    try:
        getattr(importlib.import_module(module), attribute)()
    except Exception as error:  # noqa: BLE001 - runs are slower without, and no less right
        failed[f"the rehearsal {name}"] = f"{type(error).__name__}: {error}"


def load_flow(entrypoint: str) -> Flow[..., Any]:
    """Import the flow of an entrypoint as Prefect's engine does.

    Args:
        entrypoint: `path/to/file.py:function` or `package.module.function`.

    Raises:
        Exception: Whatever the flow's module raises at import.
    """
    from prefect.exceptions import MissingFlowError
    from prefect.flows import load_flow_from_entrypoint, load_function_and_convert_to_flow

    try:
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    except MissingFlowError:
        return load_function_and_convert_to_flow(entrypoint)


def project_files() -> list[str]:
    """List the source files of loaded modules that are not installed: those a developer changes."""
    found = set()
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not name or not name.endswith(".py"):
            continue
        path = str(Path(name).resolve())
        if not path.startswith(_INSTALLED):
            found.add(path)
    return sorted(found)


def stamps(paths: list[str]) -> dict[str, list[int]]:
    """Read modification time (nanoseconds) and size (bytes) of each file; a missing file is [0, 0]."""
    found = {}
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116 - a Path costs more than the call, and this runs at each fork
            found[path] = [status.st_mtime_ns, status.st_size]
        except OSError:
            found[path] = [0, 0]
    return found
