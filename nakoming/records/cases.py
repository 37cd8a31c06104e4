"""Cases: one run of a process for one subject, held by one worker at a time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from nakoming.records import schema
from nakoming.records.case_model import HEARTBEAT, LEASE, LIVE, Case, Lease, Opened, State
from nakoming.records.errors import CaseClosed, CaseHeld, LeaseLost, UnknownCase
from nakoming.records.events import Event
from nakoming.records.owners import is_dead
from nakoming.records.store import new_id
from nakoming.records.types import canonical

if TYPE_CHECKING:
    from sqlalchemy import Row

    from nakoming.records.store import Tx

__all__ = [
    "HEARTBEAT",
    "LEASE",
    "LIVE",
    "Case",
    "Lease",
    "Opened",
    "State",
    "acquire",
    "by_key",
    "close",
    "enter_stage",
    "fence",
    "find",
    "get",
    "heartbeat",
    "listed",
    "lock",
    "open_case",
    "release",
    "wait",
    "wake",
]
_cases = schema.cases
# Made once: every step of every case passes here twice, and making a statement takes as long as executing it.
_HELD = update(_cases).where(
    _cases.c.id == bindparam("held_id"),
    _cases.c.lease_owner == bindparam("held_by"),
    _cases.c.lease_epoch == bindparam("held_epoch"),
)


def open_case(
    tx: Tx,
    kind: str,
    customer: str,
    subject: str,
    *,
    agreement_version: int,
    flow_revision: int,
    parameters: dict[str, Any],
    parent_id: str | None = None,
) -> Opened:
    """Open the case of this business key, or join it: the stored parameters win then."""
    found = find(tx, kind, customer, subject)
    if found is not None:
        return _join(tx, found, parameters)
    case_id = new_id()
    row = {
        "id": case_id,
        "kind": kind,
        "customer": customer,
        "subject": subject,
        "agreement_version": agreement_version,
        "flow_revision": flow_revision,
        "parameters_sealed": tx.seal(customer, f"case/{case_id}", parameters),
        "state": State.OPEN,
        "opened_at": tx.now,
        "wake_at": tx.now,
        "parent_id": parent_id,
    }
    if not tx.insert_once(_cases, row):  # somebody else opened it at the same moment
        return _join(tx, by_key(tx, f"{kind}/{customer}/{subject}"), parameters)
    payload = {
        "kind": kind,
        "subject": subject,
        "agreement_version": agreement_version,
        "revision": flow_revision,
    }
    tx.prove(Event.CASE_OPENED, customer, payload, case_id=case_id)
    return Opened(get(tx, case_id), joined=False, differences={})


def _join(tx: Tx, found: Case, parameters: dict[str, Any]) -> Opened:
    differences = _differences(found.parameters, json.loads(canonical(parameters)))
    if differences:
        payload = {"key": found.key, "differing": sorted(differences)}
        tx.prove(Event.CASE_JOINED, found.customer, payload, case_id=found.id)
    return Opened(found, joined=True, differences=differences)


def _differences(stored: dict[str, Any], given: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = stored.keys() | given.keys()
    return {key: (stored.get(key), given.get(key)) for key in keys if stored.get(key) != given.get(key)}


def get(tx: Tx, case_id: str) -> Case:
    """The case with this identity; `UnknownCase` when there is none."""
    row = tx.connection.execute(select(_cases).where(_cases.c.id == case_id)).one_or_none()
    if row is None:
        raise UnknownCase(key=case_id)
    return _case(tx, row)


def find(tx: Tx, kind: str, customer: str, subject: str) -> Case | None:
    """The case with this business key, if there is one."""
    c = _cases.c
    query = select(_cases).where(c.kind == kind, c.customer == customer, c.subject == subject)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _case(tx, row)


def by_key(tx: Tx, key: str) -> Case:
    """The case whose key a person wrote as `kind/customer/subject`; `UnknownCase` when there is none."""
    kind, _, rest = key.partition("/")
    customer, _, subject = rest.partition("/")
    found = find(tx, kind, customer, subject)
    if found is None:
        raise UnknownCase(key=key)
    return found


def listed(tx: Tx, *, customer: str | None = None, live: bool = False) -> list[Case]:
    """Cases, newest first."""
    query = select(_cases).order_by(_cases.c.opened_at.desc())
    if customer:
        query = query.where(_cases.c.customer == customer)
    if live:
        query = query.where(_cases.c.state.in_(LIVE))
    return [_case(tx, row) for row in tx.connection.execute(query)]


def _case(tx: Tx, row: Row[Any]) -> Case:
    data = row._asdict()
    sealed = data.pop("parameters_sealed")
    parameters = tx.unseal(data["customer"], f"case/{data['id']}", sealed)
    data["state"] = State(data["state"])
    for unused in ("parent_id", "woken_at"):
        data.pop(unused)
    return Case(**data, parameters=parameters)


def lock(tx: Tx, case_id: str) -> None:
    """Take the lock of a case's row. It comes before a gate's, always: then nobody waits in a ring.

    On SQLite whoever writes holds the only lock already.
    """
    if tx.connection.dialect.name != "sqlite":
        query = select(_cases.c.id).where(_cases.c.id == case_id)
        tx.connection.execute(query.with_for_update(key_share=True))


def acquire(tx: Tx, case_id: str, owner: str) -> Lease:
    """Take the lease of a case: when it is free, has run out, or its holder is certainly dead.

    Raises:
        CaseHeld: somebody else works on it.
        CaseClosed: it has ended.
        UnknownCase: there is no such case.
    """
    lock(tx, case_id)
    row = tx.connection.execute(select(_cases).where(_cases.c.id == case_id)).one_or_none()
    if row is None:
        raise UnknownCase(key=case_id)
    key = f"{row.kind}/{row.customer}/{row.subject}"
    if row.state == State.CLOSED:
        raise CaseClosed(key=key, outcome=row.outcome)
    held = row.lease_owner is not None and row.lease_until > tx.now and not is_dead(row.lease_owner)
    if held and row.lease_owner != owner:
        raise CaseHeld(key=key, owner=row.lease_owner, until=row.lease_until)
    epoch = row.lease_epoch + 1
    started_again = row.state in {State.STUCK, State.HELD}
    if started_again:  # nothing but a person starts such a case; Prefect does not say which one
        by = {"by": "operator, unidentified", "was": row.state}
        tx.prove(Event.CASE_RELEASED, row.customer, by, case_id=case_id)
    tx.connection.execute(
        update(_cases)
        .where(_cases.c.id == case_id)
        .values(
            lease_owner=owner,
            lease_epoch=epoch,
            lease_until=tx.now + LEASE,
            state=State.OPEN,
            wake_at=None,
            woken_at=None,
            waits_for=None,
            attempts=0 if started_again else row.attempts,
        )
    )
    return Lease(case_id, row.customer, key, owner, epoch)


def fence(tx: Tx, lease: Lease, **values: Any) -> None:
    """Refuse a holder that lost its lease; lock the case's row and extend the lease for one that did not.

    Raises:
        LeaseLost: another holder has taken over; nothing of this transaction may commit.
    """
    if not tx.clock_was_read:  # the reading that extends the lease comes after the wait for the lock
        lock(tx, lease.case_id)
    values.setdefault("lease_until", tx.now + LEASE)
    held = {"held_id": lease.case_id, "held_by": lease.owner, "held_epoch": lease.epoch}
    if tx.connection.execute(_HELD, held | values).rowcount != 1:
        raise LeaseLost(what=lease.key, epoch=lease.epoch)
    tx.held.add(lease.case_id)


def heartbeat(tx: Tx, lease: Lease) -> None:
    """Extend a lease; `LeaseLost` when it is no longer ours."""
    fence(tx, lease)


def enter_stage(tx: Tx, lease: Lease, stage: str) -> None:
    """Say in which stage of its process the case is."""
    fence(tx, lease, stage=stage)


_FREE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def wait(tx: Tx, lease: Lease, waits_for: list[dict[str, Any]]) -> None:
    """Let go of the case until something it waits for has happened: a gate answered, an instant reached.

    A case that already wants to wake (an answer landed between the look and this) keeps that wish.
    """
    fence(tx, lease)  # takes the row's lock first: an answer commits before this look or wakes us after it
    _plan_instants(tx, lease.case_id, waits_for)
    wake_at = tx.now if _happened(tx, waits_for) else _earliest_wish(tx, lease.case_id)
    fence(tx, lease, state=State.WAITING, waits_for=waits_for, wake_at=wake_at, attempts=0, **_FREE)


def _plan_instants(tx: Tx, case_id: str, waits_for: list[dict[str, Any]]) -> None:
    """Plan the instants it waits for: `name`, `what`, and `until` (ISO) or `within` (seconds from now)."""
    from nakoming.records import wake_ups

    for wait in waits_for:
        if "name" in wait:
            soon = tx.now + timedelta(seconds=wait.get("within", 0))
            at = datetime.fromisoformat(wait["until"]) if wait.get("until") else soon
            wake_ups.plan(tx, case_id, kind="instant", name=wait["name"], at=at, label=wait["what"])


def _happened(tx: Tx, waits_for: list[dict[str, Any]]) -> bool:
    """Whether a gate is no longer in the state in which the flow saw it (`{"gate": id, "seen": state}`)."""
    g = schema.gates.c
    seen = {wait["gate"]: wait["seen"] for wait in waits_for if "gate" in wait}
    rows = tx.connection.execute(select(g.id, g.state).where(g.id.in_(seen)))
    return any(row.state != seen[row.id] for row in rows) or _freed(tx, waits_for)


def _freed(tx: Tx, waits_for: list[dict[str, Any]]) -> bool:
    """Whether a thing it waits for (`{"resource": name}`) is kept by nobody any more."""
    wanted = {wait["resource"] for wait in waits_for if "resource" in wait}
    r = schema.reservations.c
    kept = set(tx.connection.execute(select(r.resource).where(r.resource.in_(wanted))).scalars())
    return bool(wanted - kept)


def _earliest_wish(tx: Tx, case_id: str) -> datetime | None:
    """The next instant that is planned, or a wish to wake that came while the case was worked on."""
    w = schema.wake_ups.c
    planned = select(func.min(w.at)).where(w.case_id == case_id, w.state == "pending", w.kind == "instant")
    wished = select(_cases.c.wake_at).where(_cases.c.id == case_id)
    wishes = [tx.connection.execute(query).scalar_one() for query in (planned, wished)]
    return min((wish for wish in wishes if wish is not None), default=None)


def wake(tx: Tx, case_id: str, at: datetime | None = None) -> None:
    """Note that the case wants to run (now, or at an instant), unless it wants to run before.

    The wish of a case that somebody else works on is kept for when it waits again.
    """
    lock(tx, case_id)
    at = at or tx.now
    states = (State.WAITING,) if case_id in tx.held else (State.WAITING, State.OPEN)
    statement = update(_cases).where(_cases.c.id == case_id, _cases.c.state.in_(states))
    earlier = (_cases.c.wake_at.is_(None)) | (_cases.c.wake_at > at)
    tx.connection.execute(statement.where(earlier).values(wake_at=at, woken_at=None))


def close(tx: Tx, lease: Lease, outcome: str, payload: dict[str, Any] | None = None) -> None:
    """End the case, with evidence, and let go of it; a question that is still open is asked no more."""
    from nakoming.records import gates, reservations, wake_ups

    reservations.free(tx, lease.case_id)
    fence(
        tx,
        lease,
        state=State.CLOSED,
        outcome=outcome,
        closed_at=tx.now,
        waits_for=None,
        wake_at=None,
        attempts=0,
        **_FREE,
    )
    gates.revoke_all(tx, lease.case_id, f"the case ended: {outcome}")
    wake_ups.cancel_case(tx, lease.case_id)
    body = {"outcome": outcome} | (payload or {})
    tx.prove(Event.CASE_CLOSED, lease.customer, body, case_id=lease.case_id)


def release(tx: Tx, lease: Lease) -> None:
    """Let go of the case as it is (an orderly stop of the worker); it wants to run again at once."""
    fence(tx, lease, wake_at=tx.now, **_FREE)
