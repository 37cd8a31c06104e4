"""Backups restored every night, to prove that they can be (S-2.4.7)."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - Prefect reads the annotations for its form
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from pydantic import Field

from tasks.backup.drill import PROCESS
from tasks.backup.drill_due import drill_night
from tasks.installation import records
from tasks.process import run_process


@flow(name="restore-drill", flow_run_name="restores of a night", retries=0, persist_result=False)
def restore_drill(
    night: date | None = None,
    customer: Literal["vendor"] = "vendor",
    again: Annotated[int, Field(ge=0, le=99)] = 0,
) -> State[Any]:
    """Restore the newest off-site backup of each customer on a scratch, compare it, drop it.

    Clauses: S-2.1.3d, S-2.4.7.
    Gates: none.
    Records: one case `restore_drill/vendor/<date>` a night; each restore stands in the series of proofs.
    Artifacts: restore-drill, how each restore went, with RPO and RTO; backup-ages, how old the newest backup
        of each is that can be restored.

    Args:
        night: The night of a drill that was begun, by its date; empty: the one it is now.
        customer: Whose case a night is; nothing to choose.
        again: Once more in a night whose drill has ended, after something was mended: 1, then 2 and so on.
    """
    on = drill_night(records(), night)
    subject = f"{on}.{again}" if again else str(on)
    given = {"night": str(on), "again": again}
    return run_process(PROCESS, customer=customer, subject=subject, parameters=given)
