"""Makes the context of a mail from the records as they are when it is sent, in its reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nakoming.agreement.local_time import local_date
from nakoming.agreement.people import holders
from nakoming.records import agreements, answers, cases, documents, gates, links, proofs
from nakoming.records.events import Event
from nakoming.records.gate_model import GateState
from nakoming.records.outbox import MESSAGE_DOMAIN
from tasks.mail.contexts import Document, Kind, Language, parse_context
from tasks.people import VENDOR
from tasks.postman import wording
from tasks.postman.errors import MailUncomposable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nakoming.agreement.people import Person
    from nakoming.records.gate_model import AnswerRecord, Gate
    from nakoming.records.outbox import QueuedMail
    from nakoming.records.proofs import Proof
    from nakoming.records.store import Tx
    from tasks.mail.contexts import MailContext

RETRACTION = "retraction"
"""A mail of the outbox that is written as a receipt: the answer that was given counts no more."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a mail says, and the head of a chain that leaves with it."""

    kind: Kind
    context: MailContext
    answer_to: str
    head: Proof | None = None


@dataclass(frozen=True)
class _Material:
    """A mail that is being drafted."""

    tx: Tx
    mail: QueuedMail
    language: Language

    @property
    def gate(self) -> Gate:
        """The gate it is about."""
        if self.mail.gate_id is None:
            raise self.lacks("it names no question")
        return gates.get(self.tx, self.mail.gate_id)

    def lacks(self, reason: str) -> MailUncomposable:
        """What the records do not hold."""
        return MailUncomposable(mail=self.mail.id, kind=self.mail.kind, reason=reason)

    def shown(self, ids: Iterable[str]) -> list[Document]:
        """Documents by name and digest, each once."""
        found = [documents.get(self.tx, self.mail.customer, each) for each in dict.fromkeys(ids)]
        return [Document(name=document.name, sha256=document.sha256) for document in found]


def draft(tx: Tx, mail: QueuedMail) -> Draft:
    """What a mail says now.

    Raises:
        MailUncomposable: the records do not hold what it needs.
        pydantic.ValidationError: what they hold is not what its kind says.
    """
    material = _Material(tx, mail, Language(mail.recipient.language))
    kind = Kind.RECEIPT if mail.kind == RETRACTION else Kind(mail.kind)
    values, head = _MAKERS[kind](material)
    common, answer_to = _common(material)
    return Draft(kind=kind, context=parse_context(kind, common | values), answer_to=answer_to, head=head)


def _common(material: _Material) -> tuple[dict[str, Any], str]:
    """To whom, from whom, about which case, where to ask (in words, and as an address)."""
    tx, mail = material.tx, material.mail
    vendor = agreements.vendor(tx)
    case = mail.context.get("case") or vendor.name
    if mail.case_id is not None:
        case = wording.case_name(cases.get(tx, mail.case_id), material.language)
    contact, answer_to = vendor.operators_email, vendor.operators_email
    in_charge = holders(vendor.persons, "account_manager", local_date(tx.now))
    if in_charge and not mail.recipient.person.startswith(f"{VENDOR}:"):
        contact, answer_to = _reached(in_charge[0]), in_charge[0].email
    return {
        "recipient_name": mail.recipient.name,
        "vendor_name": vendor.name,
        "case": case,
        "contact": contact,
    }, answer_to


def _reached(person: Person) -> str:
    return ", ".join(part for part in (person.name, person.email, person.phone) if part)


_Made = tuple[dict[str, Any], "Proof | None"]


def _asked(material: _Material) -> _Made:
    gate, language = material.gate, material.language
    texts = wording.texts_of(gate, language)
    return {
        "title": texts["title"],
        "asked": texts["ask"],
        "answer_by": gate.due_by,
        "happens_next": wording.happens_next(gate, language),
        "documents": material.shown(gate.documents),
        "calendar_id": f"gate-{gate.id}@{MESSAGE_DOMAIN}",
    }, None


