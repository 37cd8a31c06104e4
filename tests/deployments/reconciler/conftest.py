"""An installation with a tiny process, a pool of warm workers that run it, and a real Prefect server."""

from __future__ import annotations

import itertools
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nakoming.records import answers, case_runs, cases, clock, gates, migrate
from nakoming.records.engine import writing
from nakoming.records.gate_model import GateState, Given
from nakoming.records.store import Records
from tests.deployments.warm.conftest import Pool, Run, warm_worker
from tests.harness.installation import load_agreements
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from nakoming.records.cases import Case, Lease
    from nakoming.records.gate_model import Gate
    from tests.harness.prefect_server import PrefectServer

FLOWS = """
import os, time
from pathlib import Path

from prefect import flow

from nakoming.agreement.gate_rules import GateRule, Kind, Seat
from nakoming.records.gate_model import Contact, GateSpec, Question
from tasks import artifacts
from tasks.process import Process, run_process

ANNA = Contact(person="brouwer:anna", name="Anna", email="a@brouwer.example", language="nl", role="approver")

def asked(tx):
    rule = GateRule(kind=Kind.APPROVAL, seats=(Seat(role="approver", persons=(ANNA.person,)),))
    question = Question(texts={"nl": {"title": "Well?"}})
    return GateSpec(name="approval", rule=rule, question=question, contacts=(ANNA,))

def note(marks, *words):
    with Path(marks).open("a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

def until(path):
    while not Path(path).exists():
        time.sleep(0.01)

def walk(case):
    given = case.case.parameters
    note(given["marks"], "entered", os.getpid(), os.getppid())
    if given["how"] == "works":
        case.record("begun", lambda tx: note(given["marks"], "begun"))
        note(given["marks"], "working")
        until(given["marks"] + ".enough")
    if given["how"] == "lingers":
        # Between the commit that says "waits" and the instant it is Suspended: as long as the test wants.
        def publish(records, case_id):
            note(given["marks"], "window")
            until(given["marks"] + ".enough")
        artifacts.publish = publish
    if given["how"] == "fails":
        raise ValueError("no such thing")
    case.ask("approval", asked)
    outcome = case.answer("approval")
    case.record("after", lambda tx: note(given["marks"], "after", time.monotonic()))
    return outcome.verb or "silence"

PROCESS = Process(kind="tiny", revision=1, walk=walk)

@flow(name="tiny", retries=0, persist_result=False)
def tiny(customer: str, reference: str, marks: str, how: str = "asks"):
    given = {"reference": reference, "marks": marks, "how": how}
    return run_process(PROCESS, customer=customer, subject=reference, parameters=given)
"""
_NUMBERS = itertools.count(1)


