"""Steps: the ledger of effects. An intent is committed before an effect, its outcome after it.

A step is named `stage/round/subject`, never by the order of calls, and finishes once. An intent without an
outcome means that a holder died (or lost its lease) in between: the step is *in doubt*, and the policy it
declares says how that is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, insert, select, update

from nakoming.records import cases, schema
from nakoming.records.errors import InputChanged, LeaseLost
from nakoming.records.events import Event
from nakoming.records.owners import is_dead
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from nakoming.records.cases import Lease
    from nakoming.records.store import Tx

_steps = schema.steps
# Made once: making a statement takes as long as executing it.
_NAMED = select(_steps).where(_steps.c.case_id == bindparam("of_case"), _steps.c.name == bindparam("named"))
_COUNT = select(func.count()).select_from(_steps).where(_steps.c.case_id == bindparam("of_case"))
_INSERT = insert(_steps)
_BEGUN = update(_steps).where(
    _steps.c.id == bindparam("begun_id"),
    _steps.c.state == bindparam("begun_state"),
    _steps.c.attempt == bindparam("begun_attempt"),
)


class StepState(StrEnum):
    """Where a step stands."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"


class Doubt(StrEnum):
    """How an intent without an outcome is settled."""

    REPEAT = "repeat"  # doing it again is harmless
    KEY = "key"  # the target refuses a second one by its idempotency key
    ASK = "ask"  # a probe asks the target
    NONE = "none"  # intent, effect and outcome are one transaction


@dataclass(frozen=True)
class Done:
    """The step finished before; this is its stored output."""

    output: Any


@dataclass(frozen=True)
class Begun:
    """The intent is committed: the effect may be made now, in this attempt."""

    step_id: str
    attempt: int


@dataclass(frozen=True)
class InDoubt:
    """An earlier intent has no outcome; not before `settles_at` may anybody ask or repeat."""

    step_id: str
    attempt: int
    settles_at: datetime


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """A step as it lies in the records, for the timeline of a case."""

    id: str
    name: str
    number: int
    state: StepState
    attempt: int
    began_at: datetime
    finished_at: datetime | None
    error: str | None


def finished(tx: Tx, case_id: str, customer: str) -> dict[str, tuple[str, Any]]:
    """All finished steps of a case at once: name → (input digest, output), for a flow that is re-entered."""
    s = _steps.c
    query = select(s.name, s.input_digest, s.output_sealed).where(
        s.case_id == case_id, s.state == StepState.DONE
    )
    rows = tx.connection.execute(query).all()
    return {row.name: (row.input_digest, _output(tx, case_id, customer, row)) for row in rows}


def _output(tx: Tx, case_id: str, customer: str, row: Row[Any]) -> Any:
    return tx.unseal(customer, f"step/{case_id}/{row.name}", row.output_sealed)


def begin(
    tx: Tx,
    lease: Lease,
    name: str,
    input_digest: str,
    *,
    doubt: Doubt,
    timeout: timedelta,
    consumes: Sequence[str] = (),
) -> Done | Begun | InDoubt:
    """Commit the intent of a step, or say that it is done or in doubt.

    `consumes` names gates that must be fulfilled; they are consumed in this same transaction.

    Raises:
        InputChanged: it finished, or is in doubt, with other input.
        GateReopened: a gate it stands on is not fulfilled (any more).
        LeaseLost: another holder has taken over.
    """
    cases.fence(tx, lease)
    row = _locked(tx, lease, name)
    if row is not None and row.state == StepState.DONE:
        return Done(_checked_output(tx, lease, row, input_digest))
    if row is not None and row.state == StepState.INTENT:  # of a former holder, or ours without an end
        _refuse_other_input(lease, row, input_digest)
        return InDoubt(row.id, row.attempt, _settles_at(tx, row))
    _consume(tx, lease, name, consumes)
    if row is None:
        return _first_intent(tx, lease, name, input_digest, doubt, timeout)
    return _next_intent(tx, lease, row, input_digest, timeout)


def _settles_at(tx: Tx, row: Row[Any]) -> datetime:
    """A holder whose process is gone took its child processes along; of others the time-out is waited for."""
    return tx.now if is_dead(row.owner) else row.settles_at


def _locked(tx: Tx, lease: Lease, name: str) -> Row[Any] | None:
    return tx.connection.execute(_NAMED, {"of_case": lease.case_id, "named": name}).one_or_none()


def _checked_output(tx: Tx, lease: Lease, row: Row[Any], input_digest: str) -> Any:
    _refuse_other_input(lease, row, input_digest)
    return _output(tx, lease.case_id, lease.customer, row)


def _refuse_other_input(lease: Lease, row: Row[Any], input_digest: str) -> None:
    if row.input_digest != input_digest:
        raise InputChanged(step=row.name, key=lease.key, stored=row.input_digest, given=input_digest)


def _consume(tx: Tx, lease: Lease, name: str, consumes: Sequence[str]) -> None:
    if consumes:
        from nakoming.records import gates

        for gate in consumes:
            gates.consume(tx, lease, gate, by=name)


def _first_intent(
    tx: Tx, lease: Lease, name: str, input_digest: str, doubt: Doubt, timeout: timedelta
) -> Begun:
    step_id = new_id()
    number = _next_number(tx, lease)
    row = {
        "id": step_id,
        "case_id": lease.case_id,
        "name": name,
        "number": number,
        "state": StepState.INTENT,
        "input_digest": input_digest,
        "doubt": doubt,
        "attempt": 1,
        "epoch": lease.epoch,
        "owner": lease.owner,
        "began_at": tx.now,
        "settles_at": tx.now + cases.LEASE + timeout,
    }
    tx.connection.execute(_INSERT, row)
    return Begun(step_id, 1)


