"""Wake-ups: instants at which something of a case is due. Rows of ours; the Prefect UI shows them too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select, update

from nakoming.records import schema
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from nakoming.records.gate_model import Contact
    from nakoming.records.store import Tx

_wake_ups = schema.wake_ups
PENDING = "pending"
DONE = "done"
CANCELLED = "cancelled"
NEAR = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class WakeUp:
    """A wake-up as it lies in the records. `kind` is deadline, reminder, escalation or instant."""

    id: str
    case_id: str
    gate_id: str | None
    kind: str
    name: str
    label: str
    at: datetime
    state: str
    prefect_run_id: str | None
    shown_at: datetime | None
    contacts: tuple[dict[str, str], ...] = ()


def plan(
    tx: Tx,
    case_id: str,
    *,
    kind: str,
    name: str,
    at: datetime,
    label: str,
    gate_id: str | None = None,
    contacts: Sequence[Contact] = (),
) -> None:
    """Plan a wake-up; the same name in the same case moves it."""
    w = _wake_ups.c
    customer = _customer(tx, case_id)
    moved = update(_wake_ups).where(w.case_id == case_id, w.name == name)
    if tx.connection.execute(moved.values(at=at, label=label, state=PENDING)).rowcount:
        return
    wake_up_id = new_id()
    people = [contact.as_data() for contact in contacts]
    row: dict[str, Any] = {
        "id": wake_up_id,
        "case_id": case_id,
        "gate_id": gate_id,
        "kind": kind,
        "name": name,
        "label": label,
        "at": at,
        "state": PENDING,
        "contacts_sealed": tx.seal(customer, f"wake-up/{wake_up_id}", people) if people else None,
    }
    tx.connection.execute(insert(_wake_ups).values(row))


def _customer(tx: Tx, case_id: str) -> str:
    query = select(schema.cases.c.customer).where(schema.cases.c.id == case_id)
    return str(tx.connection.execute(query).scalar_one())


def cancel(tx: Tx, gate_id: str) -> None:
    """The gate closed: nothing of it is due any more, but for a deadline that was missed before."""
    w = _wake_ups.c
    open_ones = update(_wake_ups).where(w.gate_id == gate_id, w.state == PENDING, _not_missed(tx))
    tx.connection.execute(open_ones.values(state=CANCELLED))


def revive(tx: Tx, gate_id: str) -> None:
    """The gate opened again: what lies ahead of it is due again, and so is a deadline that has passed."""
    w = _wake_ups.c
    ahead = update(_wake_ups).where(w.gate_id == gate_id, w.state == CANCELLED)
    ahead = ahead.where(or_(w.at > tx.now, w.kind == "deadline"))
    tx.connection.execute(ahead.values(state=PENDING))


def done(tx: Tx, wake_up_id: str) -> bool:
    """Take a wake-up as dealt with; false when somebody else did so before."""
    w = _wake_ups.c
    taken = update(_wake_ups).where(w.id == wake_up_id, w.state == PENDING)
    return tx.connection.execute(taken.values(state=DONE)).rowcount == 1


def finish(tx: Tx, case_id: str, name: str) -> None:
    """Take a wake-up of a case as dealt with, by its name."""
    w = _wake_ups.c
    named = update(_wake_ups).where(w.case_id == case_id, w.name == name, w.state == PENDING)
    tx.connection.execute(named.values(state=DONE))


def cancel_case(tx: Tx, case_id: str) -> None:
    """The case ended: nothing of it is due any more, but for a deadline that was missed before."""
    w = _wake_ups.c
    open_ones = update(_wake_ups).where(w.case_id == case_id, w.state == PENDING, _not_missed(tx))
    tx.connection.execute(open_ones.values(state=CANCELLED))


def _not_missed(tx: Tx) -> ColumnElement[bool]:
    """A deadline that has passed is still to be recorded as missed, also when the answer came late."""
    w = _wake_ups.c
    return or_(w.kind != "deadline", w.at >= tx.now)


def due(tx: Tx, limit: int = 100) -> list[WakeUp]:
    """Pending wake-ups whose instant has passed, oldest first."""
    w = _wake_ups.c
    query = select(_wake_ups).where(w.state == PENDING, w.at < tx.now).order_by(w.at).limit(limit)
    return _listed(tx, query)


def pending(tx: Tx, case_id: str) -> list[WakeUp]:
    """What lies ahead of a case."""
    w = _wake_ups.c
    return _listed(tx, select(_wake_ups).where(w.state == PENDING, w.case_id == case_id).order_by(w.at))


def unshown(tx: Tx, limit: int = 50) -> list[WakeUp]:
    """Pending deadlines and instants that the Prefect UI does not show yet; what is near comes by itself."""
    w = _wake_ups.c
    ahead = (w.state == PENDING, w.at > tx.now + NEAR)
    query = select(_wake_ups).where(*ahead, w.prefect_run_id.is_(None), w.kind.in_(("deadline", "instant")))
    return _listed(tx, query.order_by(w.at).limit(limit))


def shown_in_vain(tx: Tx, limit: int = 50) -> list[WakeUp]:
    """Wake-ups that are over, or were moved, and still stand in the Prefect UI as they were."""
    w = _wake_ups.c
    false = or_(w.state != PENDING, w.at != w.shown_at)
    query = select(_wake_ups).where(w.prefect_run_id.is_not(None), false)
    return _listed(tx, query.limit(limit))


def shown_as(tx: Tx, wake_up_id: str, run_id: str | None, at: datetime | None = None) -> None:
    """Note which scheduled run shows a wake-up, at its own instant or another; no run: none any more."""
    w = _wake_ups.c
    shown_at = None if run_id is None else (at or w.at)
    named = update(_wake_ups).where(w.id == wake_up_id)
    tx.connection.execute(named.values(prefect_run_id=run_id, shown_at=shown_at))


def _listed(tx: Tx, query: Any) -> list[WakeUp]:
    found = []
    for row in tx.connection.execute(query).all():
        data = row._asdict()
        sealed = data.pop("contacts_sealed")
        if sealed:
            people = tx.unseal(_customer(tx, row.case_id), f"wake-up/{row.id}", sealed)
            data["contacts"] = tuple(people)
        found.append(WakeUp(**data))
    return found