def _reminder(material: _Material) -> _Made:
    """`number` counts the reminders of a question."""
    values, head = _asked(material)
    return values | {"number": material.mail.context.get("number", 1)}, head


def _escalation(material: _Material) -> _Made:
    """`level` is the step of the escalation ladder."""
    values, head = _asked(material)
    tx, gate = material.tx, material.gate
    answered = {answer.person for answer in answers.of_gate(tx, gate.id) if answer.retracted_at is None}
    open_to = [link.contact for link in links.of_gate(tx, gate.id) if link.contact.person not in answered]
    return values | {
        "asked_of": [contact.name for contact in open_to],
        "asked_at": gate.opened_at,
        "level": material.mail.context.get("level", 1),
    }, head


def _receipt(material: _Material) -> _Made:
    tx, mail, gate, language = material.tx, material.mail, material.gate, material.language
    answer = answers.get(tx, mail.context["answer"])
    back = mail.kind == RETRACTION
    proof = proofs.find(tx, f"answer:{answer.id}", Event.GATE_RETRACTED if back else Event.GATE_ANSWERED)
    if proof is None:
        raise material.lacks("there is no evidence of the answer it tells")
    decided = wording.decision(gate, answer, language)
    return {
        "title": wording.texts_of(gate, language)["title"],
        "decision": wording.taken_back(decided, language) if back else decided,
        "decided_by": _name(tx, gate, answer.person),
        "decided_for": _organisation(tx, gate, answer.person),
        "decided_at": (answer.retracted_at or proof.at) if back else answer.at,
        "remarks": wording.remarks(gate, answer, language),
        "documents": material.shown((*gate.documents, *answer.documents)),
        "may_be_taken_back": not back and _may_be_taken_back(gate, answer),
        **_place(proof),
    }, proof


def _place(proof: Proof) -> dict[str, Any]:
    return {"evidence_number": proof.seq, "chain_head": f"{proof.seq}:{proof.leaf}"}


def _may_be_taken_back(gate: Gate, answer: AnswerRecord) -> bool:
    ended = gate.state in {GateState.REVOKED, GateState.EXPIRED}
    return gate.consumed_at is None and not ended and answer.retracted_at is None


def _name(tx: Tx, gate: Gate, person: str) -> str:
    contacts = {link.contact.person: link.contact.name for link in links.of_gate(tx, gate.id)}
    return contacts.get(person, person.partition(":")[2] or person)


def _organisation(tx: Tx, gate: Gate, person: str) -> str:
    side = person.partition(":")[0]
    return agreements.vendor(tx).name if side == VENDOR else agreements.get(tx, gate.customer).name


def _told(material: _Material) -> _Made:
    """A notice, or what operators are told: its words were written when it was put into the outbox."""
    return {name: value for name, value in material.mail.context.items() if name != "case"}, None


def _operators(material: _Material) -> _Made:
    values, head = _told(material)
    pairs = values.get("details", ())
    return values | {"details": [{"label": label, "value": value} for label, value in pairs]}, head


def _closed(material: _Material) -> _Made:
    """Its context names the event of the evidence whose number and head it tells."""
    tx, mail = material.tx, material.mail
    values, _ = _told(material)
    event = Event(values.pop("event"))
    proof = proofs.find_of_case(tx, mail.case_id, event) if mail.case_id else None
    if proof is None:
        raise material.lacks("there is no evidence that the case ended")
    shown = material.shown(values.pop("documents", ()))
    return {"closed_at": proof.at} | values | {"documents": shown, **_place(proof)}, proof


_MAKERS: dict[Kind, Callable[[_Material], _Made]] = {
    Kind.QUESTION: _asked,
    Kind.LINK_REISSUED: _asked,
    Kind.REMINDER: _reminder,
    Kind.ESCALATION: _escalation,
    Kind.RECEIPT: _receipt,
    Kind.NOTICE: _told,
    Kind.OPERATORS: _operators,
    Kind.CLOSED: _closed,
}
