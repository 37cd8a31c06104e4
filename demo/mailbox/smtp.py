"""The SMTP side: an aiosmtpd server that advertises and honours DSN, and misbehaves for chosen addresses.

How an address behaves is in its local part, or in `behaviour.json` under the root:
`{"bounced": ["a@x.example"], "refused": ["b@x.example"], "busy": {"c@x.example": 2}}`

- `refused-…`: 550 at RCPT.
- `busy-…` or `busy-3-…`: 451 at RCPT, once or that many times, then taken.
- `bounced-…`: taken with 250, never delivered; a failure notice comes later.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import SMTP, syntax

from demo.mailbox.notices import HOST, Envelope, delivery_notice

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from demo.mailbox.store import Store

_BUSY: Final = re.compile(r"busy-(?:(\d{1,3})-)?")
_MAIL_DSN: Final = frozenset({"RET", "ENVID"})
_RECIPIENT_DSN: Final = frozenset({"NOTIFY", "ORCPT"})


class Behaviour:
    """Which addresses misbehave, and how."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turned_away: Counter[str] = Counter()

    def verdict_on_recipient(self, address: str) -> str | None:
        """The refusal this address gets now, or None; counts the times a busy one was turned away."""
        address = address.lower()
        if address.startswith("refused-") or address in self._listed("refused", []):
            return "550 5.1.1 No such mailbox here"
        if self._turned_away[address] < self._busy_times(address):
            self._turned_away[address] += 1
            return "451 4.3.2 Busy, try again later"
        return None

    def bounces(self, address: str) -> bool:
        """Whether a mail that was taken comes back."""
        address = address.lower()
        return address.startswith("bounced-") or address in self._listed("bounced", [])

    def _busy_times(self, address: str) -> int:
        if match := _BUSY.match(address):
            return int(match[1] or 1)
        return int(self._listed("busy", {}).get(address, 0))

    def _listed(self, kind: str, otherwise: Any) -> Any:
        # Read each time, so that it can be changed while the server runs.
        try:
            return json.loads(self._path.read_text(encoding="utf-8")).get(kind, otherwise)
        except FileNotFoundError:
            return otherwise


class Handler:
    """What happens with each mail: stored, noticed, or bounced later."""

    def __init__(self, store: Store, behaviour: Behaviour, bounce_after: float) -> None:
        self._store = store
        self._behaviour = behaviour
        self._bounce_after = bounce_after

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds it by this name
        self, server: DsnSMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer DSN."""
        del server, envelope
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", responses[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds it by this name
        self, server: DsnSMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take the recipient or turn it away."""
        del server, session, options
        if refusal := self._behaviour.verdict_on_recipient(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: DsnSMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - as above
        """Store the mail for each recipient; all is on disk before the 250."""
        del session
        for recipient in envelope.rcpt_tos:
            self._settle(server.asked(envelope.mail_from, recipient), envelope.content)
        return "250 2.0.0 Taken"

    def _settle(self, asked: Envelope, content: bytes) -> None:
        if not self._behaviour.bounces(asked.recipient):
            self._store.deliver(asked.recipient, content)
            if "SUCCESS" in asked.notify:
                self._store.notify(delivery_notice(asked, content, "delivered"))
        elif "NEVER" not in asked.notify:
            name = self._store.notify_later(delivery_notice(asked, content, "failed"))
            asyncio.get_running_loop().call_later(self._bounce_after, self._store.release, name)


class DsnSMTP(SMTP):
    """aiosmtpd's server, which knows no DSN parameters: they are taken out here, in their own case."""

    def __init__(self, handler: Handler, tls_context: ssl.SSLContext | None = None, **options: Any) -> None:
        super().__init__(handler, hostname=HOST, tls_context=tls_context, **options)
        # ENVID of 100 signs and ORCPT of 500 come on top of the line (RFC 3461, section 4).
        self.command_size_limits["MAIL"] += 120
        self.command_size_limits["RCPT"] += 560
        self._of_mail: dict[str, str] = {}
        self._of_recipient: dict[str, dict[str, str]] = {}

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd finds it by this name
        """Note RET and ENVID."""
        rest, self._of_mail = _take(arg, _MAIL_DSN)
        self._of_recipient = {}
        await super().smtp_MAIL(rest)

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd finds it by this name
        """Note NOTIFY and ORCPT."""
        rest, options = _take(arg, _RECIPIENT_DSN)
        taken = self.envelope.rcpt_tos if self.envelope else []
        known = len(taken)
        await super().smtp_RCPT(rest)
        if len(taken) > known:
            self._of_recipient[taken[-1]] = options

    def asked(self, sender: str, recipient: str) -> Envelope:
        """What the sender asked for this recipient."""
        options = self._of_recipient.get(recipient, {})
        envelope_id, original = self._of_mail.get("ENVID"), options.get("ORCPT")
        return Envelope(
            sender=sender,
            recipient=recipient,
            notify=frozenset(options.get("NOTIFY", "FAILURE").upper().split(",")),
            envelope_id=_from_xtext(envelope_id) if envelope_id else None,
            original_recipient=original,
        )


def _take(arg: str | None, names: frozenset[str]) -> tuple[str | None, dict[str, str]]:
    if arg is None:
        return None, {}
    kept: list[str] = []
    taken: dict[str, str] = {}
    for word in arg.split(" "):
        name, equals, value = word.partition("=")
        if equals and name.upper() in names:
            taken[name.upper()] = value
        else:
            kept.append(word)
    return " ".join(kept), taken


def _from_xtext(text: str) -> str:
    return re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
