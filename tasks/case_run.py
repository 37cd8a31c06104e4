"""The case as a flow sees it: steps that happen once, questions that wait, instants that are reached.

A flow function is entered from the top each time. A finished step gives back its stored output without a new
Prefect task; what is not finished is done now; what has to wait raises `CaseWaits`, and the run is suspended.
Between steps a flow reads nothing but its case and the outputs of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pydantic import TypeAdapter

from nakoming.records import agreements, answers, case_facts, cases, gates, steps, wake_ups
from nakoming.records.errors import InputChanged, ResourceBusy
from nakoming.records.gate_model import AnswerRecord, Gate, GateSpec, GateState
from tasks import ledger
from tasks.nodes import show
from tasks.steps import Step, digest, plain
from tasks.waits import CaseWaits, waiting_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nakoming.agreement.terms import Agreement
    from nakoming.records.cases import Lease
    from nakoming.records.events import Event
    from nakoming.records.store import Records, Tx

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a question was answered. `verb` is None for silence and for a question nobody answered in time."""

    gate: str
    gate_id: str
    state: GateState
    verb: str | None
    option: str | None
    decided_by: tuple[str, ...]
    remarks: tuple[str, ...]
    facts: dict[str, str]
    documents: tuple[str, ...]
    closed_at: datetime

    @property
    def is_yes(self) -> bool:
        """Whether the question was fulfilled."""
        return self.state == GateState.FULFILLED


_OUTCOME = TypeAdapter(Outcome)
_BUSY_SECONDS = 10


