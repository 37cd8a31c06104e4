"""Waking cases: from the portal, from workers after a child's exit, and from commands.

async with Runs() as runs:
    waker = Waker(records, runs)        # on one's own loop
    await waker.wake(case_id)

wake_soon(case_id)                      # from anywhere, returns at once

wake_within(records, case_id, seconds)  # from a command, which ends soon
"""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import cache
from typing import TYPE_CHECKING

from nakoming.records import migrate
from nakoming.records.store import Records
from nakoming.settings import Settings
from tasks.waking.errors import PrefectAway
from tasks.waking.runs import Runs
from tasks.waking.waker import Waker

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["BackgroundWaker", "Runs", "Waker", "wake_soon", "wake_within"]
_log = logging.getLogger("nakoming.waking")


class BackgroundWaker:
    """A waker on a loop and a thread of its own, for code that has no loop.

    Args:
        records: where the wishes stand; none: those of the settings, opened at the first use.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._given = records
        self._waker: Waker | None = None
        self._opening = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="waker", daemon=True)
        self._thread.start()

    def wake_soon(self, case_id: str) -> Future[bool]:
        """Start waking a case, and return at once; whatever goes wrong is logged, and the result is false."""
        return asyncio.run_coroutine_threadsafe(self._wake(case_id), self._loop)

    async def _wake(self, case_id: str) -> bool:
        try:
            return await (await self._ready()).wake(case_id)
        except PrefectAway as away:
            _log.warning("Case %s waits: %s", case_id, away)
        except Exception:  # noqa: BLE001 - the caller has gone on: it is said here or nowhere
            _log.exception("Case %s could not be woken; the reconciler tries again.", case_id)
        return False

    async def _ready(self) -> Waker:
        async with self._opening:
            if self._waker is None:
                records = await asyncio.to_thread(_installed) if self._given is None else self._given
                self._runs = await Runs().__aenter__()
                self._waker = Waker(records, self._runs)
            return self._waker

    def close(self) -> None:
        """Let go of the connection and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=15)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=15)
        self._loop.close()

    async def _end(self) -> None:
        if self._waker is not None:
            await self._runs.__aexit__(None, None, None)


def wake_within(records: Records, case_id: str, seconds: float) -> bool:
    """Wake a case before this process ends, unless that takes long; never raises.

    Returns:
        Whether Prefect knows. When it is false the reconciler wakes the case, within its next pass.
    """

    async def work() -> bool:
        async with asyncio.timeout(seconds), Runs() as runs:
            return await Waker(records, runs).attempt(case_id)

    try:
        return asyncio.run(work())
    except Exception as problem:  # noqa: BLE001 - what was done stands, whatever keeps it from being told
        _log.debug("Case %s is left to the reconciler: %s", case_id, problem)
        return False


def _installed() -> Records:
    records = Records.from_settings(Settings(), pooled=True)
    migrate.require_current(records)
    return records


@cache
def _background() -> BackgroundWaker:
    return BackgroundWaker()


def wake_soon(case_id: str) -> None:
    """Start waking a case of this installation, and return at once; never raises."""
    _background().wake_soon(case_id)
