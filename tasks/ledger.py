"""Makes an effect through the ledger: intent, effect, outcome; a doubtful intent is settled first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nakoming.errors import NakomingError
from nakoming.records import case_facts, steps
from nakoming.records.errors import ResourceBusy
from nakoming.records.steps import Begun, Done, Doubt, InDoubt
from nakoming.records.types import from_micros
from tasks.doubts import ask_operator
from tasks.steps import CannotTell, CleanFailure, DidNotHappen, Happened, Step, Work, digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nakoming.records.cases import Lease
    from nakoming.records.store import Records, Tx


class StepNotSettled(NakomingError):
    """A doubtful step may not be asked for yet."""

    template = (
        "Step {step} is in doubt; its former holder may still be at work until {settles_at:%H:%M:%S} UTC."
    )
    code = "NK5102"


class WindowPassed(NakomingError):
    """A step may not start any more in this window."""

    template = "Step {step} may start until {not_after:%Y-%m-%d %H:%M:%S} UTC; now it is later."
    code = "NK5104"


class FactChanged(NakomingError):
    """What a step was decided on was changed from outside since."""

    template = "Step {step} was decided on another '{fact}' than the case has now."
    code = "NK5105"


UNKNOWN_SINCE = from_micros(0)


@dataclass(frozen=True)
class Guard:
    """What an intent stands on: gates that are consumed with it, facts of the case, the last instant."""

    consumes: tuple[str, ...] = ()
    not_after: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    ask_first: bool = False  # the ledger was restored: what it does not know may have happened

    def check(self, tx: Tx, lease: Lease, step: str) -> None:
        """Refuse an intent that comes too late (finish-by), or whose ground has changed."""
        if self.not_after is not None and tx.now > self.not_after:
            raise WindowPassed(step=step, not_after=self.not_after)
        for name, value in self.facts.items():
            if case_facts.get(tx, lease.case_id, lease.customer, name) != value:
                raise FactChanged(step=step, fact=name)


@dataclass(frozen=True)
class Attempt:
    """One effect of one case, on its way through the ledger."""

    records: Records
    lease: Lease
    name: str
    effect: Step[Any, Any]
    inputs: Mapping[str, Any]
    guard: Guard

    def begin(self, given: str) -> Begun | InDoubt | Done:
        """Commit the intent, or say that the step is done or in doubt; `given` is the digest of its inputs.

        Raises:
            GateReopened: a gate it stands on is not fulfilled.
            WindowPassed: it is later than the guard allows.
            FactChanged: a fact of the case changed.
            LeaseLost: another holder has taken over.
        """
        with self.records.write() as tx:
            begun = steps.begin(
                tx,
                self.lease,
                self.name,
                given,
                doubt=self.effect.settling.doubt,
                timeout=self.effect.timeout,
                consumes=self.guard.consumes,
            )
            if isinstance(begun, Begun):
                self.guard.check(tx, self.lease, self.name)
        return begun

    def make(self, begun: Begun | InDoubt | Done) -> Any:
        """The output as plain data: made now, found finished, or found to have happened.

        Raises:
            StepNotSettled: a former holder may still be at work; the case is tried again later.
            LeaseLost: another holder has taken over.
        """
        if isinstance(begun, Done):
            return begun.output
        certain = self._made_certain(begun)
        return certain.output if isinstance(certain, Happened) else self._made(certain)

    def _made_certain(self, begun: Begun | InDoubt) -> Happened[Any] | Begun:
        """An effect that may have happened (or that a restored ledger does not know) is asked for first."""
        if isinstance(begun, InDoubt):
            return self._settled(begun)
        if self.guard.ask_first and self.effect.settling.doubt == Doubt.ASK:
            unknown = InDoubt(begun.step_id, begun.attempt, settles_at=UNKNOWN_SINCE)
            return self._asked(unknown) or begun
        return begun

    def _made(self, begun: Begun) -> Any:
        try:
            output = self._plain(self.effect.effect(self._work(begun), **self.inputs))
        except Exception as raised:
            self._failed(begun, raised)
            raise
        self._finish(begun, output, settled=False)
        return output

    def _failed(self, begun: Begun, raised: Exception) -> None:
        """The effect is over in any case; only what may have half happened stays in doubt."""
        clean = isinstance(raised, (CleanFailure, ResourceBusy)) or self.effect.settling.doubt != Doubt.ASK
        end = steps.fail if clean else steps.leave_in_doubt
        with self.records.write() as tx:
            end(tx, self.lease, self.name, begun, f"{type(raised).__name__}: {raised}")

    def _settled(self, doubtful: InDoubt) -> Happened[Any] | Begun:
        """Nobody asks or repeats before the former holder's attempt is certainly over."""
        with self.records.read() as tx:
            if tx.now < doubtful.settles_at:
                raise StepNotSettled(step=self.name, settles_at=doubtful.settles_at)
        doubt = self.effect.settling.doubt
        if doubt == Doubt.ASK:
            happened = self._asked(doubtful)
            if happened is not None:
                return happened
        with self.records.write() as tx:
            self.guard.check(tx, self.lease, self.name)
            return steps.repeat(tx, self.lease, self.name, doubtful, doubt, self.effect.timeout)

    def _asked(self, doubtful: InDoubt) -> Happened[Any] | None:
        """What the target says: the outcome is stored when the effect took place."""
        found = self._probed(doubtful)
        if not isinstance(found, Happened):
            return None
        output = self._plain(found.output)
        self._finish(Begun(doubtful.step_id, doubtful.attempt), output, settled=True)
        return Happened(output)

    def _probed(self, doubtful: InDoubt) -> Any:
        probe = self.effect.settling.probe
        if probe is None:
            msg = f"{self.effect.__name__} asks without a probe"
            raise AssertionError(msg)
        work = self._work(doubtful)
        while isinstance(found := probe(work, **self.inputs), CannotTell):
            if ask_operator(self.records, self.lease, self.name):
                return DidNotHappen()
        return found

    def _finish(self, begun: Begun, output: Any, *, settled: bool) -> None:
        with self.records.write() as tx:
            steps.finish(
                tx, self.lease, self.name, begun, output, output_digest=digest(output), settled=settled
            )

    def _work(self, begun: Begun | InDoubt) -> Work:
        return Work(self.records, self.lease, self.name, begun.attempt)

    def _plain(self, output: Any) -> Any:
        return self.effect.output.dump_python(output, mode="json")
