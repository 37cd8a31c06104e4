"""Does it matter how many cases wait?

The same wake-up (POST to intent, as in `gate-wake`) while ten cases wait and while 10,000 do, 1,000 of them
in Prefect too, as suspended runs; and the reconciler's pass over the 10,000.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.figures import Figure, high, machine, median

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from bench.rig import Rig

FEW, MANY = 10, 10_000
IN_PREFECT = 1000
_WARM_UP = 2
_PASSES = 5
_AT_ONCE = 4


def run(
    count: int = 50, *, peers: bool = True, many: int = MANY, in_prefect: int = IN_PREFECT
) -> list[Figure]:
    """Wake `count` cases among few and among many."""
    del peers
    from bench.rig import running_system

    at_start = machine()
    with running_system() as rig:
        few, crowd, passes = asyncio.run(_measure(rig, count, many, in_prefect))
    return [
        Figure(
            name=f"waiting-cases/wake one of {many}",
            value=median(crowd),
            unit="s",
            peer=f"one of {FEW}",
            peer_value=median(few),
            limit=1.5,
            judged="ratio",
            machine=at_start,
        ),
        Figure(
            name=f"waiting-cases/reconciler's pass at {many}",
            value=high(passes),
            unit="s",
            limit=2.0,
            machine=at_start,
        ),
    ]


async def _measure(
    rig: Rig, count: int, many: int, in_prefect: int
) -> tuple[list[float], list[float], list[float]]:
    from prefect.client.orchestration import get_client

    from bench import cases, waking

    async with get_client() as client:
        warm = await cases.deployment_in(client, "warm")
        await waking.wakes(rig, client, warm, [f"first-{number}" for number in range(_WARM_UP)])
        cases.prepare(rig.records, FEW, "few")
        few = await waking.wakes(rig, client, warm, [f"few-woken-{number}" for number in range(count)])
        run_ids = await _suspended(client, warm, in_prefect)
        cases.prepare(rig.records, many - FEW, "many", run_ids)
        crowd = await waking.wakes(rig, client, warm, [f"many-woken-{number}" for number in range(count)])
        passes = await _passes(rig)
    return [each["intent"] for each in few], [each["intent"] for each in crowd], passes


async def _suspended(client: PrefectClient, deployment: Any, count: int) -> list[str]:
    """Runs that are suspended, as those of waiting cases are."""
    from prefect.states import Suspended

    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> str:
        async with slots:
            given = {"customer": "brouwer", "subject": f"many-{number}"}
            state = Suspended(timeout_seconds=None, pause_key=f"bench-{number}")
            run = await client.create_flow_run_from_deployment(deployment, parameters=given, state=state)
            return str(run.id)

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def _passes(rig: Rig) -> list[float]:
    """Passes of a reconciler of this process, beside the system's own."""
    from tasks.waking.reconciler import Reconciler
    from tasks.waking.runs import Runs

    async with Runs() as runs:
        reconciler = Reconciler(rig.records, runs)
        return [(await reconciler.once()).seconds for _ in range(_PASSES)]
