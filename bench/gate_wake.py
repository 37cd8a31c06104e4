"""How soon does a case go on after a decision?

A whole system as `nakoming up` starts it, with postman and reconciler at work; 1,000 other cases wait. Each
measured case has 30 finished steps and a suspended run. Peer: the same with Prefect's own process worker.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.figures import Figure, high, machine, median

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.rig import Rig

OTHERS = 1000
_WARM_UP = 3
_PEER_RUNS = 3
AIRFLOW = 2.4
"""Seconds that Apache Airflow 3.3 needed for the same on a machine of this kind; not measured again."""


def run(count: int = 50, *, peers: bool = True) -> list[Figure]:
    """Wake `count` cases; the peer takes half a minute for each of three."""
    from bench.rig import running_system

    at_start = machine()
    with running_system() as rig:
        ours, theirs = asyncio.run(_measure(rig, count, peers=peers))
    return figures(ours, theirs, at_start)


def figures(
    ours: list[dict[str, float]], theirs: list[dict[str, float]], at_start: dict[str, object]
) -> list[Figure]:
    """The whole, its 95 %, and where the time goes."""
    whole = [each["intent"] for each in ours]
    peer = median([each["intent"] for each in theirs]) if theirs else None
    by_process = f"Prefect's process worker, median of {len(theirs)}" if theirs else None
    found = [
        Figure(
            name="gate-wake/median",
            value=median(whole),
            unit="s",
            peer=by_process,
            peer_value=peer,
            limit=0.5,
            machine=at_start,
        ),
        Figure(
            name="gate-wake/95 %",
            value=high(whole),
            unit="s",
            peer="Airflow 3.3, known",
            peer_value=AIRFLOW,
            limit=1.0,
            machine=at_start,
        ),
    ]
    stages = [stage for stage in ours[0] if all(stage in each for each in ours)]
    return found + [
        Figure(
            name=f"gate-wake/until {stage}",
            value=median([each[stage] for each in ours]),
            unit="s",
            machine=at_start,
        )
        for stage in stages
    ]


async def _measure(
    rig: Rig, count: int, *, peers: bool
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    from prefect.client.orchestration import get_client

    from bench import cases, waking

    cases.prepare(rig.records, OTHERS, "other")
    async with get_client() as client:
        warm = await cases.deployment_in(client, "warm")
        await waking.wakes(rig, client, warm, [f"first-{number}" for number in range(_WARM_UP)])
        ours = await waking.wakes(rig, client, warm, [f"warm-{number}" for number in range(count)])
        if not peers:
            return ours, []
        standard = await cases.deployment_in(client, "process")
        with _process_worker(rig):
            subjects = [f"process-{number}" for number in range(min(_PEER_RUNS, count))]
            theirs = await waking.wakes(rig, client, standard, subjects)
    return ours, theirs


@contextmanager
def _process_worker(rig: Rig) -> Iterator[None]:
    """Prefect's process worker with Prefect's defaults."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "process"]
    with (
        (rig.folder / "process.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as worker,
    ):
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(30)
