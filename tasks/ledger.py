"""Makes an effect through the ledger: intent, effect, outcome; a doubtful intent is settled first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nakoming.errors import NakomingError
from nakoming.records import case_facts, steps
from nakoming.records.errors import ResourceBusy
from nakoming.records.steps import Doubt
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


def begin(
    records: Records, lease: Lease, name: str, given: str, effect: Step[Any, Any], guard: Guard
) -> steps.Begun | steps.InDoubt | steps.Done:
    """Commit the intent of a step, or say that it is done or in doubt.

    Raises:
        GateReopened: a gate it stands on is not fulfilled.
        WindowPassed: it is later than the guard allows.
        FactChanged: a fact of the case changed.
        LeaseLost: another holder has taken over.
    """
    with records.write() as tx:
        begun = steps.begin(
            tx,
            lease,
            name,
            given,
            doubt=effect.settling.doubt,
            timeout=effect.timeout,
            consumes=guard.consumes,
        )
        if isinstance(begun, steps.Begun):
            guard.check(tx, lease, name)
    return begun


def make(
    records: Records,
    lease: Lease,
    name: str,
    begun: steps.Begun | steps.InDoubt | steps.Done,
    effect: Step[Any, Any],
    inputs: Mapping[str, Any],
    guard: Guard,
) -> Any:
    """The output of a step as plain data: made now, found finished, or found to have happened.

    Raises:
        StepNotSettled: a former holder may still be at work; the case is tried again later.
        LeaseLost: another holder has taken over.
    """
    if isinstance(begun, steps.Done):
        return begun.output
    certain = _made_certain(records, lease, name, begun, effect, inputs, guard)
    if isinstance(certain, Happened):
        return certain.output
    return _effect(records, lease, name, certain, effect, inputs)


def _made_certain(
    records: Records,
    lease: Lease,
    name: str,
    begun: steps.Begun | steps.InDoubt,
    effect: Step[Any, Any],
    inputs: Mapping[str, Any],
    guard: Guard,
) -> Happened[Any] | steps.Begun:
    """An effect that may have happened (or that a restored ledger does not know) is asked for first."""
    if isinstance(begun, steps.InDoubt):
        return _settle(records, lease, name, begun, effect, inputs, guard)
    if guard.ask_first and effect.settling.doubt == Doubt.ASK:
        unknown = steps.InDoubt(begun.step_id, begun.attempt, settles_at=UNKNOWN_SINCE)
        return _asked(records, lease, name, unknown, effect, inputs) or begun
    return begun


def _effect(
    records: Records,
    lease: Lease,
    name: str,
    begun: steps.Begun,
    effect: Step[Any, Any],
    inputs: Mapping[str, Any],
) -> Any:
    work = Work(records, lease, name, begun.attempt)
    try:
        output = effect.output.dump_python(effect.effect(work, **inputs), mode="json")
    except Exception as raised:
        _failed(records, lease, name, begun, effect, raised)
        raise
    _finish(records, lease, name, begun, output, settled=False)
    return output


def _failed(
    records: Records,
    lease: Lease,
    name: str,
    begun: steps.Begun,
    effect: Step[Any, Any],
    raised: Exception,
) -> None:
    """The effect is over in any case; only what may have half happened stays in doubt."""
    clean = isinstance(raised, (CleanFailure, ResourceBusy)) or effect.settling.doubt != Doubt.ASK
    with records.write() as tx:
        if clean:
            steps.fail(tx, lease, name, begun, f"{type(raised).__name__}: {raised}")
        else:
            steps.leave_in_doubt(tx, lease, name, begun, f"{type(raised).__name__}: {raised}")


def _settle(
    records: Records,
    lease: Lease,
    name: str,
    doubtful: steps.InDoubt,
    effect: Step[Any, Any],
    inputs: Mapping[str, Any],
    guard: Guard,
) -> Happened[Any] | steps.Begun:
    """Nobody asks or repeats before the former holder's attempt is certainly over."""
    doubt = effect.settling.doubt
    with records.read() as tx:
        if tx.now < doubtful.settles_at:
            raise StepNotSettled(step=name, settles_at=doubtful.settles_at)
    if doubt == Doubt.ASK:
        happened = _asked(records, lease, name, doubtful, effect, inputs)
        if happened is not None:
            return happened
    with records.write() as tx:
        guard.check(tx, lease, name)
        return steps.repeat(tx, lease, name, doubtful, doubt, effect.timeout)


def _asked(
    records: Records,
    lease: Lease,
    name: str,
    doubtful: steps.InDoubt,
    effect: Step[Any, Any],
    inputs: Mapping[str, Any],
) -> Happened[Any] | None:
    """What the target says: the outcome is stored when the effect took place."""
    found = _probe(records, lease, name, doubtful, effect, inputs)
    if not isinstance(found, Happened):
        return None
    output = effect.output.dump_python(found.output, mode="json")
    _finish(records, lease, name, steps.Begun(doubtful.step_id, doubtful.attempt), output, settled=True)
    return Happened(output)


def _probe(
    records: Records,
    lease: Lease,
    name: str,
    doubtful: steps.InDoubt,
    effect: Step[Any, Any],
    inputs: Mapping[str, Any],
) -> Any:
    if effect.settling.probe is None:
        msg = f"{effect.__name__} asks without a probe"
        raise AssertionError(msg)
    work = Work(records, lease, name, doubtful.attempt)
    found = effect.settling.probe(work, **inputs)
    while isinstance(found, CannotTell):
        if ask_operator(records, lease, name):
            return DidNotHappen()
        found = effect.settling.probe(work, **inputs)
    return found


def _finish(
    records: Records, lease: Lease, name: str, begun: steps.Begun, output: Any, *, settled: bool
) -> None:
    with records.write() as tx:
        steps.finish(tx, lease, name, begun, output, output_digest=digest(output), settled=settled)
