"""What each kind of mail is made of: frozen models that are stored (encrypted) and rendered when it is sent.

Texts come in the reader's language from the caller. No model holds a link: its address carries a token, made
again from the key at the moment of sending.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _line(text: str) -> str:
    """One line: it may stand in a subject."""
    return " ".join(_CONTROLS.sub(" ", text).split())


def _paragraph(text: str) -> str:
    """Lines and blank lines stay, other control signs (and those that turn the direction of text) go."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n")).strip()


Line = Annotated[str, AfterValidator(_line), Field(min_length=1, max_length=500)]
Paragraph = Annotated[str, AfterValidator(_paragraph), Field(min_length=1, max_length=20_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ChainHead = Annotated[str, Field(pattern=r"^[1-9][0-9]*:[0-9a-f]{64}$")]


class Kind(StrEnum):
    """The kinds of mail there are."""

    QUESTION = "question"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    RECEIPT = "receipt"
    NOTICE = "notice"
    LINK_REISSUED = "link_reissued"
    OPERATORS = "operators"
    CLOSED = "closed"


class Language(StrEnum):
    """The languages mail is written in."""

    NL = "nl"
    EN = "en"


class Trouble(StrEnum):
    """What operators are told about."""

    CASE_STUCK = "case_stuck"
    MAIL_REFUSED = "mail_refused"
    ROLLED_BACK = "rolled_back"
    NOTICE_UNPROVEN = "notice_unproven"
    SCRIPT_CHANGED = "script_changed"
    CONNECTION_FAILS = "connection_fails"
    CONNECTION_BACK = "connection_back"
    EXCHANGE_REFUSED = "exchange_refused"
    EXCHANGE_DIFFERS = "exchange_differs"
    EXCHANGE_DEAD_LETTERS = "exchange_dead_letters"
    EXCHANGE_STALE = "exchange_stale"
    BACKUP_NIGHT = "backup_night"
    BACKUP_AGES = "backup_ages"
    BACKUP_FORECAST = "backup_forecast"
    BACKUP_SCRUB = "backup_scrub"
    RESTORE_DRILL = "restore_drill"
    DRILL_LATE = "drill_late"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(_Frozen):
    """A document as a mail names it: its name and, where the reader must be able to check it, its digest."""

    name: Line
    sha256: Sha256 | None = None


class Detail(_Frozen):
    """One labelled fact."""

    label: Line
    value: Line

    @property
    def pair(self) -> tuple[str, str]:
        """As the templates list facts."""
        return self.label, self.value


class MailContext(_Frozen):
    """What every mail says: to whom, from whom, about which case, and where to ask.

    Attributes:
        recipient_name: how the reader is addressed.
        vendor_name: who sends it.
        case: the case in the reader's terms, such as "RFC ACME-2026-014".
        contact: where to ask, in one line; empty: by answering.
    """

    recipient_name: Line
    vendor_name: Line
    case: Line
    contact: Line | None = None


class _Asked(MailContext):
    """A question that waits.

    Attributes:
        title: what it is about, in a few words.
        asked: what the reader is asked to do.
        answer_by: the deadline; an answer at that instant is still in time.
        happens_next: what follows from each answer, and from none.
        documents: what the question is about.
        calendar_id: the gate's own stable name: a calendar replaces the entry of an earlier mail.
        calendar_sequence: raised when the deadline of the same question changes.
    """

    title: Line
    asked: Paragraph
    answer_by: AwareDatetime | None = None
    happens_next: Paragraph | None = None
    documents: tuple[Document, ...] = ()
    calendar_id: Line | None = None
    calendar_sequence: int = Field(default=0, ge=0)


class Question(_Asked):
    """A gate waits for the reader."""


class Reminder(_Asked):
    """The same question again; `number` counts the reminders."""

    number: int = Field(default=1, ge=1)


class LinkReissued(_Asked):
    """A lost or spent link was replaced: earlier ones no longer work."""


class Escalation(_Asked):
    """A question that others left open goes one step up.

    Attributes:
        asked_of: who was asked before.
        asked_at: when they were asked.
        level: the step of the escalation ladder this mail belongs to.
    """

    asked_of: tuple[Line, ...]
    asked_at: AwareDatetime
    level: int = Field(ge=1)


class Receipt(MailContext):
    """Proof of a decision: who, what, when, on which documents, and its place in the evidence.

    Attributes:
        title: the question in a few words.
        decision: the answer in the reader's language.
        decided_by: name of the person who decided.
        decided_for: role or organisation of that person.
        decided_at: the instant the decision counts from.
        remarks: what the person added.
        documents: what was shown, with digests.
        evidence_number: number of the evidence record in the customer's chain.
        chain_head: `number:hash` of the chain's last record when this was written.
        may_be_taken_back: true while nothing was done on the strength of it.
    """

    title: Line
    decision: Line
    decided_by: Line
    decided_for: Line | None = None
    decided_at: AwareDatetime
    remarks: Paragraph | None = None
    documents: tuple[Document, ...] = ()
    evidence_number: int = Field(ge=1)
    chain_head: ChainHead
    may_be_taken_back: bool = False


class Notice(MailContext):
    """Plain information.

    Attributes:
        title: the subject.
        paragraphs: the text.
        link_label: what the button says, when a link is given; empty: "more".
        starts_at: begin of something to note in a calendar, such as a maintenance window.
        ends_at: its end; without it nothing goes in the calendar.
        documents: what it is about.
        calendar_id: a stable name for the entry.
        calendar_sequence: raised when the same entry changes.
    """

    title: Line
    paragraphs: tuple[Paragraph, ...] = Field(min_length=1)
    link_label: Line | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    documents: tuple[Document, ...] = ()
    calendar_id: Line | None = None
    calendar_sequence: int = Field(default=0, ge=0)


class Operators(MailContext):
    """Something the vendor's operators must act on.

    Attributes:
        trouble: which kind.
        happened: what happened, in a sentence.
        happened_at: when.
        details: facts such as step, attempts, server's answer; never a secret.
        to_do: what to do, one action each.
    """

    trouble: Trouble
    happened: Paragraph
    happened_at: AwareDatetime
    details: tuple[Detail, ...] = ()
    to_do: tuple[Line, ...] = ()


class Closed(MailContext):
    """A case has ended.

    Attributes:
        title: the case in a few words.
        outcome: how it ended, in a few words.
        closed_at: when.
        paragraphs: what was done, what is handed over.
        documents: what stays, with digests.
        evidence_number: number of the closing evidence record.
        chain_head: `number:hash` of the chain's last record when this was written.
    """

    title: Line
    outcome: Line
    closed_at: AwareDatetime
    paragraphs: tuple[Paragraph, ...] = ()
    documents: tuple[Document, ...] = ()
    evidence_number: int = Field(ge=1)
    chain_head: ChainHead


CONTEXTS: Final[Mapping[Kind, type[MailContext]]] = {
    Kind.QUESTION: Question,
    Kind.REMINDER: Reminder,
    Kind.ESCALATION: Escalation,
    Kind.RECEIPT: Receipt,
    Kind.NOTICE: Notice,
    Kind.LINK_REISSUED: LinkReissued,
    Kind.OPERATORS: Operators,
    Kind.CLOSED: Closed,
}


def parse_context(kind: Kind, stored: Mapping[str, Any]) -> MailContext:
    """The context of a stored mail.

    Raises:
        pydantic.ValidationError: the stored data is not of this kind.
    """
    return CONTEXTS[kind].model_validate(stored)
