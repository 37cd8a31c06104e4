"""A play of the RFC street through every branch that matters, by processes that may be killed anywhere."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.build_command import BuildCommand
from blocks.deploy_script import DeployScript
from nakoming.records import answers, cases, clock, documents, gates
from nakoming.records.gate_model import GateState, Given
from tests.faults import children
from tests.faults.cutting import Journal
from tests.faults.revisions import BREAKS_PRODUCTION, GREEN, LAST, OVERTAKEN, RED, connect
from tests.harness.vendor import break_production

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.records.cases import Case
    from nakoming.records.gate_model import Gate
    from nakoming.records.store import Records
    from tests.faults.children import Order

CUSTOMER = "brouwer"
PARAMETERS: dict[str, Any] = {
    "kind": "rfc",
    "reference": "2026-014",
    "title": "Spoedcode op orders",
    "requester": "iemand@elders.example",
    "description": "Wij willen spoedorders herkennen.",
    "documents": [],
    "build_command": "suite",
    "test_command": "suite",
}
BEGINNING = datetime(2027, 1, 11, 9, tzinfo=UTC)  # a Monday, far from every change of the clocks
LATE = timedelta(days=20)  # past the analyst's ten working days, with all reminders and the ladder
PLANNED_AFTER = timedelta(days=3)
PATIENCE_SECONDS = 240.0
_MOST_ROUNDS = 200

# Forked from a process that has imported everything and opened nothing.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.children", "prefect.artifacts", "alembic.command"])


@dataclass(frozen=True)
class Act:
    """An answer to a question; `before` is done first (the production script breaks, time passes)."""

    verb: str
    remark: str = ""
    option: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    papers: tuple[str, ...] = ()
    before: Callable[[StreetPlay], None] | None = None


Script = dict[str, Act]


@dataclass
class StreetPlay:
    """One play: its installation, its vendor, its mail server, and the processes that work on it."""

    records: Records
    root: Path
    order: Order
    script: Script
    until_gate: str | None = None  # the play ends when this is asked; else when the case has ended
    rounds: int = 0

    @property
    def journal(self) -> Journal:
        """Where the processes write what they passed and where they were cut."""
        return Journal(self.order.journal)

    def run(self) -> None:
        """Play from the beginning to the end, however often the processes are killed on the way."""
        with self.records.write() as tx:
            clock.set_to(tx.connection, BEGINNING)
        while self.rounds < _MOST_ROUNDS:
            self.rounds += 1
            self.go("flow")
            self.go("postman")
            if self._is_over():
                return
            if not self._answer():
                self._let_the_instant_come()
            self.go("postman")
        msg = f"the play does not come to an end: {self.case}"
        raise AssertionError(msg)

    def go(self, name: str) -> None:
        """Start a process until it ends by itself; prove of each that was killed that it was, and where."""
        while True:
            child = _FORKS.Process(target=children.run, args=(name, self.order), name=name)
            child.start()
            child.join(PATIENCE_SECONDS)
            if child.exitcode == 0:
                return
            if child.exitcode is None:
                child.kill()
            self._prove_cut(name, child.pid, child.exitcode)

    def _prove_cut(self, name: str, pid: int | None, status: int | None) -> None:
        lines = [line for line in self.journal.lines() if line["pid"] == pid]
        last = lines[-1] if lines else None
        if status != -signal.SIGKILL or last is None or last["event"] != "cut":
            said = self.order.said.read_text(encoding="utf-8", errors="replace")[-4000:]
            msg = f"{name} (process {pid}) ended with {status} where nothing was cut, after {last}:\n{said}"
            raise AssertionError(msg)
        self.journal.note_death(name, pid, status)

    @property
    def case(self) -> Case:
        """The case as it stands."""
        with self.records.read() as tx:
            found = cases.find(tx, "rfc", CUSTOMER, str(PARAMETERS["reference"]))
        assert found is not None
        return found

    def open_gates(self) -> list[Gate]:
        """What is asked now."""
        with self.records.read() as tx:
            return [gate for gate in gates.of_case(tx, self.case.id) if gate.state == GateState.OPEN]

    def _is_over(self) -> bool:
        case = self.case
        if self.until_gate is not None:
            return any(gate.name == self.until_gate for gate in self.open_gates())
        return case.state == cases.State.CLOSED

    def _answer(self) -> bool:
        """Answer what is open; whether anything was."""
        asked = self.open_gates()
        for gate in asked:
            act = self.script[gate.name]
            if act.before is not None:
                act.before(self)
            self._give(gate, act)
        return bool(asked)

    def _give(self, gate: Gate, act: Act) -> None:
        stem = gate.name.replace("/", "-")
        papers = [
            documents.add(self.records, CUSTOMER, f"{stem}-{number}.md", text.encode(), by="test").id
            for number, text in enumerate(act.papers)
        ]
        with self.records.write() as tx:
            facts = dict(act.facts)
            if "planned_on" in facts:
                facts["planned_on"] = (tx.now + PLANNED_AFTER).date().isoformat()
            given = Given(
                person=gate.rule.seats[0].persons[0],
                verb=act.verb,
                shown_digest=gate.shown_digest,
                option=act.option,
                remark=act.remark,
                facts=facts,
                documents=tuple(papers),
            )
            answers.give(tx, gate.id, given)

    def _let_the_instant_come(self) -> None:
        """Nobody is asked anything: the case waits for an instant, which comes now."""
        instants = [wait["until"] for wait in self.case.waits_for or [] if wait.get("until")]
        assert instants, f"{self.case} waits for nobody and nothing"
        with self.records.write() as tx:
            clock.set_to(tx.connection, datetime.fromisoformat(min(instants)) + timedelta(seconds=1))
        self.go("reconciler")

    def pass_time(self, by: timedelta) -> None:
        """Let time pass, and act on all that is due then."""
        with self.records.write() as tx:
            clock.move(tx.connection, by)
        self.go("reconciler")
        self.go("postman")


# The service is down, so that whoever asks after a kill finds what the script would have said: it failed.
_LEAVES_IT_DOWN = """
import subprocess, sys
action, *words = sys.argv[1:]
ended = subprocess.run([sys.executable, "-m", "demo.deploy", action, *words], check=False)
if action == "install":
    named = [word for word in words if word.startswith(("--customer", "--environment", "--root"))]
    subprocess.run([sys.executable, "-m", "demo.deploy", "stop", *named], check=True, stdout=2)
    sys.exit(3)
