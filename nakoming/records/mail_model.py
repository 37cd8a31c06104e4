"""What a mail of the outbox is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.gate_model import Contact


class MailState(StrEnum):
    """How far a mail has come."""

    QUEUED = "queued"
    SENDING = "sending"
    RELAYED = "relayed"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    REFUSED = "refused"
    VOID = "void"  # overtaken: its link was superseded or its gate revoked before it was sent


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to write into the outbox. `key` makes it once; `about` names evidence whose number it tells."""

    key: str
    kind: str
    customer: str
    recipient: Contact
    case_id: str | None = None
    gate_id: str | None = None
    link_id: str | None = None
    generation: int | None = None
    about: str | None = None
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class QueuedMail:
    """A mail as it lies in the outbox."""

    id: str
    key: str
    kind: str
    customer: str
    recipient: Contact
    case_id: str | None
    gate_id: str | None
    link_id: str | None
    generation: int | None
    about: str | None
    context: dict[str, Any]
    message_id: str
    state: MailState
    attempts: int
    queued_at: datetime
    relayed_at: datetime | None
    settled_at: datetime | None
    last_error: str | None
