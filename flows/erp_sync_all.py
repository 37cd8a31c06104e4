"""The exchange with the ERPs of all customers, for a vendor with more of them than schedules are good for."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from prefect.task_runners import ThreadPoolTaskRunner

from flows.erp_sync import PROCESS, Mode
from tasks.erp import dispatch


@flow(
    name="erp-sync-all",
    flow_run_name="erp {mode} of all customers",
    retries=0,
    persist_result=False,
    task_runner=ThreadPoolTaskRunner(max_workers=dispatch.AT_ONCE),  # type: ignore[arg-type]  # Prefect's own
)
def erp_sync_all(mode: Mode = "incremental") -> State[Any]:
    """Exchange transactions with the ERP of each customer for whom it is due.

    Clauses: S-4.2.1.
    Gates: none.
    Records: one case `erp_sync/<customer>/<occasion>` per customer; one that fails stops no other.
    Artifacts: the state of each case; erp-<customer> and erp-all, what was exchanged.

    Args:
        mode: What changed since the last time, everything, or a comparison of both sides.
    """
    return dispatch.through(PROCESS, mode)