@dataclass
class CaseRun:
    """A case that is held by this run. Every write goes through its lease."""

    records: Records
    lease: Lease
    case: cases.Case
    finished: dict[str, tuple[str, Any]] = field(default_factory=dict)
    done_before: int = 0
    unshown: list[tuple[str, Any]] = field(default_factory=list)
    _stage: str = field(default="", init=False)
    _stages_shown: set[str] = field(default_factory=set, init=False)

    @property
    def key(self) -> str:
        """The business key."""
        return self.lease.key

    @property
    def customer(self) -> str:
        """The customer of the case."""
        return self.lease.customer

    @property
    def revision(self) -> int:
        """The revision of its flow that the case was opened under: steps added later are guarded by it."""
        return self.case.flow_revision

    def agreement(self) -> Agreement:
        """The terms under which the case was opened; they never change."""
        with self.records.read() as tx:
            return agreements.get(tx, self.customer, self.case.agreement_version)

    def do(self, name: str, effect: Step[P, R], *args: P.args, **inputs: P.kwargs) -> R:
        """Make an effect once: its stored output if the step is finished, else the effect itself."""
        if args:
            msg = "inputs of a step are named, so that their digest is"
            raise TypeError(msg)
        return self._made(name, effect, inputs, ledger.Guard())

    def guarded(
        self,
        name: str,
        consumes: Sequence[str],
        effect: Step[..., R],
        *,
        inputs: dict[str, Any],
        not_after: datetime | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> R:
        """Make an effect once that stands on gates: they are consumed with its intent, or it does not start.

        Raises:
            GateReopened: a gate is not fulfilled any more.
            WindowPassed: it is later than `not_after`.
            FactChanged: one of `facts` has another value now.
        """
        return self._made(name, effect, inputs, ledger.Guard(tuple(consumes), not_after, facts or {}))

    def _made(self, name: str, effect: Step[..., R], inputs: dict[str, Any], guard: ledger.Guard) -> R:
        given = digest(plain(inputs))
        if name not in self.finished:
            guard = replace(guard, ask_first=self.case.ask_everything)
            try:
                output = self._effected(name, given, effect, inputs, guard)
            except ResourceBusy as busy:
                again = {"name": f"{name}/again", "what": str(busy), "within": _BUSY_SECONDS}
                raise CaseWaits([again]) from busy
            except ledger.StepNotSettled as unsettled:
                waits = self._instant(f"{name}/settled", unsettled.data["settles_at"], str(unsettled))
                raise CaseWaits(waits) from unsettled
            self.finished[name] = (given, output)
        return effect.output.validate_python(self._stored(name, given))

    def _effected(
        self, name: str, given: str, effect: Step[..., R], inputs: dict[str, Any], guard: ledger.Guard
    ) -> Any:
        """The intent first, then Prefect's node: making one takes longer than the commit."""
        self._works()
        attempt = ledger.Attempt(self.records, self.lease, name, effect, inputs, guard)
        begun = attempt.begin(given)
        self.catch_up()
        return show(name, partial(attempt.make, begun))

    def _works(self) -> None:
        """Something no earlier run finished is made or waited for: its stage belongs to this run's graph."""
        if self._stage and self._stage not in self._stages_shown:
            self._stages_shown.add(self._stage)
            self.unshown.append((self._stage, self._stage))

    def catch_up(self) -> None:
        """Show as nodes what was asked and answered: late, for people wait for the step after an answer."""
        while self.unshown:
            name, value = self.unshown.pop(0)
            show(name, partial(_itself, value))

    def record(self, name: str, write: Callable[[Tx], Any], **inputs: Any) -> Any:
        """A step whose effect lies in the records: one transaction holds effect, outcome and evidence."""
        given = digest(plain(inputs))
        if name in self.finished:
            return self._stored(name, given)
        output = self._recorded(name, given, write)
        self.finished[name] = (given, output)
        return output

    def _recorded(self, name: str, given: str, write: Callable[[Tx], Any]) -> Any:
        self._works()
        with self.records.write() as tx:
            cases.fence(tx, self.lease)
            output = plain(write(tx))
            steps.record(tx, self.lease, name, given, output, output_digest=digest(output))
        return output

    def _stored(self, name: str, given: str) -> Any:
        stored, output = self.finished[name]
        if stored != given:
            raise InputChanged(step=name, key=self.key, stored=stored, given=given)
        return output

    def prove(self, name: str, event: Event, *, clause: str | None = None, **payload: Any) -> None:
        """Leave evidence of its own in the customer's chain, once."""

        def write(tx: Tx) -> None:
            body = plain(payload)
            tx.prove(event, self.customer, body, case_id=self.lease.case_id, clause=clause)

        self.record(name, write, payload=payload)

    def now(self, name: str) -> datetime:
        """The present instant, read once and recorded under `name`."""
        return datetime.fromisoformat(self.record(name, lambda tx: tx.now))

    def stage(self, name: str, number: int = 1) -> None:
        """Enter a stage (for the so-many-eth time): it stands in the table of the case from now on.

        It is a node in every run that works or waits in it; a run that only passes through a stage which
        ended long ago does not show it again.
        """
        self._stage = f"stage {name}" + (f", round {number}" if number > 1 else "")
        self.record(f"{name}/{number}/stage", lambda tx: cases.enter_stage(tx, self.lease, name))

    def ask(self, name: str, make: Callable[[Tx], GateSpec]) -> None:
        """Put a question, once. `make` reads who is asked; what it finds is stored with the gate."""

        def write(tx: Tx) -> str:
            return gates.open_gate(tx, self.lease, make(tx))

        if f"{name}/asked" not in self.finished:
            gate = self.record(f"{name}/asked", write)
            self.unshown.append((f"{name}/asked", gate))

    def was_asked(self, name: str) -> bool:
        """Whether that question was put already."""
        return f"{name}/asked" in self.finished

    def answer(self, name: str) -> Outcome:
        """The answer to a question, taken for good; waits while it is open.

        Raises:
            CaseWaits: nobody has decided yet.
        """

        def write(tx: Tx) -> dict[str, Any] | None:
            gate = gates.settle(tx, self.lease, name, by=f"{name}/answer")
            if gate is None:
                raise CaseWaits([waiting_for(gates.find(tx, self.lease.case_id, name))])
            return plain(outcome_of(gate, answers.of_gate(tx, gate.id)))  # type: ignore[no-any-return]

        recorded = f"{name}/answer"
        known = recorded in self.finished
        outcome = _OUTCOME.validate_python(self.record(recorded, write))
        if not known:
            self.unshown.append((f"{name}/{outcome.verb or outcome.state}", outcome.decided_by))
        return outcome

    def look(self, name: str, gate: str, *, until: datetime | None = None, label: str = "") -> Outcome | None:
        """How a question stands, recorded under `name` and not yet consumed; None: `until` came first.

        Raises:
            CaseWaits: neither has happened yet.
        """

        def write(tx: Tx) -> dict[str, Any] | None:
            found = gates.find(tx, self.lease.case_id, gate)
            if found.state != GateState.OPEN:
                return plain(outcome_of(found, answers.of_gate(tx, found.id)))  # type: ignore[no-any-return]
            if until is not None and tx.now >= until:
                wake_ups.finish(tx, self.lease.case_id, f"{name}/until")
                return None
            raise CaseWaits([waiting_for(found), *self._instant(name, until, label)])

        output = self.record(name, write)
        return None if output is None else _OUTCOME.validate_python(output)

    def wait_until(
        self,
        name: str,
        instant: datetime,
        label: str,
        *,
        unless: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> bool:
        """Wait for an instant; True when it is reached.

        False when gate `unless` is no longer fulfilled, or one of `facts` has another value now: whoever
        changes a fact wakes the case.

        Raises:
            CaseWaits: it is not reached yet.
        """

        def write(tx: Tx) -> bool:
            watched = gates.find(tx, self.lease.case_id, unless) if unless else None
            undone = watched is not None and watched.state != GateState.FULFILLED
            if undone or not self._hold(tx, facts or {}):
                wake_ups.finish(tx, self.lease.case_id, f"{name}/until")
                return False
            if tx.now >= instant:
                wake_ups.finish(tx, self.lease.case_id, f"{name}/until")
                return True
            gate = [{"gate": watched.id, "seen": str(watched.state), "quiet": True}] if watched else []
            raise CaseWaits([*self._instant(name, instant, label), *gate])

        return bool(self.record(name, write, instant=instant))

    def _hold(self, tx: Tx, facts: Mapping[str, Any]) -> bool:
        case_id, customer = self.lease.case_id, self.customer
        return all(case_facts.get(tx, case_id, customer, name) == value for name, value in facts.items())

    def _instant(self, name: str, until: datetime | None, label: str) -> list[dict[str, Any]]:
        if until is None:
            return []
        return [{"what": label, "until": until.isoformat(), "name": f"{name}/until"}]


def _itself(value: Any) -> Any:
    return value


def outcome_of(gate: Gate, given: Sequence[AnswerRecord]) -> Outcome:
    """The outcome of a closed gate, with what those who decided it said and brought along."""
    counted = [a for a in given if a.retracted_at is None and a.person in gate.decided_by]
    return Outcome(
        gate=gate.name,
        gate_id=gate.id,
        state=gate.state,
        verb=gate.verb,
        option=gate.option,
        decided_by=gate.decided_by,
        remarks=tuple(a.remark for a in counted if a.remark),
        facts={name: value for a in counted for name, value in a.facts.items()},
        documents=tuple(dict.fromkeys(document for a in counted for document in a.documents)),
        closed_at=gate.closed_at or gate.opened_at,
    )
