"""What does a step cost over a plain Prefect task?

Both in the same flow run against a real Prefect server, turn by turn. The step's records are SQLite with
`synchronous=FULL` (two durable commits a step: intent and outcome); task and step do nothing else.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun

COUNTS = (100, 1000)
_CUSTOMER = "brouwer"


def run(count: int | None = None, *, peers: bool = True) -> list[Figure]:
    """Make steps and tasks: 100 and 1,000 of each, or `count`; without the peer there is no ratio to tell."""
    del peers
    # Heavy, and read their settings at import: this process is the benchmark's own.
    from tests.harness.prefect_server import prefect_server_in

    at_start = machine()
    with (
        TemporaryDirectory(prefix="bench-") as name,
        prefect_server_in(Path(name)) as server,
        server.settings(),
    ):
        counts = [count] if count else COUNTS
        return [figure for each in counts for figure in _figures(Path(name), each, at_start)]


def _figures(folder: Path, count: int, at_start: dict[str, object]) -> list[Figure]:
    from prefect import flow
    from prefect.logging.handlers import APILogWorker

    records = _records(folder / f"records-{count}")
    measured: list[tuple[float, float]] = []

    @flow(name="bench-steps", persist_result=False)
    def compares() -> None:
        case = _case(records)
        measured.extend(_in_turns(partial(_step, case), _task, count))

    compares()
    APILogWorker.drain_all(timeout=10)  # before its server ends
    steps, tasks = zip(*measured, strict=True)
    common = {"unit": "ms", "peer": "plain Prefect task", "machine": at_start}
    return [
        Figure(
            name=f"step-overhead/{count} steps, median",
            value=median(steps) * 1000,
            peer_value=median(tasks) * 1000,
            limit=1.5,
            judged="ratio",
            **common,
        ),
        Figure(
            name=f"step-overhead/{count} steps, mean",
            value=sum(steps) / count * 1000,
            peer_value=sum(tasks) / count * 1000,
            **common,
        ),
    ]


def _in_turns(
    step: Callable[[int], None], task: Callable[[int], None], count: int
) -> list[tuple[float, float]]:
    """The seconds of a step and of a task, turn by turn: what else the machine does meets both alike."""
    for work in (step, task):
        work(-1)  # the first of each connects
    return [(_seconds(step, number), _seconds(task, number)) for number in range(count)]


def _seconds(work: Callable[[int], None], number: int) -> float:
    begun = time.monotonic()
    work(number)
    return time.monotonic() - begun


def _task(number: int) -> None:
    from bench.trivial import plain

    plain(number)


def _step(case: CaseRun, number: int) -> None:
    from bench.trivial import trivial

    case.do(f"bench/{number}/step", trivial, number=number)


def _records(folder: Path) -> Records:
    from nakoming.records import migrate
    from nakoming.records.store import Records
    from tests.harness.installation import load_agreements

    folder.mkdir()
    url = f"sqlite:///{folder / 'records.sqlite'}"
    records = Records(url, keys=folder / "keys", documents=folder / "documents", pooled=True)
    migrate.upgrade(records)
    load_agreements(records)
    return records


def _case(records: Records) -> CaseRun:
    from nakoming.records import agreements, cases
    from nakoming.records.owners import this_process
    from tasks.case_run import CaseRun

    with records.write() as tx:
        version = agreements.newest_version(tx, _CUSTOMER)
        given = {"agreement_version": version, "flow_revision": 1, "parameters": {}}
        opened = cases.open_case(tx, "bench", _CUSTOMER, "steps", **given)
        return CaseRun(records, cases.acquire(tx, opened.case.id, this_process()), opened.case)
