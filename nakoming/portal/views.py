"""What a page shows, read from the records in one transaction and put into the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nakoming.agreement.in_words import deadline_in_words, instant_in_words
from nakoming.portal.filling import SEPARATOR
from nakoming.records import answers, documents, gates, links, proofs
from nakoming.records.events import Event
from nakoming.records.gate_model import GateState

if TYPE_CHECKING:
    from nakoming.portal.passes import Passes
    from nakoming.portal.sight import Sight
    from nakoming.portal.texts import Words
    from nakoming.records.documents import Document
    from nakoming.records.gate_model import AnswerRecord, Gate
    from nakoming.records.proofs import Proof
    from nakoming.records.store import Tx


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A person who is asked, and what they answered."""

    name: str
    is_reader: bool
    answer: AnswerRecord | None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One of the answers to choose from."""

    value: str
    label: str
    next: str


@dataclass(frozen=True, kw_only=True)
class QuestionView:
    """A question with all that stands around it."""

    sight: Sight
    gate: Gate
    documents: tuple[Document, ...]
    people: tuple[Asked, ...]
    mine: AnswerRecord | None
    brought: tuple[Document, ...]
    proof: Proof | None

    @property
    def is_late(self) -> bool:
        """Whether the deadline closes it although nobody has written so yet."""
        due = self.gate.due_by
        return self.gate.closes_at_deadline and due is not None and self.sight.now > due

    @property
    def may_answer(self) -> bool:
        """Whether this person can (still) answer."""
        if self.mine is not None or self.is_late or self.gate.consumed_at:
            return False
        return self.gate.state in {GateState.OPEN, GateState.FULFILLED} and bool(self.offered)

    @property
    def offered(self) -> tuple[str, ...]:
        """The verbs this person may choose from: after the fulfilment only those against it."""
        verbs = self.gate.rule.offered
        if self.gate.state == GateState.FULFILLED:
            verbs = tuple(verb for verb in verbs if verb in gates.DEFEATING)
        return tuple(str(verb) for verb in verbs)

    @property
    def may_retract(self) -> bool:
        """Whether this person can take the answer back."""
        ended = self.gate.state in {GateState.REVOKED, GateState.EXPIRED}
        return self.mine is not None and not self.gate.consumed_at and not ended


def load(tx: Tx, sight: Sight) -> QuestionView:
    """Read what stands around a question; the gate anew, as it may have changed since it was looked at."""
    gate = gates.get(tx, sight.gate.id)
    given = [answer for answer in answers.of_gate(tx, gate.id) if answer.retracted_at is None]
    reader = sight.link.contact.person
    mine = next((answer for answer in given if answer.person == reader), None)
    return QuestionView(
        sight=sight,
        gate=gate,
        documents=tuple(documents.get(tx, gate.customer, each) for each in gate.documents),
        people=_people(tx, gate, given, reader),
        mine=mine,
        brought=tuple(documents.get(tx, gate.customer, each) for each in mine.documents) if mine else (),
        proof=proofs.find(tx, f"answer:{mine.id}", Event.GATE_ANSWERED) if mine else None,
    )


def _people(tx: Tx, gate: Gate, given: list[AnswerRecord], reader: str) -> tuple[Asked, ...]:
    by_person = {answer.person: answer for answer in given}
    eligible = gate.rule.eligible
    asked = [
        Asked(
            name=link.contact.name,
            is_reader=link.contact.person == reader,
            answer=by_person.get(link.contact.person),
        )
        for link in links.of_gate(tx, gate.id)
        if link.contact.person in eligible
    ]
    return tuple(sorted(asked, key=lambda each: (not each.is_reader, each.name)))


@dataclass(frozen=True)
class Reading:
    """A question in the words of one language."""

    view: QuestionView
    words: Words

    @property
    def texts(self) -> dict[str, Any]:
        """The question's own texts; in another language when this one is not there."""
        given = self.view.gate.question.texts
        return given.get(self.words.language) or next(iter(given.values()))

    def offers(self) -> list[Offer]:
        """The answers to choose from; each option of a choice is one of them."""
        found = []
        for verb in self.view.offered:
            text = self.texts.get("verbs", {}).get(verb, {})
            if verb == "choose":
                labels = self.texts.get("options", {})
                found += [
                    Offer(
                        value=f"{verb}{SEPARATOR}{option}",
                        label=str(labels.get(option, option)),
                        next=str(text.get("next", "")),
                    )
                    for option in self.view.gate.rule.options
                ]
            else:
                found.append(Offer(value=verb, label=self.verb(verb), next=str(text.get("next", ""))))
        return found

    def outcomes(self) -> list[Offer]:
        """What happens after each answer, for the first look; without labels when it is the same for all."""
        offers = self.offers()
        if len(offers) > 1 and len({offer.next for offer in offers}) == 1:
            offers = [Offer(value="", label="", next=offers[0].next)]
        return [offer for offer in offers if offer.next]

    def verb(self, verb: str, option: str | None = None) -> str:
        """An answer in words."""
        if option is not None:
            return str(self.texts.get("options", {}).get(option, option))
        label = self.texts.get("verbs", {}).get(verb, {}).get("label")
        if label:
            return str(label)
        return self.words(f"verbs.{verb}") if self.words.has(f"verbs.{verb}") else verb

    def verbs(self, verbs: tuple[str, ...]) -> str:
        """Several answers in words, of those that can be chosen here."""
        return ", ".join(f"“{self.verb(verb)}”" for verb in verbs if verb in self.view.offered)

    def next_of(self, verb: str) -> str:
        """What happens after an answer."""
        return str(self.texts.get("verbs", {}).get(verb, {}).get("next", ""))

    def label(self, field: str) -> str:
        """The label of a field of the question."""
        if field == "remark":
            return self.words("question.remark")
        return str(self.texts.get("fields", {}).get(field, field))

    def closed_at(self) -> str:
        """When it closed, in words."""
        gate = self.view.gate
        if gate.state in {GateState.OPEN, GateState.EXPIRED} and gate.due_by is not None:
            return self.words("closed.due", at=deadline_in_words(gate.due_by, self.words.language))
        at = gate.closed_at or gate.consumed_at or self.view.sight.now
        return self.words("closed.at", at=instant_in_words(at, self.words.language))

    def outcome(self) -> str:
        """What was decided, in words."""
        gate = self.view.gate
        if gate.verb is not None:
            names = self._names(gate.decided_by)
            return self.words("closed.decided", answer=self.verb(gate.verb, gate.option), names=names)
        if gate.state == GateState.OPEN and gate.kind == "objection_window":
            return ""  # whether silence was consent is judged when it is closed
        return self.words("closed.silent" if gate.state == GateState.FULFILLED else "closed.expired")

    def needed(self) -> str:
        """How many answers are needed."""
        needed = self.view.gate.rule.needed
        if isinstance(needed, int):
            return self.words("people.needed_some", count=needed)
        return self.words(f"people.needed_{needed}")

    def _names(self, persons: tuple[str, ...]) -> str:
        answered = {asked.answer.person: asked.name for asked in self.view.people if asked.answer}
        return ", ".join(answered.get(person, person.rpartition(":")[2]) for person in persons)


