"""What a mail that came back says: delivered, on its way, late or bounced (RFC 3464, and Exim's older shape).

Pure: bytes in, a notice or nothing out. Whatever the bytes are, nothing is raised. Its caller believes
a notice only when it names a mail that was sent.
"""

from __future__ import annotations

import email
import re
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_MESSAGE_ID: Final = re.compile(r"^message-id:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_EXIM_COPY: Final = "This is a copy of the message"
# What a hostile message can make the email package raise (nesting without end, unknown codecs); a bounce
# reader must go on to the next one.
_BROKEN: Final = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


class Outcome(StrEnum):
    """What became of the mail, best first."""

    ACCEPTED = "accepted"
    RELAYED = "relayed"
    DELAYED = "delayed"
    BOUNCED = "bounced"


# `expanded` went on to several addresses: nobody says that it arrived at one.
_ACTIONS: Final = {
    "delivered": Outcome.ACCEPTED,
    "relayed": Outcome.RELAYED,
    "expanded": Outcome.RELAYED,
    "delayed": Outcome.DELAYED,
    "failed": Outcome.BOUNCED,
}
# A class without an action: 2.x.x does not say who took the mail, so no more than relayed.
_CLASSES: Final = {"2": Outcome.RELAYED, "4": Outcome.DELAYED, "5": Outcome.BOUNCED}
_ORDER: Final = tuple(Outcome)


@dataclass(frozen=True)
class DeliveryNotice:
    """One delivery notice. What it did not say is None; `outcome` is the worst it said.

    `message_id` (with its angle brackets) and `envelope_id` name the mail that was sent, `recipient` is the
    address it was sent to, `status` the RFC 3463 code, `diagnostic` the other server's sentence.
    """

    message_id: str | None
    envelope_id: str | None
    recipient: str | None
    outcome: Outcome
    status: str | None
    diagnostic: str | None


def interpret(raw: bytes) -> DeliveryNotice | None:
    """The notice in this mail, or None: an ordinary mail, an automatic reply, a read receipt, or rubbish."""
    try:
        message = email.message_from_bytes(raw)
        report = _find_report(message)
        return _from_report(report) if report is not None else _from_exim(message)
    except _BROKEN:
        return None


def _find_report(message: Message) -> Message | None:
    """The multipart/report, also behind a gateway's multipart, but never inside a mail that was forwarded."""
    if message.get_content_type() == "multipart/report":
        kind = str(message.get_param("report-type", "delivery-status")).lower()
        return message if kind == "delivery-status" else None
    if message.get_content_maintype() == "multipart":
        return next((found for part in _parts(message) if (found := _find_report(part)) is not None), None)
    return None


def _parts(message: Message) -> Iterator[Message]:
    payload = message.get_payload()
    if isinstance(payload, list):
        yield from (part for part in payload if isinstance(part, Message))


def _from_report(report: Message) -> DeliveryNotice | None:
    status_part = next((p for p in _parts(report) if p.get_content_type().endswith("/delivery-status")), None)
    if status_part is None:
        return None
    of_message, *others = [*_groups(status_part), Message()]
    of_recipients = [(outcome, group) for group in [of_message, *others] if (outcome := _outcome(group))]
    if not of_recipients:
        return None
    outcome, group = max(of_recipients, key=lambda pair: _ORDER.index(pair[0]))
    return DeliveryNotice(
        message_id=_original_message_id(report),
        envelope_id=_text(of_message, "Original-Envelope-Id"),
        recipient=_address(group, "Original-Recipient") or _address(group, "Final-Recipient"),
        outcome=outcome,
        status=_status(group),
        diagnostic=_typed(group, "Diagnostic-Code"),
    )


def _groups(part: Message) -> Iterator[Message]:
    """The groups of fields; in transport encoding some servers hide them from the parser."""
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() in {"base64", "quoted-printable"}:
        inner = "".join(str(group) for group in _parts(part)) or str(part.get_payload())
        carrier: Message = Message()
        carrier["Content-Transfer-Encoding"] = part["Content-Transfer-Encoding"]
        carrier.set_payload(inner.strip())
        decoded = carrier.get_payload(decode=True)
        text = decoded.decode("utf-8", "replace") if isinstance(decoded, bytes) else ""
        for group in re.split(r"\r?\n[ \t]*\r?\n", text):
            yield email.message_from_string(group.strip() + "\n")
    else:
        yield from _parts(part)


def _outcome(group: Message) -> Outcome | None:
    """The worse of action and status, so that a contradiction never counts as arrival."""
    status = _status(group)
    words = (_text(group, "Action") or "").lower().split()
    said = [_ACTIONS.get(words[0]) if words else None, _CLASSES.get(status[0]) if status else None]
    known = [outcome for outcome in said if outcome is not None]
    if said[0] is not None and said[1] is Outcome.RELAYED:
        return said[0]  # success, and the action says of which kind
    return max(known, key=_ORDER.index) if known and (words or status) else None


def _status(group: Message) -> str | None:
    found = _STATUS.search(_text(group, "Status") or "")
    return ".".join(found.groups()) if found else None


def _original_message_id(report: Message) -> str | None:
    """From the returned message or its headers, wherever a gateway put them inside the report."""
    for part in report.walk():
        kind = part.get_content_type()
        if part is report or kind == "message/delivery-status":
            continue
        if kind == "message/rfc822":
            found = next((_text(inner, "Message-ID") for inner in _parts(part)), None)
        elif kind in {"text/rfc822-headers", "message/rfc822-headers"}:
            found = _message_id_in(_body(part))
        else:
            continue
        if found:
            return found
    return None


def _from_exim(message: Message) -> DeliveryNotice | None:
    """Exim before 4.89 sent plain text with a header of its own and a copy of the message below."""
    failed = _text(message, "X-Failed-Recipients")
    if not failed or message.get_content_type() != "text/plain":
        return None
    text = _body(message)
    told, _, copy = text.partition(_EXIM_COPY)
    status = _STATUS.search(told)
    sentence = re.search(r"^\s*((?:SMTP error|.*\b[45]\d\d[ -]).*(?:\n[ \t]+\S.*)*)", told, re.MULTILINE)
    return DeliveryNotice(
        message_id=_message_id_in(copy),
        envelope_id=None,
        recipient=failed.split(",")[0].strip() or None,
        outcome=Outcome.BOUNCED,
        status=status[0] if status else None,
        diagnostic=" ".join(sentence[1].split()) if sentence else None,
    )


def _body(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload.decode("utf-8", "replace")
    return "".join(str(inner) for inner in _parts(part))


def _message_id_in(text: str) -> str | None:
    found = _MESSAGE_ID.search(text)
    return found[1] if found else None


def _text(message: Message, name: str) -> str | None:
    value = message.get(name)
    return None if value is None else " ".join(str(value).split()) or None


def _typed(group: Message, name: str) -> str | None:
    """A field `type; value` without its type."""
    value = _text(group, name)
    if value is None:
        return None
    kind, semicolon, rest = value.partition(";")
    return (rest if semicolon else kind).strip() or None


def _address(group: Message, name: str) -> str | None:
    value = _typed(group, name)
    if value is None:
        return None
    # Some servers leave RFC 3461's xtext in place. Only these two must be written so in an address; decoding
    # every +HH would turn jan+42 into janB.
    plain = value.replace("+2B", "+").replace("+3D", "=")
    return plain.strip("<>") or None
