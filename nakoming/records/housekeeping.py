"""What is due is done: gates close, breaches are recorded, people are reminded, ladders climbed, cases woken.

Each wake-up is acted on in a transaction of its own, and once: whoever marks it as done has acted. So several
reconcilers may work at the same time, and one that fails keeps no other from being done.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, select, update

from nakoming.records import answers, cases, gates, links, outbox, reservations, schema, wake_ups
from nakoming.records.events import Event
from nakoming.records.gate_model import Contact, GateState

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Row

    from nakoming.records.gate_model import Gate
    from nakoming.records.links import Link
    from nakoming.records.store import Records, Tx

    Tell = Callable[[Tx, Gate], None]

_log = logging.getLogger(__name__)
_wake_ups = schema.wake_ups
_BATCH = 200
_BREACH = {
    "sla": Event.TERM_BREACHED,
    "agreement": Event.TERM_BREACHED,
    "ours": Event.TARGET_MISSED,
}


@dataclass(frozen=True, kw_only=True)
class Acted:
    """A wake-up that was dealt with: `did` says how, `error` why not (it is tried again)."""

    wake_up_id: str
    case_id: str
    kind: str
    name: str
    did: str = ""
    error: str | None = None


def act_on_due(records: Records, case_id: str | None = None, *, unproven: Tell) -> list[Acted]:
    """Act on every wake-up whose instant has passed (of one case, when it is named), the deadlines first.

    A gate that closes at its deadline is not reminded of any more, however late this comes. `unproven` tells
    the operators, in the transaction that acts on its deadline, of an objection window that stays open
    because its notice is not proven to have arrived (S-2.6.4).
    """
    acted: list[Acted] = []
    failed: set[str] = set()
    if case_id is None:
        reservations.wake_waiting(records)
    while True:
        with records.read() as tx:
            rows = _due(tx, case_id, _BATCH + len(failed))
        rows = [row for row in rows if row.id not in failed]
        if not rows:
            return acted
        for row in rows:
            result = _act_alone(records, row, unproven)
            if result is not None:
                acted.append(result)
                failed |= {row.id} if result.error else set()


def _due(tx: Tx, case_id: str | None, limit: int) -> list[Row[Any]]:
    """Without contacts: a key that is lost keeps only its own customer's wake-ups from being done."""
    w = _wake_ups.c
    query = select(w.id, w.case_id, w.gate_id, w.kind, w.name)
    query = query.where(w.state == wake_ups.PENDING, w.at < tx.now)
    if case_id is not None:
        query = query.where(w.case_id == case_id)
    query = query.order_by(case((w.kind == "deadline", 0), else_=1), w.at).limit(limit)
    return list(tx.connection.execute(query))


def _act_alone(records: Records, row: Row[Any], unproven: Tell) -> Acted | None:
    """Nothing, when somebody else was faster."""
    named = {"wake_up_id": row.id, "case_id": row.case_id, "kind": row.kind, "name": row.name}
    try:
        with records.write() as tx:
            did = _act(tx, row, unproven)
    except Exception as failed:  # noqa: BLE001 - whatever it is, the other wake-ups are acted on
        _log.exception("Wake-up %s of case %s failed; it is tried again.", row.name, row.case_id)
        return Acted(**named, error=f"{type(failed).__name__}: {failed}")
    return None if did is None else Acted(**named, did=did)


def _act(tx: Tx, row: Row[Any], unproven: Tell) -> str | None:
    cases.lock(tx, row.case_id)  # the case before the gate, and both before the wake-up
    gate = gates.get(tx, row.gate_id, lock=True) if row.gate_id else None
    if not wake_ups.done(tx, row.id):
        return None
    if gate is None:
        cases.wake(tx, row.case_id)
        return "the case was woken"
    if row.kind == "deadline":
        return _deadline(tx, gate, unproven)
    if gate.state != GateState.OPEN:
        return "nothing: the question is closed"
    return _remind(tx, gate, row) if row.kind == "reminder" else _escalate(tx, gate, row)