NOTHING: Final = ("", "–")
"""Values of facts that are not shown."""


@dataclass(frozen=True, kw_only=True)
class OpenQuestion:
    """A line in the list of open questions; `about` tells apart two that ask the same of other requests."""

    link_id: str
    title: str
    about: tuple[tuple[str, str], ...]
    due: str | None
    answered: bool
    reachable: bool


def open_questions(tx: Tx, sight: Sight, words: Words) -> list[OpenQuestion]:
    """What waits for the person of this link, at this customer; the earliest deadline first."""
    found = []
    for link in links.open_questions(tx, sight.link.contact.person, sight.link.customer):
        gate = gates.get(tx, link.gate_id)
        texts = gate.question.texts.get(words.language) or next(iter(gate.question.texts.values()))
        given = [answer.person for answer in answers.of_gate(tx, gate.id) if answer.retracted_at is None]
        facts = texts.get("about", ())
        found.append(
            OpenQuestion(
                link_id=link.id,
                title=str(texts["title"]),
                about=tuple((label, value) for label, value in facts if value not in NOTHING)[:2],
                due=deadline_in_words(gate.due_by, words.language) if gate.due_by else None,
                answered=link.contact.person in given,
                reachable=gate.kind != "discharge" or link.id == sight.link.id,
            )
        )
    return found


def kept_documents(
    tx: Tx, passes: Passes, sight: Sight, marks: tuple[str, ...]
) -> list[tuple[str, Document]]:
    """Uploads that came before, with the marks that prove it."""
    found = []
    for mark in marks:
        document_id = passes.marked(sight.held, mark)
        if document_id:
            found.append((mark, documents.get(tx, sight.link.customer, document_id)))
    return found
