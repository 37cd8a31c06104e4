"""The loop: every few seconds whoever holds the lease makes a pass; when it dies, another takes over."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from nakoming.errors import NakomingError
from nakoming.records import resource_leases
from nakoming.records.errors import RecordsError, ResourceBusy
from nakoming.records.owners import this_process
from tasks.erp.schedules import Schedules
from tasks.waking.by_hand import in_words
from tasks.waking.errors import PrefectAway
from tasks.waking.reconciler import Reconciler
from tasks.waking.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.records.resource_leases import ResourceLease
    from nakoming.records.store import Records

RESOURCE = "reconciler"
EVERY_SECONDS = 10.0
_LEASE = timedelta(seconds=60)  # longer than a pass; a holder that died on this machine is known at once
_log = logging.getLogger("nakoming.reconciler")


async def run_reconciler(records: Records, stop: asyncio.Event, every: float = EVERY_SECONDS) -> None:
    """Make passes until `stop` is set, while this process holds the lease.

    Args:
        records: pooled.
        stop: ends the loop after the pass it is in.
        every: seconds between two passes.
    """
    trouble = _Trouble()
    schedules = Schedules(records)
    while not stop.is_set():
        try:
            async with Runs() as runs:
                await _passes(records, Reconciler(records, runs), schedules, stop, every, trouble)
        except NakomingError as problem:
            trouble.is_there(problem.code, f"{problem} [{problem.code}]")
        except Exception as problem:  # noqa: BLE001 - nothing may end the loop that heals the rest
            kind = type(problem).__name__
            trouble.is_there(kind, f"A pass of the reconciler failed; others follow: {kind}", problem)
        await _pause(stop, every)


class _Trouble:
    """Says once what stands in the way, and once that it is over: not the same at every pass."""

    def __init__(self) -> None:
        self._said = ""

    def is_there(self, kind: str, sentence: str, problem: Exception | None = None) -> None:
        """Something stands in the way; a fault that nobody foresaw is shown whole, the first time."""
        if kind != self._said:
            _log.warning("%s", sentence, exc_info=problem)
            self._said = kind

    def is_over(self) -> None:
        """A pass was made with all that it needs."""
        if self._said:
            _log.warning("The reconciler works again.")
            self._said = ""


async def _passes(
    records: Records,
    reconciler: Reconciler,
    schedules: Schedules,
    stop: asyncio.Event,
    every: float,
    trouble: _Trouble,
) -> None:
    held: ResourceLease | None = None
    try:
        while not stop.is_set():
            held = await asyncio.to_thread(_hold, records)
            if held is not None:
                report = await reconciler.once()
                away = report.away or await _renewed(schedules)
                if away is None:
                    trouble.is_over()
                else:
                    trouble.is_there(PrefectAway.code, away)
                if not report.is_idle:
                    _log.info("%s", in_words(report))
            await _pause(stop, every)
    finally:
        if held is not None:
            with contextlib.suppress(RecordsError):
                await asyncio.to_thread(_let_go, records, held)


async def _renewed(schedules: Schedules) -> str | None:
    """Look after the schedules; why not, when Prefect is away."""
    try:
        await schedules.look()
    except PrefectAway as away:
        return str(away)
    return None


def _hold(records: Records) -> ResourceLease | None:
    """The lease, when it is free or ours; a look first, so that those who wait do not write."""
    owner = this_process()
    with records.read() as tx:
        holder = resource_leases.holder(tx, RESOURCE)
    if holder is not None and holder.owner != owner:
        return None
    with contextlib.suppress(ResourceBusy), records.write() as tx:
        return resource_leases.take(tx, RESOURCE, owner, lease=_LEASE)
    return None


def _let_go(records: Records, held: ResourceLease) -> None:
    with records.write() as tx:
        resource_leases.release(tx, held)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def start_in_thread(records: Records, every: float = EVERY_SECONDS) -> Callable[[], None]:
    """Run the loop in a thread of its own; call what it returns to end it (within a pass)."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def work() -> None:
        try:
            loop.run_until_complete(run_reconciler(records, stop, every))
        finally:
            loop.close()

    # In the context of the caller: the settings of Prefect may be its own.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="reconciler", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)
        thread.join()

    return end
