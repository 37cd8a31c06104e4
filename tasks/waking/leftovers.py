"""What Prefect shows of our cases and is not so: runs of dead processes, and cancellations."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nakoming.records import wishes
from nakoming.records.case_model import State
from tasks.waking.waker import PATIENCE

if TYPE_CHECKING:
    from nakoming.records.store import Records
    from nakoming.records.wishes import Wish
    from tasks.waking.runs import Run, Runs
    from tasks.waking.waker import Waker

_OVERLAP = timedelta(minutes=2)  # two looks at the cancellations share so much


class Leftovers:
    """Looks at Prefect's own lists: two requests a pass, however many cases wait."""

    def __init__(self, records: Records, runs: Runs, waker: Waker) -> None:
        self._records = records
        self._runs = runs
        self._waker = waker
        self._seen_until: datetime | None = None

    async def clear(self) -> None:
        """Bury dead runs that hold slots for nothing, and hold the cases whose newest run was cancelled."""
        for run, wish in await self._ours(await self._runs.working()):
            if is_left_over(wish, run):
                await self._waker.bury(run)
        cancelled = await self._runs.cancelled_since(self._seen_until)
        for run, wish in await self._ours(cancelled):
            if wish.run_id == run.id and wish.state in {State.WAITING, State.OPEN}:
                await self._waker.hold(wish, run)
        if cancelled:
            self._seen_until = cancelled[0].seen_at - _OVERLAP

    async def _ours(self, runs: list[Run]) -> list[tuple[Run, Wish]]:
        found = await asyncio.to_thread(self._cases, [run.id for run in runs]) if runs else {}
        return [(run, found[run.id]) for run in runs if run.id in found]

    def _cases(self, run_ids: list[str]) -> dict[str, Wish]:
        with self._records.read() as tx:
            return wishes.of_runs(tx, run_ids)


def is_left_over(wish: Wish, run: Run) -> bool:
    """Whether a run that Prefect believes to be at work can do nothing more for its case.

    The case has ended, or a later run took it over, a good while ago. The newest run of a live case is judged
    when the case wants to run.
    """
    if run.age <= PATIENCE:
        return False
    if wish.run_id != run.id:
        return wish.run_started_at is not None and wish.run_started_at <= wish.now - PATIENCE
    if wish.state == State.CLOSED:
        return wish.closed_at is not None and wish.closed_at <= wish.now - PATIENCE
    return wish.state in {State.STUCK, State.HELD}
