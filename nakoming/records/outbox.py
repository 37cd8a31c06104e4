"""The outbox: mails are written in the transaction that wants them, and sent by the postman afterwards.

A mail is `repeat` with the same Message-ID: a crash in the one window after the server's 250 may send
it twice. Arrival has grades: relayed (our relay took it), accepted (the recipient's own server took it),
bounced.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, update

from nakoming.records import schema
from nakoming.records.errors import KeyDestroyed, KeyMissing, SealBroken
from nakoming.records.events import Event
from nakoming.records.gate_model import Contact
from nakoming.records.mail_model import Mail, MailState, QueuedMail
from nakoming.records.owners import is_dead
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from nakoming.records.store import Tx

__all__ = [
    "BACK_OFF",
    "MESSAGE_DOMAIN",
    "NOTICES",
    "Mail",
    "MailState",
    "QueuedMail",
    "arrived",
    "bounced",
    "by_message",
    "claim",
    "deferred",
    "notice_accepted",
    "of_case",
    "of_gate",
    "put",
    "refused",
    "renew",
    "sent",
    "void",
    "waiting",
]
_outbox = schema.outbox
BACK_OFF = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)
MESSAGE_DOMAIN = "nakoming.invalid"
NOTICES = ("question", "link_reissued")  # the mails whose arrival proves that somebody was asked
_SENDING_LIMIT = timedelta(minutes=2)
_TO_BE_SENT = (MailState.QUEUED, MailState.SENDING)


def put(tx: Tx, mail: Mail) -> str:
    """Write a mail with this transaction; its identity. The same key a second time is the same mail."""
    known = select(_outbox.c.id).where(_outbox.c.key == mail.key)
    if found := tx.connection.execute(known).scalar_one_or_none():
        return str(found)
    mail_id = new_id()
    row = {
        "id": mail_id,
        "key": mail.key,
        "case_id": mail.case_id,
        "gate_id": mail.gate_id,
        "link_id": mail.link_id,
        "generation": mail.generation,
        "customer": mail.customer,
        "kind": mail.kind,
        "language": mail.recipient.language,
        "recipient_sealed": tx.seal(mail.customer, f"mail/{mail_id}/to", mail.recipient.as_data()),
        "context_sealed": tx.seal(mail.customer, f"mail/{mail_id}", mail.context),
        "about": mail.about,
        "message_id": f"<{mail_id}@{MESSAGE_DOMAIN}>",
        "state": MailState.QUEUED,
        "next_at": tx.now,
        "queued_at": tx.now,
    }
    if not tx.insert_once(_outbox, row):  # somebody else wrote it at the same moment
        return str(tx.connection.execute(known).scalar_one())
    return mail_id


def claim(tx: Tx, owner: str, limit: int = 20) -> list[QueuedMail]:
    """Take mails that are due, and those whose sender died: the attempt is committed before the sending.

    A mail is a sender's for two minutes; `renew` before each sending when there are many. One that cannot be
    read (its key is away) is left out, and tried again after those two minutes; one whose key was destroyed
    ends here, with evidence.
    """
    taken: list[QueuedMail] = []
    while len(taken) < limit and (rows := _claimable(tx, owner, limit - len(taken))):
        taken += [mail for row in rows if (mail := _take(tx, row, owner)) is not None]
    return taken


def _claimable(tx: Tx, owner: str, limit: int) -> Sequence[Row[Any]]:
    c = _outbox.c
    due = and_(c.state.in_(_TO_BE_SENT), c.next_at <= tx.now)
    orphaned = and_(c.state == MailState.SENDING, c.owner.in_(_dead_senders(tx)), c.owner != owner)
    query = select(_outbox).where(or_(due, orphaned))
    query = query.order_by(c.queued_at, c.id).limit(limit).with_for_update(skip_locked=True)
    return tx.connection.execute(query).all()


def _take(tx: Tx, row: Row[Any], owner: str) -> QueuedMail | None:
    values: dict[str, Any] = {
        "state": MailState.SENDING,
        "owner": owner,
        "attempts": row.attempts + 1,
        "next_at": tx.now + _SENDING_LIMIT,
    }
    mail = None
    try:
        mail = _mail(tx, row)
    except KeyDestroyed as destroyed:
        values = _ended(tx, MailState.REFUSED, str(destroyed))
        body = {"kind": row.kind, "message_id": row.message_id, "error": str(destroyed)}
        tx.prove(Event.MAIL_REFUSED, row.customer, body, case_id=row.case_id, about=f"mail:{row.id}")
    except (KeyMissing, SealBroken) as unreadable:
        values["last_error"] = str(unreadable)
    _set(tx, row.id, values)
    return mail


def _dead_senders(tx: Tx) -> list[str]:
    query = select(_outbox.c.owner).where(_outbox.c.state == MailState.SENDING, _outbox.c.owner.is_not(None))
    return [owner for owner in tx.connection.execute(query.distinct()).scalars() if is_dead(owner)]


def renew(tx: Tx, mail: QueuedMail, owner: str) -> bool:
    """Keep a claimed mail for two more minutes; false: another sender took it over by now."""
    c = _outbox.c
    ours = update(_outbox).where(c.id == mail.id, c.state == MailState.SENDING, c.owner == owner)
    ours = ours.where(c.attempts == mail.attempts + 1)  # a claimed mail holds the attempts before this one
    return tx.connection.execute(ours.values(next_at=tx.now + _SENDING_LIMIT)).rowcount == 1


def sent(tx: Tx, mail: QueuedMail, *, accepted: bool, digest: str) -> None:
    """A server took the mail; `accepted` when it was the recipient's own. `digest`: of what was sent.

    A delivery notice may have been quicker than this: what it said stands.
    """
    state = MailState.ACCEPTED if accepted else MailState.RELAYED
    values: dict[str, Any] = {"state": state, "relayed_at": tx.now, "owner": None, "last_error": None}
    if accepted:
        values["settled_at"] = tx.now
    _lock(tx, mail)
    if not _set(tx, mail.id, values, _outbox.c.state.not_in((MailState.ACCEPTED, MailState.BOUNCED))):
        _set(tx, mail.id, {"relayed_at": tx.now, "owner": None})
    _prove(tx, Event.MAIL_ACCEPTED if accepted else Event.MAIL_RELAYED, mail, {"message": digest})


def deferred(tx: Tx, mail: QueuedMail, error: str) -> None:
    """Try again later: 4xx, no connection, a time-out. Nothing when another sender took the mail over."""
    c = _outbox.c
    _lock(tx, mail)
    pause = BACK_OFF[min(mail.attempts, len(BACK_OFF) - 1)]
    values = {"state": MailState.QUEUED, "owner": None, "next_at": tx.now + pause, "last_error": error}
    _set(tx, mail.id, values, c.state == MailState.SENDING, c.attempts <= mail.attempts + 1)


def refused(tx: Tx, mail: QueuedMail, error: str) -> bool:
    """The server refuses for good: shown on the gate, told to the operators.

    False, and nothing is changed: a repeat was refused of a mail that went out, or arrived, before.
    """
    _lock(tx, mail)
    if not _set(tx, mail.id, _ended(tx, MailState.REFUSED, error), _outbox.c.state.in_(_TO_BE_SENT)):
        return False
    _prove(tx, Event.MAIL_REFUSED, mail, {"error": error})
    return True


def void(tx: Tx, mail: QueuedMail) -> None:
    """A mail that was overtaken before it was sent: it is not sent any more."""
    _set(tx, mail.id, _ended(tx, MailState.VOID, None), _outbox.c.state.in_(_TO_BE_SENT))


def _ended(tx: Tx, state: MailState, error: str | None) -> dict[str, Any]:
    return {"state": state, "owner": None, "settled_at": tx.now, "last_error": error}


def arrived(tx: Tx, message_id: str) -> QueuedMail | None:
    """A delivery notice says that the recipient's server took it; nothing for an unknown message.

    It also says so of a mail that stands in the queue: a sender died after the 250, or the records are older
    than the mail because they were restored from a backup.
    """
    mail = by_message(tx, message_id)
    if mail is None or mail.state not in {MailState.RELAYED, *_TO_BE_SENT}:
        return mail
    _set(tx, mail.id, {"state": MailState.ACCEPTED, "settled_at": tx.now})
    _prove(tx, Event.MAIL_ACCEPTED, mail, {"by": "delivery notice"})
    return mail


def bounced(tx: Tx, message_id: str, reason: str) -> QueuedMail | None:
    """A delivery notice says that it came back; nothing for an unknown message or one that bounced before.

    A server that took a mail may still fail to deliver it: its notice undoes the grade. After a notice of
    delivery nothing is undone: "delivered" is a terminal state of which no further notice is to be expected
    (RFC 3464, 2.3.3).
    """
    mail = by_message(tx, message_id)
    if mail is None or mail.state == MailState.BOUNCED or _was_delivered(mail):
        return None
    _set(tx, mail.id, {"state": MailState.BOUNCED, "settled_at": tx.now, "last_error": reason})
    _prove(tx, Event.MAIL_BOUNCED, mail, {"reason": reason})
    return mail


def _was_delivered(mail: QueuedMail) -> bool:
    """Whether a notice said so: what a server said when it took the mail has the instant of the sending."""
    return mail.state == MailState.ACCEPTED and mail.settled_at != mail.relayed_at


def notice_accepted(tx: Tx, gate_id: str, by: datetime | None = None) -> bool:
    """Whether at least one person who was asked provably got the notice, `by` an instant (S-2.6.4)."""
    c = _outbox.c
    query = select(func.count()).select_from(_outbox)
    query = query.where(c.gate_id == gate_id, c.kind.in_(NOTICES))
    query = query.where(c.state == MailState.ACCEPTED)
    if by is not None:
        query = query.where(c.settled_at <= by)
    return bool(tx.connection.execute(query).scalar_one())


def of_case(tx: Tx, case_id: str) -> list[QueuedMail]:
    """The mails of a case, oldest first."""
    query = select(_outbox).where(_outbox.c.case_id == case_id).order_by(_outbox.c.queued_at, _outbox.c.id)
    return [_mail(tx, row) for row in tx.connection.execute(query)]


def of_gate(tx: Tx, gate_id: str) -> list[QueuedMail]:
    """The mails of a gate, oldest first."""
    query = select(_outbox).where(_outbox.c.gate_id == gate_id).order_by(_outbox.c.queued_at, _outbox.c.id)
    return [_mail(tx, row) for row in tx.connection.execute(query)]


def waiting(tx: Tx) -> int:
    """How many mails are still to be sent."""
    query = select(func.count()).select_from(_outbox).where(_outbox.c.state.in_(_TO_BE_SENT))
    return int(tx.connection.execute(query).scalar_one())


def by_message(tx: Tx, message_id: str) -> QueuedMail | None:
    """The mail that went out under this Message-ID (`<...@...>`), its row locked; none for an unknown one."""
    query = select(_outbox).where(_outbox.c.message_id == message_id).with_for_update()
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _mail(tx, row)


def _mail(tx: Tx, row: Row[Any]) -> QueuedMail:
    recipient = tx.unseal(row.customer, f"mail/{row.id}/to", row.recipient_sealed)
    return QueuedMail(
        id=row.id,
        key=row.key,
        kind=row.kind,
        customer=row.customer,
        recipient=Contact(**recipient),
        case_id=row.case_id,
        gate_id=row.gate_id,
        link_id=row.link_id,
        generation=row.generation,
        about=row.about,
        context=tx.unseal(row.customer, f"mail/{row.id}", row.context_sealed),
        message_id=row.message_id,
        state=MailState(row.state),
        attempts=row.attempts,
        queued_at=row.queued_at,
        relayed_at=row.relayed_at,
        settled_at=row.settled_at,
        last_error=row.last_error,
    )


def _lock(tx: Tx, mail: QueuedMail) -> None:
    tx.connection.execute(select(_outbox.c.id).where(_outbox.c.id == mail.id).with_for_update(key_share=True))


def _set(tx: Tx, mail_id: str, values: dict[str, Any], *only_if: ColumnElement[bool]) -> bool:
    changed = update(_outbox).where(_outbox.c.id == mail_id, *only_if).values(values)
    return tx.connection.execute(changed).rowcount == 1


def _prove(tx: Tx, event: Event, mail: QueuedMail, payload: dict[str, Any]) -> None:
    body = {"kind": mail.kind, "message_id": mail.message_id, "person": mail.recipient.person} | payload
    about = f"mail:{mail.id}"
    tx.prove(event, mail.customer, body, case_id=mail.case_id, about=about)
