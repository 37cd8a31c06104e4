"""One pass of the reconciler: what was missed is made up for, whatever died and in whatever state.

It reads its own tables and a few of Prefect's lists; it needs no scheduler, no worker and no slot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from nakoming.records import wishes
from tasks import artifacts
from tasks.backup.watch import BackupWatch
from tasks.steps import digest
from tasks.waking.due import act_on_due
from tasks.waking.errors import PrefectAway, PrefectRefused, away_is_said
from tasks.waking.leftovers import Leftovers
from tasks.waking.shown import Shown
from tasks.waking.waker import Waker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nakoming.records.housekeeping import Acted
    from nakoming.records.store import Records
    from nakoming.records.wishes import Wish
    from tasks.waking.runs import Runs

_log = logging.getLogger("nakoming.reconciler")


@dataclass(kw_only=True)
class Report:
    """What a pass did."""

    acted: list[Acted] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)  # keys of the cases
    not_woken: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)  # ids of the runs
    held: list[str] = field(default_factory=list)  # keys of the cases
    shown: int = 0
    taken_away: int = 0
    away: str | None = None  # why Prefect could not be asked
    seconds: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to do."""
        done = (self.acted, self.woken, self.not_woken, self.crashed, self.held, self.shown, self.taken_away)
        return not any(done)

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class Reconciler:
    """Makes one pass after the other, over one connection to Prefect."""

    def __init__(self, records: Records, runs: Runs) -> None:
        self._records = records
        self._waker = Waker(records, runs)
        self._leftovers = Leftovers(records, runs, self._waker)
        self._shown = Shown(records, runs)
        self._backups = BackupWatch(records)
        self._waiting: str | None = None  # digest of what the artifact `open-gates` says

    async def once(self) -> Report:
        """One pass. Our own deadlines are acted on whether Prefect answers or not."""
        begun = time.monotonic()
        report = Report()
        report.acted = await asyncio.to_thread(act_on_due, self._records)
        await asyncio.to_thread(self._backups.look)
        self._waker.crashed, self._waker.held = report.crashed, report.held
        for part in (self._wake, self._clear, self._show, self._tell, self._tell_ages):
            await _unless_away(part, report)
        report.seconds = time.monotonic() - begun
        return report

    async def _wake(self, report: Report) -> None:
        for wish in await asyncio.to_thread(self._wanting):
            found = report.woken if await self._waker.attempt(wish.case_id) else report.not_woken
            found.append(wish.key)

    def _wanting(self) -> list[Wish]:
        with self._records.read() as tx:
            return wishes.wanting(tx)

    async def _clear(self, report: Report) -> None:
        del report
        await self._leftovers.clear()

    async def _show(self, report: Report) -> None:
        report.shown, report.taken_away = await self._shown.renew()

    async def _tell(self, report: Report) -> None:
        """Renew what operators see of all that waits, when it has changed; nobody else renews it."""
        del report
        waiting = await asyncio.to_thread(artifacts.open_gates, self._records)
        said = digest([waiting.total, waiting.rows])
        if said == self._waiting:
            return
        if await _put(artifacts.put_open_gates, waiting):
            self._waiting = said

    async def _tell_ages(self, report: Report) -> None:
        """Renew what operators see of the ages of backups."""
        del report
        await _put(self._backups.publish)


async def _put(show: Callable[..., None], *shown: object) -> bool:
    """Put something into Prefect for operators to see; whether it took it."""
    try:
        with away_is_said():
            await asyncio.to_thread(show, *shown)
    except httpx.HTTPStatusError as refused:
        _log.warning("Prefect did not take what operators are to see: %s", refused)
        return False
    return True


async def _unless_away(part: Callable[[Report], Awaitable[None]], report: Report) -> None:
    if report.away is not None:
        return
    try:
        await part(report)
    except PrefectAway as away:
        report.away = str(away)
    except PrefectRefused as refused:
        _log.error("%s", refused)


async def reconcile_once(records: Records, runs: Runs) -> Report:
    """One pass by hand."""
    return await Reconciler(records, runs).once()
