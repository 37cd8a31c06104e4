"""Sends what is due: the attempt is committed before the mail leaves, the outcome with its evidence after it.

A crash between the server's 250 and the outcome sends the mail a second time, with the same Message-ID. That
window is the only one, and what went through it is counted (`repeated`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from blocks.mail_server import Grade, MailDeferred, MailMalformed, MailRefused, wire_form
from nakoming.errors import NakomingError
from nakoming.records import outbox
from nakoming.records.errors import DatabaseLocked, KeyMissing, StorageFull, UnknownAgreement
from nakoming.records.heads import note_head_sent
from tasks import operators
from tasks.mail.contexts import Kind
from tasks.postman.composing import compose, is_overtaken
from tasks.postman.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

    from blocks.mail_server import MailServer
    from nakoming.records.outbox import QueuedMail
    from nakoming.records.store import Records, Tx

LIMIT = 100
_SETTLE_PAUSES = (0.2, 1.0, 5.0, 15.0, 30.0, 30.0)  # seconds; a claim of two minutes outlasts them
_RENEW_SECONDS = 30.0  # a claim holds for two minutes, and a slow server may take longer than that
_log = logging.getLogger(__name__)
# The installation is at fault, not the mail: it stays in the queue.
_NOT_THE_MAIL = (SQLAlchemyError, DatabaseLocked, StorageFull, OSError)


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What became of the mails of one pass.

    `repeated` were sent once more because a sender died, or a server's answer was not heard, after the mail
    was handed over. `unreachable`: no server answered; the pass ended there.
    """

    accepted: int = 0
    relayed: int = 0
    deferred: int = 0
    refused: int = 0
    void: int = 0
    repeated: int = 0
    unreachable: int = 0

    def __add__(self, other: Delivered) -> Delivered:
        """Both together."""
        names = [each.name for each in fields(self)]
        return Delivered(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def count(self) -> int:
        """How many mails were dealt with."""
        return self.accepted + self.relayed + self.deferred + self.refused + self.void


def deliver_due(
    records: Records,
    server: MailServer,
    *,
    portal_url: str,
    owner: str,
    limit: int = LIMIT,
    go_on: Callable[[], bool] = lambda: True,
) -> Delivered:
    """Send up to `limit` mails that are due, one after the other; `go_on` is asked before each.

    Whatever is wrong with a mail or with its server's answer ends in the outbox and does not stop the others.

    Raises:
        SQLAlchemyError, DatabaseLocked, StorageFull: the records are away; what was sent is settled later.
    """
    total = Delivered()
    while total.count < limit and not total.unreachable and go_on():
        done = _next(records, server, portal_url, owner)
        if done is None:
            break
        total += done
    return total


def _next(records: Records, server: MailServer, portal_url: str, owner: str) -> Delivered | None:
    with records.write() as tx:
        claimed = outbox.claim(tx, owner, limit=1)
    if not claimed:
        return None
    mail = claimed[0]
    made = _made(records, mail, portal_url, server.sender)
    return made if isinstance(made, Delivered) else _send(records, server, mail, made, owner)


def _made(records: Records, mail: QueuedMail, portal_url: str, sender: str) -> EmailMessage | Delivered:
    """The message; or what became of the mail when there is none to send."""
    try:
        with records.read() as tx:  # nobody who writes waits for a template
            overtaken = is_overtaken(tx, mail)
            message, head = (
                (None, None) if overtaken else compose(tx, mail, portal_url=portal_url, sender=sender)
            )
    except _NOT_THE_MAIL:
        raise
    except (UnknownAgreement, KeyMissing) as missing:  # the vendor's: not loaded, not mounted
        with records.write() as tx:
            return _defer(tx, mail, reason_of(missing))
    except Exception as broken:  # noqa: BLE001 - whatever a mail is made of, it must not stop the others
        with records.write() as tx:
            return _refuse(tx, mail, f"it cannot be made: {reason_of(broken)}")
    if message is None:
        return _void(records, mail)
    if head is not None:  # before it leaves: a head that is out and not noted could be cut off unseen
        with records.write() as tx:
            note_head_sent(tx, head.chain, seq=head.seq, leaf=head.leaf)
    return message


def _void(records: Records, mail: QueuedMail) -> Delivered:
    with records.write() as tx:
        outbox.void(tx, mail)
    _log.info("mail %s (%s): overtaken, not sent", mail.id, mail.kind)
    return Delivered(void=1)


def _send(
    records: Records, server: MailServer, mail: QueuedMail, message: EmailMessage, owner: str
) -> Delivered:
    digest = hashlib.sha256(wire_form(message)).hexdigest()
    again = Delivered(repeated=int(mail.state == outbox.MailState.SENDING))
    try:
        with _claimed(records, mail, owner):
            grade = server.send(message, mail.recipient.email)
    except (MailRefused, MailMalformed) as refusal:
        with records.write() as tx:
            return again + _refuse(tx, mail, reason_of(refusal))
    except Exception as trouble:  # noqa: BLE001 - what nobody foresaw must not stop the others either
        with records.write() as tx:
            return again + _deferred(tx, mail, trouble)
    return again + _note_sent(records, mail, digest, grade)


def _note_sent(records: Records, mail: QueuedMail, digest: str, grade: Grade) -> Delivered:
    """Tried again while the records are away: a mail whose outcome is not noted is sent a second time."""
    for pause in (*_SETTLE_PAUSES, None):
        try:
            with records.write() as tx:
                outbox.sent(tx, mail, accepted=grade is Grade.ACCEPTED, digest=digest)
            break
        except _NOT_THE_MAIL:
            if pause is None:
                raise
            _log.warning("mail %s (%s): %s, but the records are away", mail.id, mail.kind, grade)
            time.sleep(pause)
    _log.info("mail %s (%s): %s", mail.id, mail.kind, grade)
    return Delivered(accepted=int(grade is Grade.ACCEPTED), relayed=int(grade is Grade.RELAYED))


def _deferred(tx: Tx, mail: QueuedMail, trouble: Exception) -> Delivered:
    in_doubt = isinstance(trouble, MailDeferred) and bool(trouble.data["in_doubt"])
    answered = isinstance(trouble, MailDeferred) and trouble.data["code"] is not None
    done = _defer(tx, mail, reason_of(trouble))
    # A mail in doubt will be sent again: it may then arrive twice.
    return done + Delivered(repeated=int(in_doubt), unreachable=int(not answered and not in_doubt))


def _defer(tx: Tx, mail: QueuedMail, reason: str) -> Delivered:
    outbox.deferred(tx, mail, reason)
    _log.warning("mail %s (%s): later, %s", mail.id, mail.kind, reason)
    return Delivered(deferred=1)


def _refuse(tx: Tx, mail: QueuedMail, reason: str) -> Delivered:
    if outbox.refused(tx, mail, reason):
        tell_refused(tx, mail, reason)
    else:
        _log.warning("mail %s (%s): it went before, and a repeat was refused: %s", mail.id, mail.kind, reason)
    return Delivered(refused=1)


def tell_refused(tx: Tx, mail: QueuedMail, reason: str) -> None:
    """Tell the operators; a mail to themselves, or without a vendor's agreement, is told in the log alone."""
    _log.error("mail %s (%s): did not arrive, %s", mail.id, mail.kind, reason)
    if mail.kind == Kind.OPERATORS:
        return
    try:
        operators.tell_refused(tx, mail, reason)
    except UnknownAgreement as missing:
        _log.error("the operators cannot be told: %s", missing)


@contextmanager
def _claimed(records: Records, mail: QueuedMail, owner: str) -> Iterator[None]:
    """Keep the claim while a slow server takes its time, or another postman would send the mail too."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(_RENEW_SECONDS):
            try:
                with records.write() as tx:
                    if not outbox.renew(tx, mail, owner):
                        return
            except (SQLAlchemyError, NakomingError):
                continue  # the database is away or locked: there is time for another try

    thread = threading.Thread(target=renew, name="postman-claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
