"""Gates: questions put to named persons, and how their answers close, reopen and consume them.

Whoever decides takes the gate's lock first and reads the clock once; that reading is both the check and the
stamp. The first answer of each person counts; consuming a gate is part of the transaction that commits the
intent of the step it guards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from nakoming.agreement.gate_rules import Answer, GateRule, Judgement, Verb, judge
from nakoming.records import cases, documents, links, outbox, schema, wake_ups
from nakoming.records.errors import GateReopened, RecordsError
from nakoming.records.events import Event
from nakoming.records.gate_model import Gate, GateSpec, GateState, question_from, shown_digest
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from sqlalchemy import Row

    from nakoming.records.cases import Lease
    from nakoming.records.store import Tx

_gates = schema.gates
_STATE_OF = {
    "open": GateState.OPEN,
    "fulfilled": GateState.FULFILLED,
    "silent_consent": GateState.FULFILLED,
    "defeated": GateState.DEFEATED,
    "expired": GateState.EXPIRED,
    "held": GateState.OPEN,
}
_EVENT_OF = {
    GateState.OPEN: Event.GATE_REOPENED,
    GateState.FULFILLED: Event.GATE_FULFILLED,
    GateState.DEFEATED: Event.GATE_DEFEATED,
    GateState.EXPIRED: Event.GATE_EXPIRED,
}


class UnknownGate(RecordsError):
    """No such gate."""

    template = "There is no gate {gate} in case {key}."
    code = "NK2021"
    exit_status = 4


def open_gate(tx: Tx, lease: Lease, spec: GateSpec) -> str:
    """Open a gate: links for those who are asked, their mails, its deadline, its reminders, its evidence.

    Part of a step of the case: opening it twice is not possible.
    """
    cases.fence(tx, lease)
    gate_id = new_id()
    shown = [documents.get(tx, lease.customer, document) for document in spec.documents]
    digest = shown_digest(spec.question, [document.sha256 for document in shown])
    row = {
        "id": gate_id,
        "case_id": lease.case_id,
        "customer": lease.customer,
        "name": spec.name,
        "kind": str(spec.rule.kind),
        "clause": spec.clause,
        "due_origin": spec.due_origin,
        "rule": spec.rule.model_dump(mode="json"),
        "question_sealed": tx.seal(lease.customer, f"gate/{gate_id}", spec.question.as_data()),
        "shown_digest": digest,
        "documents": list(spec.documents),
        "state": GateState.OPEN,
        "opened_at": tx.now,
        "due_by": spec.due_by,
        "closes_at_deadline": spec.closes_at_deadline,
    }
    tx.connection.execute(insert(_gates).values(row))
    payload = {
        "gate": spec.name,
        "kind": str(spec.rule.kind),
        "asked": sorted(contact.person for contact in spec.contacts),
        "shown": digest,
        "documents": [document.sha256 for document in shown],
        "due_by": spec.due_by.isoformat() if spec.due_by else None,
    }
    tx.prove(
        Event.GATE_OPENED,
        lease.customer,
        payload,
        case_id=lease.case_id,
        about=f"gate:{gate_id}",
        clause=spec.clause,
    )
    for contact in spec.contacts:
        link_id = links.issue(tx, gate_id, lease.customer, contact)
        outbox.put(
            tx,
            outbox.Mail(
                key=f"question/{link_id}/1",
                kind="question",
                customer=lease.customer,
                recipient=contact,
                case_id=lease.case_id,
                gate_id=gate_id,
                link_id=link_id,
                generation=1,
            ),
        )
    _plan(tx, lease, gate_id, spec)
    return gate_id


def _plan(tx: Tx, lease: Lease, gate_id: str, spec: GateSpec) -> None:
    if spec.due_by is not None:
        wake_ups.plan(
            tx,
            lease.case_id,
            kind="deadline",
            name=f"{spec.name}/deadline",
            at=spec.due_by,
            label=spec.label or spec.name,
            gate_id=gate_id,
        )
    for nudge in spec.nudges:
        wake_ups.plan(
            tx,
            lease.case_id,
            kind=nudge.kind,
            name=f"{spec.name}/{nudge.name}",
            at=nudge.at,
            label=f"{nudge.kind}: {spec.label or spec.name}",
            gate_id=gate_id,
            contacts=nudge.contacts,
        )


def get(tx: Tx, gate_id: str, *, lock: bool = False) -> Gate:
    """The gate with this identity; `lock` for whoever decides on it."""
    if lock:
        _lock(tx, gate_id)
    row = tx.connection.execute(select(_gates).where(_gates.c.id == gate_id)).one_or_none()
    if row is None:
        raise UnknownGate(gate=gate_id, key="any")
    return _gate(tx, row)


def _lock(tx: Tx, gate_id: str) -> None:
    """Lock the case, then the gate: a step that consumes the gate holds its case first, too."""
    if tx.connection.dialect.name == "sqlite":
        return  # whoever writes holds the only lock already
    query = select(_gates.c.case_id).where(_gates.c.id == gate_id)
    case_id = tx.connection.execute(query).scalar_one_or_none()
    if case_id is not None:
        cases.lock(tx, case_id)
        tx.connection.execute(query.with_for_update(key_share=True))


def find(tx: Tx, case_id: str, name: str, *, lock: bool = False) -> Gate:
    """The gate of a case with this name; `UnknownGate` when there is none."""
    query = select(_gates.c.id).where(_gates.c.case_id == case_id, _gates.c.name == name)
    gate_id = tx.connection.execute(query).scalar_one_or_none()
    if gate_id is None:
        raise UnknownGate(gate=name, key=case_id)
    return get(tx, gate_id, lock=lock)


def of_case(tx: Tx, case_id: str) -> list[Gate]:
    """The gates of a case in the order in which they opened."""
    query = select(_gates).where(_gates.c.case_id == case_id).order_by(_gates.c.opened_at, _gates.c.name)
    return [_gate(tx, row) for row in tx.connection.execute(query)]


def all_open(tx: Tx) -> list[Gate]:
    """Every open gate, the earliest deadline first."""
    query = (
        select(_gates).where(_gates.c.state == GateState.OPEN).order_by(_gates.c.due_by, _gates.c.opened_at)
    )
    return [_gate(tx, row) for row in tx.connection.execute(query)]


def _gate(tx: Tx, row: Row[Any]) -> Gate:
    data = row._asdict()
    question = tx.unseal(data["customer"], f"gate/{data['id']}", data.pop("question_sealed"))
    data["question"] = question_from(question)
    data["rule"] = GateRule.model_validate(data["rule"])
    data["documents"] = tuple(data["documents"])
    data["decided_by"] = tuple(data["decided_by"] or ())
    data["state"] = GateState(data["state"])
    return Gate(**data)


def apply(
    tx: Tx, gate: Gate, answers: list[Answer], *, closing: bool = False, accepted: bool = False
) -> Gate:
    """Judge a locked gate by its answers, store what follows, tell the case; the gate as it is then.

    `closing` says that its deadline has passed, `accepted` that the notice provably arrived (S-2.6.4).
    """
    judgement = judge(gate.rule, answers, closed_at_deadline=closing, notice_accepted=accepted)
    state = _STATE_OF[str(judgement.state)]
    if state == gate.state:
        return gate
    tx.connection.execute(
        update(_gates)
        .where(_gates.c.id == gate.id)
        .values(
            state=state,
            verb=str(judgement.verb) if judgement.verb else None,
            option=judgement.option,
            decided_by=list(judgement.decided_by),
            reason=judgement.reason,
            closed_at=None if state == GateState.OPEN else tx.now,
        )
    )
    _prove_change(tx, gate, state, judgement)
    if state == GateState.OPEN:
        wake_ups.revive(tx, gate.id)
    else:
        wake_ups.cancel(tx, gate.id)
    cases.wake(tx, gate.case_id)
    return get(tx, gate.id)


def _prove_change(tx: Tx, gate: Gate, state: GateState, judgement: Judgement) -> None:
    payload = {
        "gate": gate.name,
        "verb": str(judgement.verb) if judgement.verb else None,
        "option": judgement.option,
        "decided_by": list(judgement.decided_by),
        "reason": judgement.reason,
        "shown": gate.shown_digest,
    }
    about = f"gate:{gate.id}"
    tx.prove(_EVENT_OF[state], gate.customer, payload, case_id=gate.case_id, about=about, clause=gate.clause)


def consume(tx: Tx, lease: Lease, name: str, by: str) -> Gate:
    """Use a fulfilled gate for the step `by`, once and for ever; answers change nothing after this.

    Raises:
        GateReopened: the gate is not fulfilled (any more), or served another step.
    """
    gate = find(tx, lease.case_id, name, lock=True)
    if gate.consumed_by == by:
        return gate
    if gate.state != GateState.FULFILLED or gate.consumed_by is not None:
        state = f"used for {gate.consumed_by}" if gate.consumed_by else str(gate.state)
        raise GateReopened(gate=name, key=lease.key, state=state)
    return _mark_consumed(tx, gate, by)


def settle(tx: Tx, lease: Lease, name: str, by: str) -> Gate | None:
    """Take the answer of a gate for good, whatever it is; nothing while it is open."""
    gate = find(tx, lease.case_id, name, lock=True)
    if gate.state == GateState.OPEN:
        return None
    return gate if gate.consumed_by else _mark_consumed(tx, gate, by)


def _mark_consumed(tx: Tx, gate: Gate, by: str) -> Gate:
    values = {"consumed_at": tx.now, "consumed_by": by}
    tx.connection.execute(update(_gates).where(_gates.c.id == gate.id).values(values))
    payload = {"gate": gate.name, "by": by, "state": str(gate.state)}
    tx.prove(Event.GATE_CONSUMED, gate.customer, payload, case_id=gate.case_id, about=f"gate:{gate.id}")
    return get(tx, gate.id)


def revoke_all(tx: Tx, case_id: str, reason: str) -> None:
    """Ask nothing more in a case: its open gates are revoked and their links are dead."""
    query = select(_gates.c.id).where(_gates.c.case_id == case_id, _gates.c.state == GateState.OPEN)
    for gate_id in tx.connection.execute(query.order_by(_gates.c.opened_at, _gates.c.name)).scalars().all():
        revoke(tx, gate_id, reason)


def revoke(tx: Tx, gate_id: str, reason: str) -> None:
    """Withdraw a question; its links answer as unknown from now on."""
    gate = get(tx, gate_id, lock=True)
    if gate.state != GateState.OPEN:
        return
    values = {"state": GateState.REVOKED, "closed_at": tx.now, "reason": reason}
    tx.connection.execute(update(_gates).where(_gates.c.id == gate_id).values(values))
    links.revoke(tx, gate_id)
    wake_ups.cancel(tx, gate_id)
    payload = {"gate": gate.name, "reason": reason}
    tx.prove(Event.GATE_REVOKED, gate.customer, payload, case_id=gate.case_id, about=f"gate:{gate_id}")
    cases.wake(tx, gate.case_id)


def close_due(tx: Tx, gate_id: str) -> Gate:
    """Close a gate whose deadline has passed, if it closes then at all."""
    from nakoming.records import answers

    gate = get(tx, gate_id, lock=True)
    if gate.state != GateState.OPEN or not has_ended(tx, gate):
        return gate
    return judge_again(tx, gate, answers.for_rule(tx, gate.id))


def has_ended(tx: Tx, gate: Gate) -> bool:
    """Whether a locked gate closes at its deadline, and that has passed: an act counts when at ≤ it."""
    return gate.closes_at_deadline and gate.due_by is not None and tx.now > gate.due_by


def judge_again(tx: Tx, gate: Gate, given: list[Answer]) -> Gate:
    """Judge a locked gate by all its answers, as it stands before or after its deadline."""
    if not has_ended(tx, gate):
        return apply(tx, gate, given)
    return apply(tx, gate, given, closing=True, accepted=outbox.notice_accepted(tx, gate.id, gate.due_by))


DEFEATING = frozenset({Verb.REQUEST_CHANGES, Verb.REFUSE, Verb.OBJECT, Verb.WITHHOLD})
