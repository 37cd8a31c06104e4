"""Deadlines and instants, shown in the Prefect UI as scheduled runs, so that operators see what is coming.

The scheduled runs are a view. When one starts, it acts on what is due in its case a little earlier than the
reconciler would.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from nakoming.agreement.local_time import ZONE
from nakoming.records import wake_ups, wishes
from tasks.waking.runs import NewRun

if TYPE_CHECKING:
    from nakoming.records.store import Records
    from nakoming.records.wake_ups import WakeUp
    from nakoming.records.wishes import Wish
    from tasks.waking.runs import Runs

DEPLOYMENT = "wake-up/wake-up"
TAG = "wake-up"
_A_PASS = 20  # each costs Prefect 34 ms and more
_SECONDS = 1.0


class Shown:
    """Keeps Prefect's scheduled runs in step with the wake-ups, a few in each pass."""

    def __init__(self, records: Records, runs: Runs) -> None:
        self._records = records
        self._runs = runs

    async def renew(self) -> tuple[int, int]:
        """Show what is not shown, take away what is over or was moved; how many of each."""
        over = await asyncio.to_thread(self._over)
        await self._take_away(over)
        deployment_id = await self._runs.deployment(DEPLOYMENT)
        return (await self._show(deployment_id) if deployment_id else 0), len(over)

    def _over(self) -> list[WakeUp]:
        with self._records.read() as tx:
            return wake_ups.shown_in_vain(tx, _A_PASS)

    async def _take_away(self, over: list[WakeUp]) -> None:
        """A run that has started tells what happened and stays."""
        ids = {wake_up.prefect_run_id for wake_up in over if wake_up.prefect_run_id}
        for run in await self._runs.among(ids):
            if run.state == "SCHEDULED":
                await self._runs.delete(run.id)
        if over:
            await asyncio.to_thread(self._note, [(wake_up, None) for wake_up in over])

    async def _show(self, deployment_id: str) -> int:
        pending = await asyncio.to_thread(self._unshown)
        shown: list[tuple[WakeUp, str | None]] = []
        end = time.monotonic() + _SECONDS
        try:
            for wake_up, wish in pending:
                run = await self._runs.create(_new(deployment_id, wake_up, wish))
                shown.append((wake_up, run.id))
                if time.monotonic() > end:
                    break
        finally:
            if shown:
                await asyncio.to_thread(self._note, shown)
        return len(shown)

    def _unshown(self) -> list[tuple[WakeUp, Wish]]:
        with self._records.read() as tx:
            found = [(each, wishes.of_case(tx, each.case_id)) for each in wake_ups.unshown(tx, _A_PASS)]
        return [(wake_up, wish) for wake_up, wish in found if wish is not None]

    def _note(self, shown: list[tuple[WakeUp, str | None]]) -> None:
        with self._records.write() as tx:
            for wake_up, run_id in shown:
                wake_ups.shown_as(tx, wake_up.id, run_id, wake_up.at)


def _new(deployment_id: str, wake_up: WakeUp, wish: Wish) -> NewRun:
    local = wake_up.at.astimezone(ZONE)
    return NewRun(
        deployment_id=deployment_id,
        parameters={"case_id": wish.case_id, "case": wish.key, "what": wake_up.label},
        idempotency_key=f"{wake_up.id}:{wake_up.at.isoformat()}",
        name=f"{wake_up.label} {local:%a %d %b %Y %H:%M} ({wish.key})",
        at=wake_up.at,
        tags=(TAG, wake_up.kind, f"customer:{wish.customer}"),
    )