@dataclass
class House:
    """An installation: records, Prefect, a pool with one process. `environment` is that of its workers."""

    records: Records
    server: PrefectServer
    api: httpx.Client
    pool: Pool
    environment: dict[str, str]

    def deploy(self, flow: str = "tiny", **more: Any) -> str:
        """Deploy the process, found by its kind; the deployment's id."""
        flow_id = self.api.post("/flows/", json={"name": flow}).raise_for_status().json()["id"]
        body = {
            "name": f"{flow}-{next(_NUMBERS)}",
            "flow_id": flow_id,
            "work_pool_name": self.pool.name,
            "path": str(self.pool.project),
            "entrypoint": f"{self.pool.project.name.replace('-', '_')}.py:{flow}",
        }
        answer = self.api.post("/deployments/", json=body | more)
        return str(answer.raise_for_status().json()["id"])

    def start(self, deployment: str, how: str = "asks", reference: str | None = None) -> Run:
        """Start the process as an operator does."""
        reference = reference or f"T-{next(_NUMBERS)}"
        marks = self.pool.project / f"{reference}.marks"
        body = {
            "parameters": {"customer": "brouwer", "reference": reference, "marks": str(marks), "how": how},
            "state": {"type": "SCHEDULED"},
        }
        answer = self.api.post(f"/deployments/{deployment}/create_flow_run", json=body)
        return Run(self.api, answer.raise_for_status().json()["id"], marks)

    def case_of(self, run: Run) -> Case:
        """The case of a run, once there is one."""

        def look() -> Case | None:
            with self.records.read() as tx:
                return cases.find(tx, "tiny", "brouwer", run.marks.stem)

        found: Case = wait_for(look)
        return found

    def runs_of(self, case: Case) -> int:
        """How many runs worked on a case."""
        with self.records.read() as tx:
            return case_runs.count(tx, case.id)

    def newest(self, case: Case, marks: Path) -> Run:
        """The run that worked on a case last."""
        with self.records.read() as tx:
            newest = case_runs.newest(tx, case.id)
        assert newest is not None
        return Run(self.api, newest, marks)

    def reaches(self, run: Run, state: cases.State, within_seconds: float = 30.0) -> Case:
        """Wait until the case of a run is in a state."""
        found: Case = wait_for(lambda: (case := self.case_of(run)).state == state and case, within_seconds)
        return found

    def answer(self, case: Case, verb: str = "approve") -> None:
        """The customer answers."""
        gate = self.gate(case)
        with self.records.write() as tx:
            given = Given(person="brouwer:anna", verb=verb, shown_digest=gate.shown_digest)
            answers.give(tx, gate.id, given)

    def gate(self, case: Case) -> Gate:
        """The question of a case."""
        with self.records.read() as tx:
            return gates.find(tx, case.id, "approval")

    def is_open(self, case: Case) -> bool:
        """Whether the question is open."""
        return self.gate(case).state == GateState.OPEN

    def waiting_case(self, run_id: str | None = None, deployment: str | None = None) -> Case:
        """A case of the records alone that waits for nothing that ever happens."""
        lease = self.held_case(run_id, deployment)
        with self.records.write() as tx:
            cases.wait(tx, lease, [])
            return cases.get(tx, lease.case_id)

    def held_case(self, run_id: str | None = None, deployment: str | None = None) -> Lease:
        """A case of the records alone that a holder on another host works on."""
        reference = f"R-{next(_NUMBERS)}"
        with self.records.write() as tx:
            opened = cases.open_case(
                tx,
                "tiny",
                "brouwer",
                reference,
                agreement_version=1,
                flow_revision=1,
                parameters={"reference": reference, "marks": "none", "how": "asks"},
            )
            if run_id is not None:
                case_runs.note(tx, opened.case.id, run_id, deployment)
            return cases.acquire(tx, opened.case.id, "another-host/boot/1/1")

    def wake(self, case: Case) -> None:
        """The case wants to run from now on."""
        with self.records.write() as tx:
            cases.wake(tx, case.id)

    def move(self, by: timedelta) -> None:
        """Let time pass in the records."""
        with self.records.engine.connect() as connection, writing(connection).begin():
            clock.move(connection, by)

    def set_state(self, run_id: str, **state: Any) -> None:
        """Force a state, whatever the rules say."""
        body = {"state": state, "force": True}
        self.api.post(f"/flow_runs/{run_id}/set_state", json=body).raise_for_status()

    def cancel(self, run: Run) -> None:
        """Press Cancel in the UI."""
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        self.api.post(f"/flow_runs/{run.id}/set_state", json=body).raise_for_status()

    def run_of_nobody(self, deployment: str, **state: Any) -> Run:
        """A run in a state, that no worker knows of."""
        run = Run(self.api, self._created(deployment), self.pool.project / "nobody")
        self.set_state(run.id, **state)
        return run

    def _created(self, deployment: str) -> str:
        body = {"parameters": {"customer": "x", "reference": "x", "marks": "x"}, "state": {"type": "PENDING"}}
        answer = self.api.post(f"/deployments/{deployment}/create_flow_run", json=body)
        return str(answer.raise_for_status().json()["id"])


def say(figure: str) -> None:
    """Print what was measured; seen with `-s` or `-rP`."""
    print(f"\n{figure}")  # noqa: T201 - a figure is for the person who runs the test


@contextmanager
def house_at(server: PrefectServer) -> Iterator[House]:
    """A house of its own at a Prefect server; in memory, for a commit waits for its disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own is made there
    with tempfile.TemporaryDirectory(prefix="nakoming-test-", dir=memory) as name:
        home = Path(name)
        url = f"sqlite:///{home / 'records.sqlite'}"
        records = Records(url, keys=home / "keys", documents=home / "documents", pooled=True)
        migrate.upgrade(records)
        load_agreements(records)
        project = home / f"house{next(_NUMBERS)}"
        project.mkdir()
        (project / f"{project.name}.py").write_text(FLOWS)
        with httpx.Client(base_url=server.api_url, timeout=30, trust_env=False) as api:
            pool = Pool(api, project.name, project)
            yield House(
                records,
                server,
                api,
                pool,
                {
                    "NAKOMING_HOME": str(home),
                    "NAKOMING_WARM_AFTER_EXIT": "deployments.after_exit.look_again",
                },
            )
        records.engine.dispose()


@pytest.fixture(scope="module")
def house(prefect_server: PrefectServer) -> Iterator[House]:
    with house_at(prefect_server) as found:
        yield found


@pytest.fixture(scope="module")
def worker(house: House) -> Iterator[int]:
    with warm_worker(house.server, house.pool, **house.environment) as pid:
        yield pid


@pytest.fixture(scope="module")
def deployment(house: House, worker: int) -> Iterator[str]:
    del worker  # its command makes the pool
    made = house.deploy(tags=["process:tiny"])
    yield made
    house.api.delete(f"/deployments/{made}").raise_for_status()
