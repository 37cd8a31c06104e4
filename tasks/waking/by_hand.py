"""Waking and reconciling from within a flow run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_table_artifact

from tasks.installation import records as installed_records
from tasks.waking.due import act_on_due
from tasks.waking.reconciler import Reconciler
from tasks.waking.runs import Runs
from tasks.waking.waker import Waker

if TYPE_CHECKING:
    from tasks.waking.reconciler import Report

REPORT = "reconcile"


async def wake_now(case_id: str) -> list[str]:
    """Act on what is due in one case and wake it; what was done, in words."""
    records = installed_records()
    acted = await asyncio.to_thread(act_on_due, records, case_id)
    async with Runs() as runs:
        await Waker(records, runs).wake(case_id)
    return [f"{each.name}: {each.error or each.did}" for each in acted]


async def reconcile_now() -> str:
    """One pass, its report as the artifact `reconcile`; the report in one sentence."""
    async with Runs() as runs:
        report = await Reconciler(installed_records(), runs).once()
    said = in_words(report)
    await acreate_table_artifact(key=REPORT, table=as_table(report), description=said)
    return said


def in_words(report: Report) -> str:
    """A report in one sentence."""
    if report.away:
        return f"{len(report.acted)} wake-ups acted on; then: {report.away}"
    return (
        f"{len(report.acted)} wake-ups acted on, {len(report.woken)} cases woken, "
        f"{len(report.not_woken)} to be tried again, {len(report.crashed)} dead runs buried, "
        f"{len(report.held)} cases held, {report.shown} deadlines shown and {report.taken_away} taken away, "
        f"in {report.seconds:.2f} s"
    )


def as_table(report: Report) -> list[dict[str, str]]:
    """A report, one row for each thing that was done."""
    rows = [{"what": each.kind, "which": each.name, "how": each.error or each.did} for each in report.acted]
    named = (
        ("case", report.woken, "woken"),
        ("case", report.not_woken, "to be tried again"),
        ("run", report.crashed, "its process was gone"),
        ("case", report.held, "held: its run was cancelled"),
    )
    rows += [{"what": what, "which": which, "how": how} for what, found, how in named for which in found]
    return rows or [{"what": "nothing", "which": "–", "how": "all is as it should be"}]
