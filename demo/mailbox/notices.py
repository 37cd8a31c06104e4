"""Writes delivery notices (RFC 3464): what a receiving mail server says about a mail it took."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Literal

HOST = "mail.customers.example"


@dataclass(frozen=True)
class Envelope:
    """What the sender asked for in MAIL and RCPT (RFC 3461), values already decoded from xtext."""

    sender: str
    recipient: str
    notify: frozenset[str]
    envelope_id: str | None
    original_recipient: str | None


def delivery_notice(envelope: Envelope, content: bytes, action: Literal["delivered", "failed"]) -> bytes:
    """A notice that the mail was delivered, or that it could not be after all."""
    original = email.message_from_bytes(content)
    failed = action == "failed"
    notice = MIMEMultipart("report", report_type="delivery-status")
    notice["From"] = f"Mail delivery <postmaster@{HOST}>"
    notice["To"] = envelope.sender
    notice["Subject"] = "Delivery failed" if failed else "Delivered"
    if original["Date"]:
        notice["Date"] = original["Date"]  # no clock is read here; the notice is as old as its mail
    notice["Auto-Submitted"] = "auto-replied"
    outcome = "could not be delivered: this mailbox is no longer in use" if failed else "was delivered"
    notice.attach(MIMEText(f"Your mail to {envelope.recipient} {outcome}.\n"))
    notice.attach(_status(envelope, failed=failed))
    notice.attach(_headers(original))
    return notice.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n"))


def _status(envelope: Envelope, *, failed: bool) -> Message:
    of_message: Message = Message()
    of_recipient: Message = Message()
    of_message["Reporting-MTA"] = f"dns; {HOST}"
    if envelope.envelope_id:
        of_message["Original-Envelope-Id"] = envelope.envelope_id
    if envelope.original_recipient:
        of_recipient["Original-Recipient"] = envelope.original_recipient
    of_recipient["Final-Recipient"] = f"rfc822; {envelope.recipient}"
    of_recipient["Action"] = "failed" if failed else "delivered"
    of_recipient["Status"] = "5.1.1" if failed else "2.0.0"
    of_recipient["Diagnostic-Code"] = (
        "smtp; 550 5.1.1 No such mailbox" if failed else "smtp; 250 2.0.0 Delivered"
    )
    part: Message = Message()
    part["Content-Type"] = "message/delivery-status"
    part.set_payload([of_message, of_recipient])
    return part


def _headers(original: Message) -> Message:
    part: Message = Message()
    part["Content-Type"] = "text/rfc822-headers"
    part.set_payload("".join(f"{name}: {value}\n" for name, value in original.items()))
    return part
