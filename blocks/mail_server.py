"""Sending mail: one message to one person over SMTP, with a delivery notice asked for (RFC 5321, RFC 3461).

Arrival has grades. The server's 250 proves that *it* has the mail: `accepted` when it is the recipients' own
server, `relayed` when it is ours. Only `accepted` lets a customer's silence count as consent (S-2.6.4), and a
delivery notice may still raise or void the grade (`tasks.mail.bounces`).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import smtplib
import ssl
from contextlib import contextmanager, suppress
from email.policy import SMTP
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from prefect.blocks.core import Block
from pydantic import Field, model_validator

from blocks.secrets import SecretReference, resolve
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

# 7 bit on the wire, so that no server's missing 8BITMIME changes a byte.
_WIRE: Final = SMTP.clone(cte_type="7bit")
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
_ENVID_LIMIT: Final = 100  # RFC 3461, section 4.4
_BROKEN: Final = re.compile(r"[\r\n\0]")
_XCHAR: Final = frozenset(range(0x21, 0x7F)) - frozenset(b"+=")  # RFC 3461, section 4
_TRANSIENT: Final = 400
_PERMANENT: Final = 500


class Grade(StrEnum):
    """How far a mail is known to have come when the server answered."""

    RELAYED = "relayed"
    ACCEPTED = "accepted"


class MailRefused(NakomingError):
    """The server will never take this mail (5xx): tell a person. Data: recipient, code, sentence."""

    template = "The mail server refused the mail to {recipient}: {code} {sentence}"
    code = "NK4010"


class MailDeferred(NakomingError):
    """Not sent now; may be tried again with the same Message-ID.

    Data: recipient, reason, code (of the server, or None), in_doubt (true when the mail was handed over but
    the server's answer was not heard: it may have arrived).
    """

    template = "The mail to {recipient} could not be sent now: {reason}"
    code = "NK4011"


class MailMalformed(NakomingError):
    """The message cannot be sent by anyone: a fault of the caller, found before connecting."""

    template = "This mail cannot be sent: {reason}"
    code = "NK4012"


class MailServerUnreachable(NakomingError):
    """The check could not connect, secure the connection or log in."""

    template = "The mail server {host}:{port} does not answer as it should: {reason}"
    code = "NK4013"


class MailServer(Block):
    """An SMTP server that takes our mail: host, protection of the connection, account and sender.

    The password is a reference (`env:NAME`, `file:path`) resolved at the moment of connecting. It goes
    over a protected connection only, except on this machine's own loopback.

    Examples:
        Send one mail and see how far it came:
        ```python
        from email.message import EmailMessage

        from blocks.mail_server import MailServer

        server = MailServer(host="127.0.0.1", port=1025, tls="none", sender="nakoming@vendor.example")
        server.check()

        message = EmailMessage()
        message["From"] = server.sender
        message["To"] = "jan@acme.example"
        message["Subject"] = "Your approval is asked"
        message["Message-ID"] = "<2f6b1c@vendor.example>"
        message.set_content("Good morning")
        grade = server.send(message, "jan@acme.example")
        ```
    """

    _block_type_name = "Mail server"
    _block_type_slug = "nakoming-mail-server"

    host: str = Field(description="Name or address of the SMTP server.", pattern=r"^[A-Za-z0-9.:-]+$")
    port: int = Field(
        default=587, ge=1, le=65535, description="TCP port: 587 submission, 465 implicit TLS, 25."
    )
    tls: Literal["none", "starttls", "implicit"] = Field(
        default="starttls",
        description="Protection: none, STARTTLS after connecting, or TLS from the first byte.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the server's certificate; empty: system's.",
    )
    username: str | None = Field(default=None, description="Account to log in with; empty: no login.")
    password: SecretReference | None = Field(
        default=None, description="Where the password lies: env:NAME or file:path."
    )
    sender: str = Field(
        description="Address in MAIL FROM: delivery notices come back to it, so a mailbox that is read."
    )
    timeout: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Seconds to wait for each answer of the server before giving up.",
    )
    takes_for_customer: bool = Field(
        default=False,
        description="True when this is the recipients' own mail server: its 250 then counts as accepted.",
    )

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not _ADDRESS.fullmatch(self.sender):
            message = "sender must be one plain address, name@host"
            raise ValueError(message)
        if (self.username is None) != (self.password is None):
            message = "username and password go together: set both or neither"
            raise ValueError(message)
        if self.password and self.tls == "none" and not _is_loopback(self.host):
            message = "a password needs tls starttls or implicit, except on loopback"
            raise ValueError(message)
        return self

    def check(self) -> None:
        """Connect, secure the connection and log in; send nothing.

        Raises:
            MailServerUnreachable: with the reason in the server's or the system's words.
        """
        try:
            with self._session() as client:
                client.noop()
        except (OSError, smtplib.SMTPException) as error:
            raise MailServerUnreachable(host=self.host, port=self.port, reason=_reason(error)) from error

    def send(self, message: EmailMessage, recipient: str) -> Grade:
        """Hand one message to the server for one recipient and say how far it came.

        The same message may be sent again: it carries its own Message-ID, and the envelope id is made of it.

        Raises:
            MailMalformed: the message is not for this recipient alone, has no Message-ID or a broken header.
            MailRefused: the server refused this mail for good (5xx).
            MailDeferred: refused for now (4xx), no connection, no login, or no answer in time.
        """
        message_id = _require_sendable(message, recipient)
        content = wire_form(message)
        handed_over = False
        try:
            with self._session() as client:
                with_notice = client.has_extn("dsn")
                _expect(client.mail(self.sender, _mail_options(message_id) if with_notice else []), recipient)
                _expect(
                    client.rcpt(recipient, _recipient_options(recipient) if with_notice else []), recipient
                )
                handed_over = True
                _expect(_hand_over(client, content), recipient)
        except (OSError, smtplib.SMTPException) as error:
            code = getattr(error, "smtp_code", None)
            raise MailDeferred(
                recipient=recipient, reason=_reason(error), code=code, in_doubt=handed_over and code is None
            ) from error
        return Grade.ACCEPTED if self.takes_for_customer else Grade.RELAYED

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        client = self._connect()
        try:
            client.ehlo_or_helo_if_needed()
            if self.tls == "starttls":
                client.starttls(context=self._tls_context())
                client.ehlo()
            if self.username is not None and self.password is not None:
                client.login(self.username, resolve(self.password))
            yield client
        finally:
            # Its answer is not waited for: it says nothing about the mail, and a crash in that time would
            # double a mail that was taken.
            with suppress(OSError, smtplib.SMTPException):
                client.putcmd("QUIT")
            client.close()

    def _connect(self) -> smtplib.SMTP:
        if self.tls == "implicit":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=self._tls_context())
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout)

    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)


def wire_form(message: EmailMessage) -> bytes:
    """The bytes of a message as `send` hands them over, so that their digest can be proven later."""
    return message.as_bytes(policy=_WIRE)


def envelope_id(message_id: str) -> str:
    """The ENVID of a mail, by which notices name it: its Message-ID, or a digest of a long one."""
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    return bare if len(_xtext(bare)) <= _ENVID_LIMIT else hashlib.sha256(bare.encode()).hexdigest()


def _mail_options(message_id: str) -> list[str]:
    # RET=HDRS: the notice needs our Message-ID, not the content, which would lie in one more mailbox.
    return ["RET=HDRS", f"ENVID={_xtext(envelope_id(message_id))}"]


def _recipient_options(recipient: str) -> list[str]:
    return ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{_xtext(recipient)}"]


def _xtext(text: str) -> str:
    """Printable ASCII without space, `+` and `=`; all else as +HH."""
    return "".join(chr(byte) if byte in _XCHAR else f"+{byte:02X}" for byte in text.encode())


def _hand_over(client: smtplib.SMTP, content: bytes) -> tuple[int, bytes]:
    try:
        return client.data(content)
    except smtplib.SMTPDataError as error:  # anything but 354 before the content: an answer like the others
        raw = error.smtp_error
        return error.smtp_code, raw if isinstance(raw, bytes) else raw.encode()


def _expect(answer: tuple[int, bytes], recipient: str) -> None:
    code, raw = answer
    if 200 <= code < 300:  # noqa: PLR2004 - RFC 5321's positive completion
        return
    sentence = _sentence(raw)
    if code >= _PERMANENT:
        raise MailRefused(recipient=recipient, code=code, sentence=sentence)
    raise MailDeferred(
        recipient=recipient, reason=f"{code} {sentence}", code=code, in_doubt=code < _TRANSIENT
    )


def _require_sendable(message: EmailMessage, recipient: str) -> str:
    if not _ADDRESS.fullmatch(recipient):
        raise MailMalformed(reason="the recipient must be one plain ASCII address, name@host")
    for name, value in message.raw_items():
        # What was parsed from bytes is folded: a line end with a blank behind it starts no new header.
        if _BROKEN.search(re.sub(r"\r?\n[ \t]", " ", str(value))):
            raise MailMalformed(reason=f"the header {name} holds a line end or a null")
    if not str(message["Message-ID"] or "").strip():
        raise MailMalformed(reason="it has no Message-ID, so a repeat could not be recognised")
    named = [
        address.addr_spec
        for name in ("To", "Cc", "Bcc")
        for header in message.get_all(name, [])
        for address in getattr(header, "addresses", ())
    ]
    if [address.lower() for address in named] != [recipient.lower()]:
        raise MailMalformed(reason=f"To must name {recipient} and nobody else (one message a person)")
    return str(message["Message-ID"])


def _sentence(raw: bytes) -> str:
    return " ".join(raw.decode("utf-8", "replace").split())


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        raw = error.smtp_error
        return f"{error.smtp_code} {_sentence(raw) if isinstance(raw, bytes) else raw}"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
