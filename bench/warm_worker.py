"""How long from the Resume of a suspended run to the first line of its flow?

A Prefect server (SQLite, in a temporary directory, on a free port of loopback) and a warm worker; the peer is
Prefect's process worker. All times are from the call of Resume; all processes read the same clock
(CLOCK_MONOTONIC).
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.figures import Figure, high, machine, median

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

FLOW = """
import time
from pathlib import Path
from prefect import flow
from prefect.flow_runs import suspend_flow_run

@flow
def waits(marks: str) -> None:
    entered = time.monotonic()
    path = Path(marks)
    with path.open("a") as file:
        file.write(f"{entered}\\n")
    suspend_flow_run(timeout=None, key=str(len(path.read_text().split())))
"""
STAGES = ("Resume answered", "event arrived", "claimed", "forked", "first line")
LIMIT_SECONDS = 60.0
PEER_RUNS = 3


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """Run a Prefect server, yield its API address, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    os.environ |= {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    # As the product does: with Prefect's own configuration of SQLite it can stand still meanwhile.
    command = [sys.executable, "-m", "deployments.embedded.prefect_server"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            deadline = time.monotonic() + LIMIT_SECONDS
            while not _answers(f"{api}/health"):
                assert time.monotonic() < deadline, "the Prefect server did not start"
                time.sleep(0.1)
            yield api
        finally:
            server.terminate()


def _answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=1).status == 200)  # noqa: S310 - loopback
    except OSError:
        return False


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.005)


async def resumes(
    client: Any, pool: str, project: Path, runs: int, stamps: dict[str, float]
) -> list[list[float]]:
    """Resume one run again and again; return the milliseconds of each stage for each time."""
    from prefect.client.schemas.responses import SetStateStatus

    marks = project / f"{pool}.marks"
    marks.touch()
    flow_id = await client.create_flow_from_name("waits")
    deployment = await client.create_deployment(
        flow_id, pool, work_pool_name=pool, path=str(project), entrypoint="waits_flow.py:waits"
    )
    run = await client.create_flow_run_from_deployment(deployment, parameters={"marks": str(marks)})

    async def is_suspended() -> bool:
        return bool((await client.read_flow_run(run.id)).state_name == "Suspended")

    times = []
    for _ in range(runs):
        await until(is_suspended)
        # A person's decision does not come within milliseconds of the question.
        await asyncio.sleep(0.5)
        count = len(marks.read_text().split())
        stamps.clear()
        begun = time.monotonic()
        answer = await client.resume_flow_run(run.id)
        assert answer.status == SetStateStatus.ACCEPT, answer.details
        stamps["Resume answered"] = time.monotonic()

        async def has_line(count: int = count) -> bool:
            return len(marks.read_text().split()) > count

        await until(has_line)
        stamps["first line"] = float(marks.read_text().split()[-1])
        times.append([(stamps.get(stage, float("nan")) - begun) * 1000 for stage in STAGES])
    return times


async def warm(project: Path, runs: int) -> list[list[float]]:
    """Measure the warm worker."""
    from prefect.client.orchestration import get_client

    from deployments.warm.worker import WarmWorker

    stamps: dict[str, float] = {}

    class TimedWorker(WarmWorker):
        def _take_due(self) -> None:
            stamps.setdefault("event arrived", time.monotonic())
            super()._take_due()

        async def _propose_pending_state(self, flow_run: Any) -> bool:
            answer = await super()._propose_pending_state(flow_run)
            stamps["claimed"] = time.monotonic()
            return answer

        async def _note_start(self, *args: Any) -> None:
            stamps["forked"] = time.monotonic()
            await super()._note_start(*args)

    async with get_client() as client:
        worker = asyncio.create_task(TimedWorker("bench-warm", name="bench").start(printer=lambda *_: None))

        async def pool_exists() -> bool:
            return any(pool.name == "bench-warm" for pool in await client.read_work_pools())

        await until(pool_exists)
        try:
            # The first times preload the flow and fill caches.
            return (await resumes(client, "bench-warm", project, runs + 3, stamps))[3:]
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def process(project: Path, runs: int) -> list[list[float]]:
    """Measure Prefect's process worker with its defaults."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "bench-process"]
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="bench-process", type="process"))
        worker = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
        try:
            return await resumes(client, "bench-process", project, runs, {})
        finally:
            worker.terminate()
            await worker.wait()


def run(count: int = 50, *, peers: bool = True) -> list[Figure]:
    """Resume a run `count` times, and `PEER_RUNS` times on the peer."""
    at_start = machine()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home, project = Path(folder, "home"), Path(folder, "project")
        home.mkdir()
        project.mkdir()
        (project / "waits_flow.py").write_text(FLOW)
        with prefect_server(home):
            ours = asyncio.run(warm(project, count))
            theirs = asyncio.run(process(project, PEER_RUNS)) if peers else []
    return [figure for stage in STAGES for figure in _figures(stage, ours, theirs, at_start)]


def _figures(
    stage: str, ours: list[list[float]], theirs: list[list[float]], at_start: dict[str, Any]
) -> Iterator[Figure]:
    """Median and 95 % of a stage; the peer has only some stages."""
    at = STAGES.index(stage)
    mine = [row[at] for row in ours]
    peer = [row[at] for row in theirs if not math.isnan(row[at])]
    for what, of in (("median", median), ("95 %", high)):
        yield Figure(
            name=f"warm-worker/{stage}, {what}",
            value=of(mine),
            unit="ms",
            peer=f"Prefect's process worker, {what} of {len(peer)}" if peer else None,
            peer_value=of(peer) if peer else None,
            machine=at_start,
        )
