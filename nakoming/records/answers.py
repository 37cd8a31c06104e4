"""Answers to gates: checked, stored, proven, and told to every officer who was asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from nakoming.agreement.gate_rules import Answer, Obstacle, Verb, obstacle
from nakoming.records import documents, gates, links, outbox, schema
from nakoming.records.errors import AlreadyAnswered, GateClosed, NotAsked, ShownChanged
from nakoming.records.events import Event
from nakoming.records.gate_model import AnswerRecord, GateState, Via
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from nakoming.records.gate_model import Field, Gate, Given
    from nakoming.records.store import Tx

_answers = schema.answers
REMARK_LIMIT = 4000
DAYS = re.compile(r"[1-9][0-9]{0,2}")
_FORMS = {
    "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "amount": re.compile(r"\d{1,9}(\.\d{2})?"),
    "days": DAYS,
}
_FORM_WORDS = {
    "date": "a date as 2027-01-31",
    "amount": "an amount in euro as 1250.00",
    "days": "a whole number of days from 1 to 999",
}
_FACT_LIMIT = {"text": 200, "long_text": REMARK_LIMIT}


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What the person who answered is told; `repeated` when the same answer was given before."""

    answer_id: str
    gate_id: str
    person: str
    verb: str
    option: str | None
    at: datetime
    state: GateState
    repeated: bool


def give(tx: Tx, gate_id: str, given: Given) -> Receipt:
    """Take an answer: the gate is locked first, the clock read once after it.

    Raises:
        GateClosed: it came after the deadline, or the question is settled.
        AlreadyAnswered: the person gave another answer before.
        ShownChanged: what was shown is not what is asked.
        NotAsked: this person, verb, option or fact does not belong to the question.
    """
    gate = gates.get(tx, gate_id, lock=True)
    before = _standing(tx, gate_id, given.person)
    if before is not None:
        return _repeated(tx, gate, before, given)
    _refuse_closed(tx, gate, given)
    if given.shown_digest != gate.shown_digest:
        raise ShownChanged
    _check(tx, gate, given)
    answer_id = _store(tx, gate, given)
    gate = gates.apply(tx, gate, for_rule(tx, gate.id))
    _tell_everyone(tx, gate, answer_id)
    return Receipt(
        answer_id=answer_id,
        gate_id=gate.id,
        person=given.person,
        verb=given.verb,
        option=given.option,
        at=tx.now,
        state=gate.state,
        repeated=False,
    )


def _repeated(tx: Tx, gate: Gate, before: Row[Any], given: Given) -> Receipt:
    same = (before.verb, before.option) == (given.verb, given.option)
    if not same:
        raise AlreadyAnswered(verb=before.verb)
    del tx
    return Receipt(
        answer_id=before.id,
        gate_id=gate.id,
        person=before.person,
        verb=before.verb,
        option=before.option,
        at=before.at,
        state=gate.state,
        repeated=True,
    )


def _refuse_closed(tx: Tx, gate: Gate, given: Given) -> None:
    """An approval may be objected to until its step consumes it; nothing else is taken after the end."""
    reopens = gate.state == GateState.FULFILLED and given.verb in gates.DEFEATING and not gate.consumed_at
    if gates.has_ended(tx, gate) or gate.consumed_at or not (gate.state == GateState.OPEN or reopens):
        raise GateClosed(closed_at=gate.consumed_at or gate.closed_at or gate.due_by or tx.now)


def _check(tx: Tx, gate: Gate, given: Given) -> None:
    _check_admitted(tx, gate, given)
    if given.verb in gate.question.remark_required and not given.remark.strip():
        raise NotAsked(what="An answer without a reason", allowed="a remark that says why")
    if len(given.remark) > REMARK_LIMIT:
        raise NotAsked(what=f"A remark of {len(given.remark)} characters", allowed=f"at most {REMARK_LIMIT}")
    _check_facts(gate, given)
    _check_documents(tx, gate, given)


def _check_admitted(tx: Tx, gate: Gate, given: Given) -> None:
    try:
        verb = Verb(given.verb)
    except ValueError:
        raise NotAsked(what=f"'{given.verb}'", allowed=", ".join(gate.rule.offered)) from None
    answer = Answer(person=given.person, verb=verb, option=given.option, at=tx.now)
    found = obstacle(gate.rule, (), answer)
    if found in {Obstacle.NOT_SEATED, Obstacle.OWN_REQUEST}:
        raise NotAsked(what="An answer by this person", allowed="those who were asked")
    if found is Obstacle.VERB_NOT_OFFERED:
        raise NotAsked(what=f"'{given.verb}'", allowed=", ".join(gate.rule.offered))
    if found is not None:
        raise NotAsked(what=f"The choice '{given.option}'", allowed=", ".join(gate.rule.options) or "none")


def _check_facts(gate: Gate, given: Given) -> None:
    known = {field.name for field in gate.question.fields}
    if unknown := given.facts.keys() - known:
        raise NotAsked(what=f"'{min(unknown)}'", allowed=", ".join(sorted(known)) or "no further fields")
    for field in gate.question.fields:
        if not field.verbs or given.verb in field.verbs:
            _check_fact(field, given.facts.get(field.name, "").strip())


def _check_fact(field: Field, value: str) -> None:
    if not value:
        if field.required:
            raise NotAsked(what=f"An answer without '{field.name}'", allowed="a value there")
        return
    form = re.compile(field.pattern) if field.pattern else _FORMS.get(field.kind)
    if (form and not form.fullmatch(value)) or (field.kind == "date" and not _is_a_day(value)):
        allowed = _FORM_WORDS.get(field.kind, f"what fits {field.pattern}")
        raise NotAsked(what=f"'{value[:60]}' as '{field.name}'", allowed=allowed)
    if field.least is not None and int(value) < field.least:
        raise NotAsked(what=f"'{value}' as '{field.name}'", allowed=f"{field.least} to 999 days")
    limit = _FACT_LIMIT.get(field.kind, 200)
    if len(value) > limit:
        raise NotAsked(what=f"'{field.name}' of {len(value)} characters", allowed=f"at most {limit}")


