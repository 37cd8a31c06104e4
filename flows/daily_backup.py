"""The backups of all customers, every night (S-2.4.2)."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - Prefect reads the annotations for its form
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from prefect.states import Completed

from tasks.backup.due import NotDue, due_night
from tasks.backup.night import PROCESS, shared
from tasks.installation import records
from tasks.process import run_process


@flow(name="daily-backup", flow_run_name="backups of a night", retries=0, persist_result=False)
def daily_backup(
    night: date | None = None,
    customer: Literal["vendor"] = "vendor",
    *,
    at_once: bool = False,
    share: bool = False,
) -> State[Any]:
    """Back up each customer's database and documents to two sites, and keep the agreed history.

    Clauses: S-2.4.2, S-2.4.3, S-2.4.4, S-2.4.6, S-2.4.7, S-3.1.9.
    Gates: none.
    Records: one case `daily_backup/vendor/<date>` a night, one case `backup/<customer>/<date>` per customer.
    Artifacts: backup-night, what became of each customer; backup-ages, how old the newest backup of each
        is that can be restored.

    Args:
        night: The night, by its date; empty: the one it is now. It is due from 02:00 to 03:00 in Amsterdam.
        customer: Whose case a night is; nothing to choose.
        at_once: Not to wait for the window.
        share: Help another worker with the customers of a night that is under way.
    """
    due = due_night(records(), night, at_once=at_once)
    if isinstance(due, NotDue):
        return Completed(name="NotDue", message=due.why)
    if share:
        return Completed(name="Shared", message=shared(records(), due.on))
    given = {"night": str(due.on)}
    return run_process(PROCESS, customer=customer, subject=str(due.on), parameters=given)
