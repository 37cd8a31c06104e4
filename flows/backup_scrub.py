"""All backups read in full at both sites, every month (S-2.4.6, S-2.4.7)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from pydantic import Field

from tasks.backup.scrub import PROCESS, month_of
from tasks.installation import records
from tasks.process import run_process


@flow(name="backup-scrub", flow_run_name="reading of all backups", retries=0, persist_result=False)
def backup_scrub(
    subject: Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}(\.[0-9]{1,2})?)?$")] = "",
    customer: Literal["vendor"] = "vendor",
) -> State[Any]:
    """Read every kept backup at both sites in full, repair damaged copies, list files that no backup owns.

    Clauses: S-2.4.6, S-2.4.7.
    Gates: none.
    Records: one case `backup_scrub/vendor/<year-month>`; what was found stands in the series of proofs.
    Artifacts: backup-scrub, what was found of each backup at each site.

    Args:
        subject: The month, as 2026-11; empty: this one. With `.1` behind it, once more in the same month.
        customer: Whose case it is; nothing to choose.
    """
    month = subject or month_of(records())
    return run_process(PROCESS, customer=customer, subject=month, parameters={"subject": month})
