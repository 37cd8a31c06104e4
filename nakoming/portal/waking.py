"""Telling the flows of a decision at once, without the visitor waiting for it or hearing when it fails.

A wake-up proves nothing and may be lost: the decision stands in the records, where the reconciler finds it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_log = logging.getLogger("nakoming.portal")
_THREADS: Final = 4

Wake = Callable[[str], Awaitable[None] | None]


class Waker:
    """Calls `wake(case_id)` beside the answer: a coroutine on the portal's loop, else in a thread."""

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="portal-wake")
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Remember the loop on which coroutines are run; called on it."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Let go of the threads; calls that have begun end by themselves."""
        self._threads.shutdown(wait=False)

    def __call__(self, case_id: str) -> None:
        """Start waking a case; returns at once."""
        if inspect.iscoroutinefunction(self._wake) and self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._on_loop(case_id), self._loop)
        else:
            self._threads.submit(self._in_thread, case_id)

    async def _on_loop(self, case_id: str) -> None:
        try:
            awaited = self._wake(case_id)
            if awaited is not None:
                await awaited
        except Exception as raised:  # noqa: BLE001 - whatever it is, the decision stands
            _failed(case_id, raised)

    def _in_thread(self, case_id: str) -> None:
        try:
            awaited = self._wake(case_id)
            if awaited is not None and self._loop is not None:
                asyncio.run_coroutine_threadsafe(_finish(awaited), self._loop).result()
        except Exception as raised:  # noqa: BLE001 - the same
            _failed(case_id, raised)


async def _finish(awaited: Awaitable[None]) -> None:
    await awaited


def _failed(case_id: str, raised: Exception) -> None:
    """The case is named; what was raised may quote addresses and is named by its kind only."""
    _log.error("Waking case %s failed (%s); the reconciler will find it.", case_id, type(raised).__name__)
