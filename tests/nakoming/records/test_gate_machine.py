"""A gate under any order of answers, retractions, time and consumption keeps its promises."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nakoming.agreement.gate_rules import Verb
from nakoming.records import evidence_check, gates, migrate
from nakoming.records.errors import RecordsError
from nakoming.records.gate_model import GateState
from nakoming.records.store import Records
from tests.nakoming.records.conftest import World

_PERSONS = st.sampled_from(["anna", "bert", "carl"])
_VERBS = st.sampled_from([Verb.APPROVE, Verb.REQUEST_CHANGES, Verb.REFUSE])


class GateMachine(RuleBasedStateMachine):
    """One approval that two of three persons must give, closing at its deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="nakoming-test-")
        home = Path(self.folder.name)
        records = Records(f"sqlite:///{home / 'r.sqlite'}", keys=home / "keys", documents=home / "documents")
        migrate.upgrade(records)
        self.world = World(records)
        self.standing: dict[str, Verb] = {}
        self.used: GateState | None = None

    @initialize(veto=st.booleans())
    def open(self, veto: bool) -> None:  # noqa: FBT001 - drawn by name
        """Open the gate."""
        self.veto = veto
        self.lease = self.world.held()
        due_by = self.world.now() + timedelta(hours=1)
        asked = {"persons": ("anna", "bert", "carl"), "rule": {"needed": 2, "veto": veto}}
        self.gate = self.world.gate(self.lease, due_by=due_by, closes_at_deadline=True, **asked)

    @rule(person=_PERSONS, verb=_VERBS)
    def give(self, person: str, verb: Verb) -> None:
        """Answer; a person's first answer stands until it is taken back."""
        try:
            receipt = self.world.give(self.gate, person, verb)
        except RecordsError:
            return
        assert receipt.at <= (self.gate.due_by or receipt.at)
        assert self.standing.setdefault(person, verb) == verb

    @rule(person=_PERSONS)
    def retract(self, person: str) -> None:
        """Take an answer back."""
        try:
            self.world.retract(self.gate, person)
        except RecordsError:
            return
        assert self.used is None
        del self.standing[person]

    @rule()
    def pass_time(self) -> None:
        """Let the deadline come nearer, and close what is due."""
        self.world.move(timedelta(minutes=25))
        with self.world.records.write() as tx:
            gates.close_due(tx, self.gate.id)

    @rule()
    def consume(self) -> None:
        """Start the step that the gate guards."""
        try:
            with self.world.records.write() as tx:
                gates.consume(tx, self.lease, self.gate.name, by="install/1")
        except RecordsError:
            return
        self.used = GateState.FULFILLED

    @invariant()
    def keeps_its_promises(self) -> None:
        """What the gate says follows from the answers that stand."""
        if not hasattr(self, "gate"):
            return
        found = self.world.look(self.gate)
        approvals = [person for person, verb in self.standing.items() if verb == Verb.APPROVE]
        against = len(self.standing) - len(approvals)
        if found.state == GateState.FULFILLED:
            assert len(approvals) >= 2
            assert set(found.decided_by) <= {f"acme:{person}" for person in approvals}
            assert not (self.veto and against)
        elif found.state == GateState.DEFEATED:
            assert against >= (1 if self.veto else 2)
        else:
            assert len(approvals) < 2
            assert found.state == GateState.OPEN or found.closed_at > found.due_by  # type: ignore[operator]
        assert (found.consumed_at is not None) == (self.used is not None)
        assert self.used is None or found.state == self.used

    def teardown(self) -> None:
        """All of it is proven."""
        assert evidence_check.verify(self.world.records) == []
        self.folder.cleanup()


TestGateMachine = GateMachine.TestCase
TestGateMachine.settings = settings(
    max_examples=15,
    stateful_step_count=14,
    database=None,
    deadline=None,  # a shared machine is slow at times
    suppress_health_check=[HealthCheck.too_slow],
)
