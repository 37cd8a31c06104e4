"""A case whose flow raised is tried again with back-off; then it is stuck and shown to the operators."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from nakoming.records import cases, schema
from nakoming.records.cases import State
from nakoming.records.errors import CaseClosed
from nakoming.records.events import Event

if TYPE_CHECKING:
    from nakoming.records.cases import Lease
    from nakoming.records.store import Tx

ATTEMPTS = 5
BACK_OFF = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))

_ERROR_LIMIT = 4000  # characters
_cases = schema.cases


def failed(tx: Tx, lease: Lease, error: str) -> State:
    """Note that the flow raised; the state says whether it will be tried again or is stuck now."""
    cases.lock(tx, lease.case_id)
    query = select(_cases.c.attempts).where(_cases.c.id == lease.case_id)
    attempts = tx.connection.execute(query).scalar_one() + 1
    stuck = attempts >= ATTEMPTS
    state = State.STUCK if stuck else State.WAITING
    cases.fence(
        tx,
        lease,
        state=state,
        attempts=attempts,
        last_error=error[:_ERROR_LIMIT],
        wake_at=None if stuck else tx.now + BACK_OFF[attempts - 1],
        lease_owner=None,
        lease_until=None,
    )
    event = Event.CASE_STUCK if stuck else Event.CASE_FAILED
    tx.prove(event, lease.customer, {"attempt": attempts, "error": error[:2000]}, case_id=lease.case_id)
    return state


def left(tx: Tx, lease: Lease, error: str) -> None:
    """Note that the flow raised, and leave it to the case's parent when it is tried again."""
    waits = [{"what": "the next attempt of its parent"}]
    error = error[:_ERROR_LIMIT]
    free = {"lease_owner": None, "lease_until": None, "wake_at": None}
    cases.fence(tx, lease, state=State.WAITING, waits_for=waits, last_error=error, **free)
    tx.prove(Event.CASE_FAILED, lease.customer, {"error": error[:2000]}, case_id=lease.case_id)


def hold(tx: Tx, case_id: str, by: str) -> None:
    """Stop a case until it is started again (Cancel in the Prefect UI)."""
    case = _live(tx, case_id)
    _set(tx, case_id, state=State.HELD, wake_at=None, lease_owner=None, lease_until=None)
    tx.prove(Event.CASE_HELD, case.customer, {"by": by}, case_id=case_id)


def resume(tx: Tx, case_id: str, by: str) -> None:
    """Let a held or stuck case run again, with all its attempts; nothing for a case that is neither."""
    case = _live(tx, case_id)
    if case.state not in {State.HELD, State.STUCK}:
        return
    _set(tx, case_id, state=State.WAITING, wake_at=tx.now, woken_at=None, attempts=0)
    tx.prove(Event.CASE_RELEASED, case.customer, {"by": by}, case_id=case_id)


def withdraw(tx: Tx, case_id: str, by: str, reason: str) -> None:
    """End a case because whoever asked for it withdrew it; whatever it waits for is no longer asked.

    The epoch moves on, so that a run which works on it at this instant can commit nothing more.
    """
    from nakoming.records import gates, reservations, wake_ups

    case = _live(tx, case_id)
    gates.revoke_all(tx, case_id, f"withdrawn: {reason}")
    reservations.free(tx, case_id)
    wake_ups.cancel_case(tx, case_id)
    _set(
        tx,
        case_id,
        state=State.CLOSED,
        outcome="withdrawn",
        closed_at=tx.now,
        wake_at=tx.now,  # its run waits for nothing any more, and is woken once to see that
        woken_at=None,
        waits_for=None,
        lease_owner=None,
        lease_until=None,
        lease_epoch=_cases.c.lease_epoch + 1,
    )
    tx.prove(Event.CASE_WITHDRAWN, case.customer, {"by": by, "reason": reason}, case_id=case_id)


def _live(tx: Tx, case_id: str) -> cases.Case:
    cases.lock(tx, case_id)
    case = cases.get(tx, case_id)
    if case.state == State.CLOSED:
        raise CaseClosed(key=case.key, outcome=case.outcome)
    return case


def _set(tx: Tx, case_id: str, **values: object) -> None:
    tx.connection.execute(update(_cases).where(_cases.c.id == case_id).values(**values))