def _is_a_day(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _check_documents(tx: Tx, gate: Gate, given: Given) -> None:
    fewest, most = gate.question.documents
    if given.verb != Verb.DELIVER:
        fewest = 0
    if not fewest <= len(given.documents) <= most:
        raise NotAsked(what=f"An answer with {len(given.documents)} documents", allowed=f"{fewest} to {most}")
    for document in given.documents:
        documents.get(tx, gate.customer, document)


def _store(tx: Tx, gate: Gate, given: Given) -> str:
    answer_id = new_id()
    place = f"answer/{answer_id}"
    row = {
        "id": answer_id,
        "gate_id": gate.id,
        "person": given.person,
        "verb": given.verb,
        "option": given.option,
        "content_sealed": tx.seal(gate.customer, place, {"remark": given.remark, "facts": given.facts}),
        "documents": list(given.documents),
        "shown_digest": given.shown_digest,
        "at": tx.now,
        "via": given.via,
        "link_id": given.link_id,
        "generation": given.generation,
        "origin_sealed": tx.seal(gate.customer, f"{place}/origin", given.origin),
    }
    tx.connection.execute(insert(_answers).values(row))
    payload = {
        "gate": gate.name,
        "person": given.person,
        "verb": given.verb,
        "option": given.option,
        "remark": given.remark,
        "facts": given.facts,
        "documents": [documents.get(tx, gate.customer, document).sha256 for document in given.documents],
        "shown": given.shown_digest,
        "via": str(given.via),
        "link": given.link_id,
        "origin": given.origin,
    }
    about = f"answer:{answer_id}"
    tx.prove(Event.GATE_ANSWERED, gate.customer, payload, case_id=gate.case_id, about=about)
    return answer_id


def _tell_everyone(tx: Tx, gate: Gate, answer_id: str, kind: str = "receipt") -> None:
    """Every officer who was asked learns of every answer: a forwarded link does not stay unseen."""
    for link in links.of_gate(tx, gate.id):
        outbox.put(
            tx,
            outbox.Mail(
                key=f"{kind}/{answer_id}/{link.id}",
                kind=kind,
                customer=gate.customer,
                recipient=link.contact,
                case_id=gate.case_id,
                gate_id=gate.id,
                link_id=link.id,
                generation=link.generation,
                about=f"answer:{answer_id}",
                context={"answer": answer_id},
            ),
        )


def retract(tx: Tx, gate_id: str, person: str) -> AnswerRecord:
    """Take a misclick back, until a step has consumed the gate.

    Raises:
        GateClosed: a step used the answer already, or the question ended.
        NotAsked: the person gave no answer.
    """
    gate = gates.get(tx, gate_id, lock=True)
    if gate.consumed_at or gate.state in {GateState.REVOKED, GateState.EXPIRED}:
        raise GateClosed(closed_at=gate.consumed_at or gate.closed_at or tx.now)
    before = _standing(tx, gate_id, person)
    if before is None:
        raise NotAsked(what="Taking an answer back", allowed="only for who gave one")
    tx.connection.execute(update(_answers).where(_answers.c.id == before.id).values(retracted_at=tx.now))
    payload = {"gate": gate.name, "person": person, "verb": before.verb}
    about = f"answer:{before.id}"
    tx.prove(Event.GATE_RETRACTED, gate.customer, payload, case_id=gate.case_id, about=about)
    gate = gates.judge_again(tx, gate, for_rule(tx, gate_id))
    _tell_everyone(tx, gate, before.id, kind="retraction")
    return get(tx, before.id)


def _standing(tx: Tx, gate_id: str, person: str) -> Row[Any] | None:
    a = _answers.c
    query = select(_answers).where(a.gate_id == gate_id, a.person == person, a.retracted_at.is_(None))
    return tx.connection.execute(query).one_or_none()


def for_rule(tx: Tx, gate_id: str) -> list[Answer]:
    """The answers of a gate as its rule judges them, in the order in which they came."""
    return [
        Answer(
            person=answer.person,
            verb=Verb(answer.verb),
            option=answer.option,
            at=answer.at,
            retracted=answer.retracted_at is not None,
            reason=answer.remark,
        )
        for answer in of_gate(tx, gate_id)
    ]


def of_gate(tx: Tx, gate_id: str) -> list[AnswerRecord]:
    """The answers of a gate, oldest first, those that were taken back too."""
    query = select(_answers).where(_answers.c.gate_id == gate_id).order_by(_answers.c.at, _answers.c.id)
    return [_record(tx, row) for row in tx.connection.execute(query)]


def get(tx: Tx, answer_id: str) -> AnswerRecord:
    """The answer with this identity."""
    return _record(tx, tx.connection.execute(select(_answers).where(_answers.c.id == answer_id)).one())


def _record(tx: Tx, row: Row[Any]) -> AnswerRecord:
    customer = tx.connection.execute(
        select(schema.gates.c.customer).where(schema.gates.c.id == row.gate_id)
    ).scalar_one()
    content = tx.unseal(customer, f"answer/{row.id}", row.content_sealed)
    return AnswerRecord(
        id=row.id,
        gate_id=row.gate_id,
        person=row.person,
        verb=row.verb,
        option=row.option,
        remark=content["remark"],
        facts=content["facts"],
        documents=tuple(row.documents),
        at=row.at,
        via=Via(row.via),
        retracted_at=row.retracted_at,
    )