def _next_number(tx: Tx, lease: Lease) -> int:
    return int(tx.connection.execute(_COUNT, {"of_case": lease.case_id}).scalar_one()) + 1


def _next_intent(tx: Tx, lease: Lease, row: Row[Any], input_digest: str, timeout: timedelta) -> Begun:
    attempt = row.attempt + 1
    values = {
        "state": StepState.INTENT,
        "input_digest": input_digest,
        "attempt": attempt,
        "epoch": lease.epoch,
        "owner": lease.owner,
        "began_at": tx.now,
        "settles_at": tx.now + cases.LEASE + timeout,
        "error": None,
    }
    tx.connection.execute(update(_steps).where(_steps.c.id == row.id).values(values))
    return Begun(row.id, attempt)


def repeat(tx: Tx, lease: Lease, name: str, doubtful: InDoubt, how: Doubt, timeout: timedelta) -> Begun:
    """Take up a doubtful step again: its effect is harmless twice, or the target said it did not happen."""
    cases.fence(tx, lease)
    values = {
        "attempt": doubtful.attempt + 1,
        "epoch": lease.epoch,
        "owner": lease.owner,
        "began_at": tx.now,
        "settles_at": tx.now + cases.LEASE + timeout,
    }
    _update_intent(tx, lease, name, Begun(doubtful.step_id, doubtful.attempt), values)
    payload = {"step": name, "attempt": doubtful.attempt, "settled_by": str(how)}
    about = f"step:{doubtful.step_id}"
    tx.prove(Event.STEP_SETTLED, lease.customer, payload, case_id=lease.case_id, about=about)
    return Begun(doubtful.step_id, doubtful.attempt + 1)


def finish(
    tx: Tx, lease: Lease, name: str, begun: Begun, output: Any, *, output_digest: str, settled: bool = False
) -> None:
    """Commit the outcome, the output and its evidence in one transaction."""
    cases.fence(tx, lease)
    sealed = tx.seal(lease.customer, f"step/{lease.case_id}/{name}", output)
    values = {
        "state": StepState.DONE,
        "finished_at": tx.now,
        "output_sealed": sealed,
        "epoch": lease.epoch,
        "error": None,
    }
    _update_intent(tx, lease, name, begun, values)
    payload = {"step": name, "attempt": begun.attempt, "output": output_digest}
    if settled:
        payload["settled_by"] = str(Doubt.ASK)
    about = f"step:{begun.step_id}"
    tx.prove(Event.STEP_DONE, lease.customer, payload, case_id=lease.case_id, about=about)


def record(tx: Tx, lease: Lease, name: str, input_digest: str, output: Any, *, output_digest: str) -> None:
    """A step whose effect lies in the records themselves: intent, effect and outcome are this transaction."""
    cases.fence(tx, lease)
    begun = _first_intent(tx, lease, name, input_digest, Doubt.NONE, timedelta(0))
    finish(tx, lease, name, begun, output, output_digest=output_digest)


def fail(tx: Tx, lease: Lease, name: str, begun: Begun, error: str) -> None:
    """The effect certainly did not happen: the step may be tried again."""
    cases.fence(tx, lease)
    values = {"state": StepState.FAILED, "finished_at": tx.now, "error": error[:4000]}
    _update_intent(tx, lease, name, begun, values)
    payload = {"step": name, "attempt": begun.attempt, "error": error[:2000]}
    about = f"step:{begun.step_id}"
    tx.prove(Event.STEP_FAILED, lease.customer, payload, case_id=lease.case_id, about=about)


def leave_in_doubt(tx: Tx, lease: Lease, name: str, begun: Begun, error: str) -> None:
    """The effect is over, and may have happened: from now on the step may be asked about, by any holder."""
    cases.fence(tx, lease)
    values = {"epoch": 0, "settles_at": tx.now, "error": error[:4000]}
    _update_intent(tx, lease, name, begun, values)
    payload = {"step": name, "attempt": begun.attempt, "error": error[:2000]}
    about = f"step:{begun.step_id}"
    tx.prove(Event.STEP_DOUBTED, lease.customer, payload, case_id=lease.case_id, about=about)


def _update_intent(tx: Tx, lease: Lease, name: str, begun: Begun, values: dict[str, Any]) -> None:
    """Change the attempt that was begun; one that is over, or was taken up by somebody else, is refused."""
    same = {"begun_id": begun.step_id, "begun_state": StepState.INTENT, "begun_attempt": begun.attempt}
    if tx.connection.execute(_BEGUN, same | values).rowcount != 1:
        raise LeaseLost(what=f"step {name} of case {lease.key}", epoch=lease.epoch)


def listed(tx: Tx, case_id: str) -> list[StepRecord]:
    """The steps of a case in the order in which they began."""
    query = select(_steps).where(_steps.c.case_id == case_id).order_by(_steps.c.number)
    return [
        StepRecord(
            id=row.id,
            name=row.name,
            number=row.number,
            state=StepState(row.state),
            attempt=row.attempt,
            began_at=row.began_at,
            finished_at=row.finished_at,
            error=row.error,
        )
        for row in tx.connection.execute(query)
    ]
