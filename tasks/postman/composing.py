"""Composes a mail from the records, with its link, when it is sent; and tells whether it is overtaken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records import answers, gates, links
from nakoming.records.gate_model import GateState
from nakoming.records.heads import Head
from tasks.mail.contexts import Kind, Language
from tasks.mail.render import render
from tasks.postman.drafting import RETRACTION, draft

if TYPE_CHECKING:
    from email.message import EmailMessage

    from nakoming.records.outbox import QueuedMail
    from nakoming.records.proofs import Proof
    from nakoming.records.store import Tx

_ASKING = frozenset({Kind.QUESTION, Kind.REMINDER, Kind.ESCALATION})
_LINKED = _ASKING | {Kind.LINK_REISSUED, Kind.RECEIPT, RETRACTION}


def compose(tx: Tx, mail: QueuedMail, *, portal_url: str, sender: str) -> tuple[EmailMessage, Head | None]:
    """Make the mail as it goes out now, and the head of a chain that leaves with it, if one does.

    The same records give the same bytes: a mail repeated after a crash is the same mail. Its link is made of
    the key here and stored nowhere.

    Raises:
        MailUncomposable: the records do not hold what it needs.
        MailUnrenderable: an address, the Message-ID or the portal's address is not usable.
        pydantic.ValidationError: what the records hold is not what its kind says.
    """
    drafted = draft(tx, mail)
    message = render(
        drafted.kind,
        Language(mail.recipient.language),
        drafted.context,
        message_id=mail.message_id,
        sender=sender,
        recipient=mail.recipient.email,
        date_at=mail.queued_at,  # not the present: a repeat has the same bytes
        link=_link(tx, mail, portal_url),
    )
    message["Reply-To"] = drafted.answer_to  # the sender's mailbox is read for delivery notices only
    return message, _head(drafted.head)


def _head(proof: Proof | None) -> Head | None:
    return None if proof is None else Head(chain=proof.chain, seq=proof.seq, leaf=proof.leaf)


def _link(tx: Tx, mail: QueuedMail, portal_url: str) -> str | None:
    """The address behind the button: of the link's living generation, for a receipt outlives a lost link."""
    link = links.by_id(tx, mail.link_id) if mail.link_id and mail.kind in _LINKED else None
    if link is None or link.state != links.ACTIVE:
        return None
    return f"{portal_url.rstrip('/')}/q/{links.token(tx.records.keys, link.id, link.generation)}"


def is_overtaken(tx: Tx, mail: QueuedMail) -> bool:
    """Whether there is nothing to ask any more: another link, a gate that closed, an answer that was given.

    Receipts and notices are never overtaken.
    """
    if mail.kind not in _ASKING | {Kind.LINK_REISSUED} or mail.gate_id is None:
        return False
    if mail.link_id is not None and _link_is_dead(tx, mail):
        return True
    gate = gates.get(tx, mail.gate_id)
    if mail.kind == Kind.LINK_REISSUED:  # asked for by the person, who may still look at what was decided
        return gate.state == GateState.REVOKED
    if gate.state != GateState.OPEN or gates.has_ended(tx, gate):
        return True
    return any(
        answer.person == mail.recipient.person and answer.retracted_at is None
        for answer in answers.of_gate(tx, gate.id)
    )


def _link_is_dead(tx: Tx, mail: QueuedMail) -> bool:
    link = links.by_id(tx, mail.link_id or "")
    return link is None or link.state != links.ACTIVE or link.generation != mail.generation