def _deadline(tx: Tx, gate: Gate, unproven: Tell) -> str:
    """Late is what is not answered at its deadline; an answer that came afterwards changes nothing."""
    late = gate.due_by is not None and (gate.closed_at or tx.now) > gate.due_by
    closed = gates.close_due(tx, gate.id)
    if closed.state == GateState.OPEN and gates.has_ended(tx, closed):
        unproven(tx, closed)
    settled = closed.state in {GateState.FULFILLED, GateState.DEFEATED} and gate.state == GateState.OPEN
    event = _BREACH.get(gate.due_origin)
    if not late or settled or event is None:
        return f"the question is {closed.state}"
    payload = {
        "gate": gate.name,
        "due_by": gate.due_by.isoformat() if gate.due_by else None,
        "origin": gate.due_origin,
        "answered_at": gate.closed_at.isoformat() if gate.closed_at else None,
    }
    about = f"gate:{gate.id}"
    tx.prove(event, gate.customer, payload, case_id=gate.case_id, about=about, clause=gate.clause)
    return "a term was breached" if event is Event.TERM_BREACHED else "a target of ours was missed"


def _remind(tx: Tx, gate: Gate, row: Row[Any]) -> str:
    """One mail to each person who has not answered, however many reminders an outage has piled up."""
    number = _number(row.name)
    for name in _take_other_reminders(tx, gate.id):
        number = max(number, _number(name))
    open_links = _unanswered(tx, gate.id)
    for link in open_links:
        mail = outbox.Mail(
            key=f"reminder/{link.id}/{number}",
            kind="reminder",
            customer=gate.customer,
            recipient=link.contact,
            case_id=gate.case_id,
            gate_id=gate.id,
            link_id=link.id,
            generation=link.generation,
            context={"number": number},
        )
        outbox.put(tx, mail)
    if not open_links:
        return "nothing: everyone has answered"
    persons = sorted(link.contact.person for link in open_links)
    _prove(tx, Event.GATE_REMINDED, gate, {"persons": persons, "number": number})
    return f"{len(persons)} reminded"


def _take_other_reminders(tx: Tx, gate_id: str) -> list[str]:
    w = _wake_ups.c
    due = (w.gate_id == gate_id, w.kind == "reminder", w.state == wake_ups.PENDING, w.at < tx.now)
    names = list(tx.connection.execute(select(w.name).where(*due)).scalars())
    tx.connection.execute(update(_wake_ups).where(*due).values(state=wake_ups.DONE))
    return names


def _unanswered(tx: Tx, gate_id: str) -> list[Link]:
    given = {answer.person for answer in answers.of_gate(tx, gate_id) if answer.retracted_at is None}
    asked = [link for link in links.of_gate(tx, gate_id) if link.state == links.ACTIVE]
    return [link for link in asked if link.contact.person not in given]


def _escalate(tx: Tx, gate: Gate, row: Row[Any]) -> str:
    """One step up the ladder: its people learn what stays open; who is asked as well gets the own link."""
    own = {link.contact.person: link for link in _unanswered(tx, gate.id)}
    level = _number(row.name)
    told = {contact.person: contact for contact in _contacts(tx, gate.customer, row.id)}
    for person, contact in sorted(told.items()):
        link = own.get(person)
        mail = outbox.Mail(
            key=f"escalation/{row.id}/{person}",
            kind="escalation",
            customer=gate.customer,
            recipient=contact,
            case_id=gate.case_id,
            gate_id=gate.id,
            link_id=link.id if link else None,
            generation=link.generation if link else None,
            context={"level": level},
        )
        outbox.put(tx, mail)
    _prove(tx, Event.GATE_ESCALATED, gate, {"persons": sorted(told), "level": level})
    return f"escalated to {len(told)}"


def _contacts(tx: Tx, customer: str, wake_up_id: str) -> list[Contact]:
    query = select(_wake_ups.c.contacts_sealed).where(_wake_ups.c.id == wake_up_id)
    sealed = tx.connection.execute(query).scalar_one()
    people = tx.unseal(customer, f"wake-up/{wake_up_id}", sealed) if sealed else []
    return [Contact(**person) for person in people]


def _prove(tx: Tx, event: Event, gate: Gate, payload: dict[str, Any]) -> None:
    about = f"gate:{gate.id}"
    tx.prove(event, gate.customer, {"gate": gate.name} | payload, case_id=gate.case_id, about=about)


def _number(name: str) -> int:
    """The number at the end of a name such as `approval/reminder/2`."""
    last = name.rpartition("/")[2]
    return int(last) if last.isdecimal() else 1
