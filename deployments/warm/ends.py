"""How a child and its group are ended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from deployments.warm.forked import ForkedProcess

STOP_SECONDS = 10.0
"""How long runs have to report themselves as Crashed when the worker is stopped."""


async def stop_group(process: ForkedProcess) -> None:
    """Let the engine in the child report its run as Crashed, within a time; then kill."""
    if process.pid is None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with anyio.move_on_after(STOP_SECONDS, shield=True):
        await process.wait()
    kill_group(process)


def kill_group(process: ForkedProcess) -> None:
    """End a child and all it started, now."""
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
