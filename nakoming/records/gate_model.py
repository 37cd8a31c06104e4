"""What a gate is made of: the question, who is asked, and what an answer looks like."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nakoming.records.types import canonical

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.agreement.gate_rules import GateRule


class GateState(StrEnum):
    """Where a gate stands."""

    OPEN = "open"
    FULFILLED = "fulfilled"
    DEFEATED = "defeated"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Via(StrEnum):
    """How an answer reached us."""

    LINK = "link"
    LETTER = "letter"
    TELEPHONE = "telephone"
    EMAIL = "email"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person who is asked. `person` is `<customer or vendor>:<person id>`."""

    person: str
    name: str
    email: str
    language: str
    role: str

    def as_data(self) -> dict[str, str]:
        """Plain data, as it is sealed."""
        return {
            "person": self.person,
            "name": self.name,
            "email": self.email,
            "language": self.language,
            "role": self.role,
        }


@dataclass(frozen=True, kw_only=True)
class Field:
    """A fact that an answer supplies. `kind` is text, date, amount, days or long_text.

    `least` is the lowest number of days that is taken; none: 1.
    """

    name: str
    kind: str = "text"
    required: bool = True
    pattern: str | None = None
    verbs: tuple[str, ...] = ()  # the verbs that need it; none named: all
    least: int | None = None

    def as_data(self) -> dict[str, Any]:
        """Plain data, as it is stored with the question."""
        # Questions that are open from before have no `least`, and their digest must stay what it was.
        bound = {} if self.least is None else {"least": self.least}
        return bound | {
            "name": self.name,
            "kind": self.kind,
            "required": self.required,
            "pattern": self.pattern,
            "verbs": list(self.verbs),
        }


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, in every language it may be read in; frozen in the records when the gate opens.

    `texts[language]` holds `title`, `ask`, `about` (a list of [label, value]), `verbs` (verb → `label`,
    `next`: what happens then), `options` (option → label) and `fields` (field name → label).
    """

    texts: dict[str, dict[str, Any]]
    fields: tuple[Field, ...] = ()
    documents: tuple[int, int] = (0, 0)  # fewest and most documents an answer brings along
    remark_required: tuple[str, ...] = ()  # verbs that need a remark

    def as_data(self) -> dict[str, Any]:
        """Plain data, as it is sealed and digested."""
        return {
            "texts": self.texts,
            "fields": [f.as_data() for f in self.fields],
            "documents": list(self.documents),
            "remark_required": list(self.remark_required),
        }


def question_from(data: dict[str, Any]) -> Question:
    """The question that `as_data` gave; fields that older records lack take their defaults."""
    fields = tuple(Field(**(f | {"verbs": tuple(f.get("verbs", ()))})) for f in data.get("fields", ()))
    fewest, most = data.get("documents", (0, 0))
    return Question(
        texts=data["texts"],
        fields=fields,
        documents=(fewest, most),
        remark_required=tuple(data.get("remark_required", ())),
    )


@dataclass(frozen=True, kw_only=True)
class Nudge:
    """A reminder or escalation planned with the gate; no `contacts` means those who are asked."""

    kind: str  # reminder, escalation
    name: str
    at: datetime
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GateSpec:
    """All that opening a gate needs. Instants are aware UTC."""

    name: str
    rule: GateRule
    question: Question
    contacts: tuple[Contact, ...]
    documents: tuple[str, ...] = ()
    due_by: datetime | None = None
    closes_at_deadline: bool = False
    clause: str | None = None
    due_origin: str = "customer"
    nudges: tuple[Nudge, ...] = ()
    label: str = ""  # what stands in the Prefect UI at its deadline


@dataclass(frozen=True, kw_only=True)
class ShownDocument:
    """A document of a question."""

    id: str
    name: str
    sha256: str
    media_type: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate as it lies in the records."""

    id: str
    case_id: str
    customer: str
    name: str
    kind: str
    rule: GateRule
    question: Question
    shown_digest: str
    documents: tuple[str, ...]
    state: GateState
    verb: str | None
    option: str | None
    decided_by: tuple[str, ...]
    reason: str | None
    opened_at: datetime
    due_by: datetime | None
    due_origin: str
    clause: str | None
    closes_at_deadline: bool
    closed_at: datetime | None
    consumed_at: datetime | None
    consumed_by: str | None


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a person answers. `origin` says from where (address, browser) or who entered it."""

    person: str
    verb: str
    shown_digest: str
    option: str | None = None
    remark: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    documents: tuple[str, ...] = ()
    via: Via = Via.LINK
    link_id: str | None = None
    generation: int | None = None
    origin: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AnswerRecord:
    """An answer as it lies in the records."""

    id: str
    gate_id: str
    person: str
    verb: str
    option: str | None
    remark: str
    facts: dict[str, str]
    documents: tuple[str, ...]
    at: datetime
    via: Via
    retracted_at: datetime | None


def shown_digest(question: Question, document_digests: list[str]) -> str:
    """The digest of what a person is shown: the question in all its languages, and each document."""
    shown = {"question": question.as_data(), "documents": sorted(document_digests)}
    return hashlib.sha256(canonical(shown)).hexdigest()
