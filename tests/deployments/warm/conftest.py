"""A project with flows, a client of the Prefect server, and warm workers started by Prefect's own command."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.harness.processes import running
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.prefect_server import PrefectServer

FLOWS = """
import os, signal, subprocess, sys, time
from pathlib import Path
from prefect import flow, task
from prefect.flow_runs import suspend_flow_run
from prefect.settings import get_current_settings

VERSION = "one"

def note(marks, *words):
    with Path(marks).open("a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

def crashed(flow, flow_run, state):
    note(flow_run.parameters["marks"], "hook", "crashed", os.getpid())

def cancelled(flow, flow_run, state):
    note(flow_run.parameters["marks"], "hook", "cancelled", os.getpid())

@flow
def waits(marks: str) -> None:
    note(marks, "entered", VERSION, time.monotonic())
    suspend_flow_run(timeout=None, key=str(len(Path(marks).read_text().splitlines())))

@flow(on_crashed=[crashed])
def dies(marks: str, how: int) -> None:
    note(marks, "entered", os.getpid())
    if how < 0:
        os.kill(os.getpid(), -how)
    os._exit(how)

@flow(on_cancellation=[cancelled])
def lasts(marks: str) -> None:
    child = subprocess.Popen(["sleep", "300"])
    note(marks, "entered", os.getpid(), child.pid, os.getppid())
    while not Path(marks + ".enough").exists():
        time.sleep(0.05)
    child.kill()
    note(marks, "left", os.getpid())

@flow
def clings(marks: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(marks, "entered", os.getpid())
    time.sleep(300)

@task
def tick() -> None:
    time.sleep(0.05)

@flow
def ticks(marks: str) -> None:
    note(marks, "entered", os.getpid())
    for _ in range(600):
        tick()

@flow
async def tells(marks: str) -> None:
    settings = get_current_settings()
    leads = os.getpgrp() == os.getpid()
    note(marks, "entered", os.getcwd(), os.environ.get("GIVEN"), settings.flows.default_retries, leads)

@flow
def fails(marks: str) -> None:
    raise ValueError("no such thing")
"""
RECORDER = """
import os
def record(flow_run_id, exit_code):
    with open(os.environ["EXITS"], "a") as file:
        file.write(f"{flow_run_id} {exit_code}\\n")
    raise RuntimeError("a hook that fails hurts nobody")
"""
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def is_alive(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - not a file to speak of
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass(frozen=True)
class Run:
    """A flow run, and the file that its flow writes to."""

    api: httpx.Client
    id: str
    marks: Path

    @property
    def state(self) -> dict[str, Any]:
        """The state it has now."""
        state: dict[str, Any] = self.facts["state"]
        return state

    @property
    def facts(self) -> dict[str, Any]:
        """All that the server says of it."""
        facts: dict[str, Any] = self.api.get(f"/flow_runs/{self.id}").raise_for_status().json()
        return facts

    def lines(self, word: str) -> list[list[str]]:
        """The words after `word` on each line that begins with it."""
        if not self.marks.exists():
            return []
        lines = [line.split() for line in self.marks.read_text().splitlines()]
        return [line[1:] for line in lines if line[0] == word]

    def reaches(self, *names: str, within_seconds: float = 30.0) -> dict[str, Any]:
        """Wait for a state of one of these names, and return it."""
        state: dict[str, Any] = wait_for(
            lambda: (state := self.state)["name"] in names and state, within_seconds
        )
        return state

    def enters(self, times: int = 1) -> list[str]:
        """Wait until the flow was entered this often; return the words of the last time."""
        return wait_for(lambda: len(lines := self.lines("entered")) >= times and lines)[-1]  # type: ignore[no-any-return]

    def set_state(self, **state: Any) -> None:
        """Force a state, as the UI's buttons do."""
        answer = self.api.post(f"/flow_runs/{self.id}/set_state", json={"state": state, "force": False})
        assert answer.raise_for_status().json()["status"] == "ACCEPT"

    def resume(self) -> None:
        """Resume it."""
        answer = self.api.post(f"/flow_runs/{self.id}/resume", json={})
        assert answer.raise_for_status().json()["status"] == "ACCEPT"


@dataclass(frozen=True)
class Pool:
    """A work pool of type warm and a project with flows."""

    api: httpx.Client
    name: str
    project: Path

    def start(
        self, flow: str, *, path: str | None = None, job: dict[str, Any] | None = None, **more: Any
    ) -> Run:
        """Deploy a flow of the project and start a run now."""
        flow_id = self.api.post("/flows/", json={"name": flow}).raise_for_status().json()["id"]
        deployment = {
            "name": f"{flow}-{next(_NUMBERS)}",
            "flow_id": flow_id,
            "work_pool_name": self.name,
            "path": path or str(self.project),
            "entrypoint": f"flows_of_test.py:{flow}",
            "job_variables": job or {},
        }
        identifier = self.api.post("/deployments/", json=deployment).raise_for_status().json()["id"]
        marks = self.project / f"{next(_NUMBERS)}.marks"
        body = {"parameters": {"marks": str(marks), **more}, "state": {"type": "SCHEDULED"}}
        answer = self.api.post(f"/deployments/{identifier}/create_flow_run", json=body)
        return Run(self.api, answer.raise_for_status().json()["id"], marks)


_NUMBERS = itertools.count(1)


def make_pool(api: httpx.Client, project: Path) -> Pool:
    """Write the project; the worker's own command makes the pool."""
    project.mkdir(exist_ok=True)
    (project / "flows_of_test.py").write_text(FLOWS)
    (project / "recorder_of_test.py").write_text(RECORDER)
    return Pool(api, f"{project.name}-{next(_NUMBERS)}", project)


@contextlib.contextmanager
def warm_worker(
    server: PrefectServer,
    pool: Pool,
    *options: str,
    said: str = "Listening to the events",
    stop: signal.Signals = signal.SIGTERM,
    within: tuple[str, ...] = (),
    **settings: str,
) -> Iterator[int]:
    """Run `prefect worker start --type warm` on a pool until its log says so; yield its pid.

    `within` are words before the command that change how it is started.
    """
    log = pool.project / f"worker-{next(_NUMBERS)}.log"
    start = ["-m", "prefect", "worker", "start", "--pool", pool.name, "--type", "warm"]
    command = [*within, sys.executable, *start]
    environment = server.environment | {
        "PYTHONPATH": str(pool.project),
        "EXITS": str(pool.project / "exits"),
        "NAKOMING_WARM_AFTER_EXIT": "recorder_of_test.record",
        # Polling this seldom explains no quick start.
        "PREFECT_WORKER_QUERY_SECONDS": "60",
        # Whoever asks the outside for a package does not get an answer.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "",
        **settings,
    }

    def is_ready() -> bool:
        return log.exists() and "started!" in log.read_text() and said in log.read_text()

    with running(command + list(options), log=log, answers=is_ready, env=environment, stop=stop) as worker:
        yield worker.pid


def forkservers(worker: int) -> list[int]:
    """The pids of a worker's forkservers."""
    with open(f"/proc/{worker}/task/{worker}/children") as file:  # noqa: PTH123 - not a file to speak of
        pids = [int(pid) for pid in file.read().split()]
    return [pid for pid in pids if "forkserver" in _command(pid)]


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:  # noqa: PTH123 - not a file to speak of
            return file.read()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def api(prefect_server: PrefectServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=prefect_server.api_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def pool(api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return make_pool(api, tmp_path_factory.mktemp("warm"))


@pytest.fixture(scope="module")
def worker(prefect_server: PrefectServer, pool: Pool) -> Iterator[int]:
    with warm_worker(prefect_server, pool) as pid:
        yield pid