sys.exit(ended.returncode)
"""


def nobody_answers(play: StreetPlay) -> None:
    """The analyst is late: reminders, escalation, an own target missed."""
    play.pass_time(LATE)


def production_breaks(play: StreetPlay) -> None:
    """From now on production's script leaves a service that does not run, and says that it failed."""
    break_production(play.root, CUSTOMER, script=_LEAVES_IT_DOWN)


def production_is_mended(play: StreetPlay) -> None:
    """The script is as it was."""
    connect(play.root, CUSTOMER)


def production_is_overtaken(play: StreetPlay) -> None:
    """Somebody else's version comes to stand on production, on which this one was not built."""
    del play
    with tempfile.TemporaryDirectory() as folder:
        other = BuildCommand.load("suite").build(GREEN, out=Path(folder))
        script = DeployScript.load(f"{CUSTOMER}-production")
        script.install(other.artefact, sha256=other.sha256, customer=CUSTOMER, environment="production")


YES = Act("approve")
EVERY_BRANCH: Script = {
    "intake/confirmation": YES,
    "judgement/choice": Act("choose", "Alleen Brouwer werkt zo.", option="specific", before=nobody_answers),
    "quote/delivery": Act("deliver", facts={"amount": "1250.00"}),
    "quote/approval": YES,
    "planning/1/proposal": Act("deliver", facts={"planned_on": ""}),
    "planning/1/approval": Act("request_changes", "Die dag kan niet."),
    "planning/2/proposal": Act("deliver", facts={"planned_on": ""}),
    "planning/2/approval": YES,
    "requirement-analysis/1/delivery": Act("deliver", papers=("analyse",)),
    "requirement-analysis/1/approval": YES,
    "functional-specification/1/delivery": Act("deliver", papers=("specificatie 1",)),
    "functional-specification/1/approval": Act("request_changes", "De kleur ontbreekt."),
    "functional-specification/2/delivery": Act("deliver", papers=("specificatie 2",)),
    "functional-specification/2/approval": YES,
    "build/1/revision": Act("deliver", facts={"revision": RED}),
    "build/2/revision": Act("deliver", facts={"revision": GREEN}),
    "acceptance/2/approval": Act("request_changes", "De kleur klopt niet."),
    "build/3/revision": Act("deliver", facts={"revision": BREAKS_PRODUCTION}),
    "acceptance/3/approval": Act("approve", before=production_breaks),  # installed, failed, rolled back
    "build/4/revision": Act("deliver", facts={"revision": OVERTAKEN}, before=production_is_mended),
    "acceptance/4/approval": Act("approve", before=production_is_overtaken),  # not installed
    "build/5/revision": Act("deliver", facts={"revision": LAST}),
    "acceptance/5/approval": YES,
    "closing/delivery": Act(
        "deliver", papers=("handleiding",), facts={"description": "Spoedcode op orders."}
    ),
}
"""From a stranger's request to production, by every way back there is."""

STRAIGHT_TO_A_FAILURE: Script = {
    "intake/confirmation": YES,
    "judgement/choice": Act("choose", "Alleen Brouwer werkt zo.", option="specific"),
    "quote/delivery": Act("deliver", facts={"amount": "1250.00"}),
    "quote/approval": YES,
    "planning/1/proposal": Act("deliver", facts={"planned_on": ""}),
    "planning/1/approval": YES,
    "requirement-analysis/1/delivery": Act("deliver", papers=("analyse",)),
    "requirement-analysis/1/approval": YES,
    "functional-specification/1/delivery": Act("deliver", papers=("specificatie",)),
    "functional-specification/1/approval": YES,
    "build/1/revision": Act("deliver", facts={"revision": GREEN}),
    "acceptance/1/approval": Act("approve", before=production_breaks),
}
"""The shortest way to an installation that fails and is rolled back."""
