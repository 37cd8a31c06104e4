"""The backup of one customer, by hand or where a worker died (S-2.4.2)."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - Prefect reads the annotations for its form
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form

from tasks.backup.due import night_of_backup
from tasks.backup.one_customer import PROCESS
from tasks.installation import records
from tasks.process import run_process


@flow(name="backup", flow_run_name="backup {customer}", retries=0, persist_result=False)
def backup(customer: str, night: date | None = None) -> State[Any]:
    """Back up one customer now, as its backup of this night.

    Clauses: S-2.4.2.
    Gates: none.
    Records: one case `backup/<customer>/<date>`, the same that the night's run works on.
    Artifacts: the state of the case.

    Args:
        customer: Short name of the customer, as in its agreement.
        night: The night of a backup that was begun, by its date; empty: the one it is now.
    """
    on = night_of_backup(records(), customer, night)
    return run_process(PROCESS, customer=customer, subject=str(on), parameters={"night": str(on)})
