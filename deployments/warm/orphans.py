"""Runs that a killed worker left: to Prefect they are pending or running, and nobody works on them.

A warm worker's children die with it. So before a worker's first claim, while no other worker serves its pool,
every such run of the pool is without a process. The reconciler sees them too, but cannot see who claimed them
and waits for a minute; here it is known at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType, WorkerStatus
from prefect.states import Cancelled, Crashed

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

_CLAIMED: Final = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_GONE: Final = "The worker of this run was killed, and its process with it."


async def bury_orphans(client: PrefectClient, pool: str, name: str) -> list[UUID]:
    """End the runs of a pool whose processes died with a worker; nothing while another one serves the pool.

    Args:
        client: of the worker.
        pool: its work pool.
        name: of the worker, which has claimed nothing yet.

    Returns:
        The runs that are Crashed now, or Cancelled where that was under way: their slots are free.
    """
    workers = await client.read_workers_for_work_pool(pool)
    if any(worker.status == WorkerStatus.ONLINE and worker.name != name for worker in workers):
        return []
    orphans = await client.read_flow_runs(
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_CLAIMED))),
    )
    for run in orphans:
        end = Cancelled if run.state_type == StateType.CANCELLING else Crashed
        await client.set_flow_run_state(run.id, end(message=_GONE), force=True)
    return [run.id for run in orphans]
