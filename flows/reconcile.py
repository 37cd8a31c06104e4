"""A pass of the reconciler by hand, for an operator who does not want to wait for the next one."""

from __future__ import annotations

from prefect import flow

from tasks.waking.by_hand import reconcile_now


@flow(name="reconcile", flow_run_name="reconcile by hand", retries=0, persist_result=False)
async def reconcile() -> str:
    """Wake what is due and was missed, take up cases whose worker died, free the slots of dead runs.

    Clauses: none of its own; it serves every process.
    Gates: none. Records: whatever is due. Artifacts: reconcile, what was done.
    """
    return await reconcile_now()
