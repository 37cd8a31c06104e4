"""Reads what servers say about mails that were sent, and raises or voids their grade of arrival (S-2.6.4).

Each notice is settled in one transaction and marked as done after it. A reader that dies between the two
reads it again; settling it again changes nothing and counts nothing.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from blocks.mailbox import MailboxMessageUnknown
from nakoming.records import outbox
from nakoming.records.errors import KeyMissing, SealBroken
from nakoming.records.outbox import MailState
from tasks.mail.bounces import Outcome, interpret
from tasks.postman.delivering import tell_refused
from tasks.postman.reasons import without_addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocks.mailbox import Mailbox
    from nakoming.records.outbox import QueuedMail
    from nakoming.records.store import Records, Tx
    from tasks.mail.bounces import DeliveryNotice

_log = logging.getLogger(__name__)
_SETTLED = frozenset({MailState.ACCEPTED, MailState.BOUNCED, MailState.REFUSED, MailState.VOID})


@dataclass(frozen=True, kw_only=True)
class NoticesRead:
    """What the notices of one pass said.

    `accepted` and `bounced` changed a mail; `known` changed none (it went on, is late, or was known before);
    `unknown` name no mail of ours, or another person than it went to; `other` are no notices.
    """

    accepted: int = 0
    bounced: int = 0
    known: int = 0
    unknown: int = 0
    other: int = 0

    def __add__(self, another: NoticesRead) -> NoticesRead:
        """Both together."""
        names = [each.name for each in fields(self)]
        return NoticesRead(**{name: getattr(self, name) + getattr(another, name) for name in names})


def read_notices(
    records: Records, mailbox: Mailbox, *, go_on: Callable[[], bool] = lambda: True
) -> NoticesRead:
    """Settle each notice in the mailbox; what is none stays there, marked as done, for people to read.

    Raises:
        MailboxUnreachable: the mailbox cannot be opened or read.
    """
    total = NoticesRead()
    for message in mailbox.fetch():
        if not go_on():
            break
        notice = interpret(message.raw)
        if notice is None:
            total += NoticesRead(other=1)
        else:
            with records.write() as tx:
                total += _settle(tx, notice)
        with suppress(MailboxMessageUnknown):  # another reader was quicker
            mailbox.done(message.id)
    return total


def _settle(tx: Tx, notice: DeliveryNotice) -> NoticesRead:
    mail = _meant(tx, notice)
    if mail is None:
        _log.warning("a delivery notice (%s) names no mail of ours", notice.outcome)
        return NoticesRead(unknown=1)
    if notice.outcome is Outcome.BOUNCED:
        return _bounced(tx, mail, notice)
    if not _is_for(mail, notice):
        _log.warning("mail %s: a delivery notice (%s) names another recipient", mail.id, notice.outcome)
        return NoticesRead(unknown=1)
    if notice.outcome is not Outcome.ACCEPTED or mail.state in _SETTLED:
        return NoticesRead(known=1)
    outbox.arrived(tx, mail.message_id)
    _log.info("mail %s (%s): accepted, says a notice", mail.id, mail.kind)
    return NoticesRead(accepted=1)


def _bounced(tx: Tx, mail: QueuedMail, notice: DeliveryNotice) -> NoticesRead:
    """Whoever it failed for: the mail went to one person, and in doubt nobody's silence is consent."""
    reason = without_addresses(f"{notice.status or ''} {notice.diagnostic or ''}") or "it came back"
    if outbox.bounced(tx, mail.message_id, reason) is None:
        return NoticesRead(known=1)
    tell_refused(tx, mail, reason)
    return NoticesRead(bounced=1)


def _meant(tx: Tx, notice: DeliveryNotice) -> QueuedMail | None:
    """The one mail that all names in the notice agree on."""
    named = {notice.message_id, f"<{notice.envelope_id}>" if notice.envelope_id else None} - {None}
    found = {mail.id: mail for name in sorted(filter(None, named)) if (mail := _read(tx, name))}
    return next(iter(found.values())) if len(found) == 1 else None


def _read(tx: Tx, message_id: str) -> QueuedMail | None:
    try:
        return outbox.by_message(tx, message_id)
    except (KeyMissing, SealBroken):  # of a customer whose key was destroyed since
        return None


def _is_for(mail: QueuedMail, notice: DeliveryNotice) -> bool:
    return (notice.recipient or "").lower() == mail.recipient.email.lower()
