"""Mail over real sockets: sent, noticed, refused, deferred, secured."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from blocks.mail_server import (
    Grade,
    MailDeferred,
    MailMalformed,
    MailRefused,
    MailServer,
    MailServerUnreachable,
    envelope_id,
)
from demo.mailbox.server import MailboxSettings, RunningMailbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[RunningMailbox]:
    with running(MailboxSettings(tmp_path, bounce_after=0)) as mailbox:
        yield mailbox


def server_at(port: int, **changes: object) -> MailServer:
    fields = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "sender": "nakoming@vendor.example",
        "timeout": 5,
    }
    return MailServer.model_validate(fields | changes)


def mail_to(recipient: str, message_id: str = "<q-1@vendor.example>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "nakoming@vendor.example"
    message["To"] = recipient
    message["Subject"] = "Vóór dinsdag"
    message["Message-ID"] = message_id
    message.set_content("Goedemorgen, één vraag.\n.een punt vooraan\n")
    return message


def notices(mailbox: RunningMailbox) -> list[str]:
    return [path.read_text() for path in (mailbox.store.bounces / "new").iterdir()]


def test_a_mail_is_taken_and_lies_in_the_mailbox(mailbox: RunningMailbox) -> None:
    grade = server_at(mailbox.port).send(mail_to("jan@acme.example"), "jan@acme.example")
    assert grade is Grade.RELAYED
    (stored,) = mailbox.store.messages("jan@acme.example")
    received = email.message_from_bytes(stored.raw, policy=email.policy.default)
    assert received["Message-ID"] == "<q-1@vendor.example>"
    assert received["Subject"] == "Vóór dinsdag"
    assert received.get_content() == "Goedemorgen, één vraag.\n.een punt vooraan\n"
    assert max(stored.raw) < 128


def test_the_customers_own_server_accepts(mailbox: RunningMailbox) -> None:
    server = server_at(mailbox.port, takes_for_customer=True)
    assert server.send(mail_to("jan@acme.example"), "jan@acme.example") is Grade.ACCEPTED


def test_a_notice_of_success_is_asked_for_and_names_the_mail(mailbox: RunningMailbox) -> None:
    server_at(mailbox.port).send(mail_to("j+n=x@acme.example"), "j+n=x@acme.example")
    (notice,) = notices(mailbox)
    assert "Action: delivered" in notice
    assert f"Original-Envelope-Id: {envelope_id('<q-1@vendor.example>')}" in notice
    assert "Original-Recipient: rfc822;j+2Bn+3Dx@acme.example" in notice
    assert "Message-ID: <q-1@vendor.example>" in notice


def test_a_long_message_id_becomes_a_digest() -> None:
    assert envelope_id("<a@b.example>") == "a@b.example"
    assert len(envelope_id(f"<{'a' * 101}@b.example>")) == 64
    assert len(envelope_id(f"<{'+' * 40}@b.example>")) == 64  # each + is three signs on the wire


def test_a_refusal_carries_code_and_sentence(mailbox: RunningMailbox) -> None:
    with pytest.raises(MailRefused) as caught:
        server_at(mailbox.port).send(mail_to("refused-x@acme.example"), "refused-x@acme.example")
    assert caught.value.data == {
        "recipient": "refused-x@acme.example",
        "code": 550,
        "sentence": "5.1.1 No such mailbox here",
    }
    assert str(caught.value) == (
        "The mail server refused the mail to refused-x@acme.example: 550 5.1.1 No such mailbox here"
    )
    assert mailbox.store.addresses() == []


def test_a_busy_server_takes_the_second_try(mailbox: RunningMailbox) -> None:
    server = server_at(mailbox.port)
    with pytest.raises(MailDeferred) as caught:
        server.send(mail_to("busy-jan@acme.example"), "busy-jan@acme.example")
    assert (caught.value.data["code"], caught.value.data["in_doubt"]) == (451, False)
    server.send(mail_to("busy-jan@acme.example"), "busy-jan@acme.example")
    assert len(list(mailbox.store.messages("busy-jan@acme.example"))) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    with running(MailboxSettings(tmp_path)) as mailbox:
        port = mailbox.port
    with pytest.raises(MailDeferred, match="Connection refused"):
        server_at(port).send(mail_to("jan@acme.example"), "jan@acme.example")
    with pytest.raises(MailServerUnreachable, match=f"127.0.0.1:{port} .*Connection refused"):
        server_at(port).check()


@contextmanager
def scripted(*answers: bytes | None) -> Iterator[int]:
    """A server that says one answer per line it hears (the first unasked), then is silent; None closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for answer in answers:
                if answer is None:
                    return
                connection.sendall(answer)
                line = lines.readline()
                while answer.startswith(b"354") and line != b".\r\n":
                    line = lines.readline()
            while lines.readline():
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


def test_a_server_that_hangs_is_left_in_time() -> None:
    with scripted() as port, pytest.raises(MailDeferred, match="no answer in time") as caught:
        server_at(port, timeout=0.2).send(mail_to("jan@acme.example"), "jan@acme.example")
    assert caught.value.data["in_doubt"] is False


@pytest.mark.parametrize("last", [(), (None,), (b"garbage\r\n",)])
def test_a_mail_handed_over_without_an_answer_is_in_doubt(last: tuple[bytes | None, ...]) -> None:
    answers = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", *last)
    with scripted(*answers) as port, pytest.raises(MailDeferred) as caught:
        server_at(port, timeout=0.2).send(mail_to("jan@acme.example"), "jan@acme.example")
    assert caught.value.data["in_doubt"] is True


@pytest.mark.parametrize(
    ("answers", "kind", "code"),
    [
        ((b"554 not here\r\n",), MailDeferred, 554),
        ((b"220 hi\r\n", b"250 hi\r\n", b"550 who\r\n"), MailRefused, 550),
        ((b"220 hi\r\n", b"250 hi\r\n", b"421 bye\r\n"), MailDeferred, 421),
        ((b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"554 no\r\n"), MailRefused, 554),
        (
            (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"552 big\r\n"),
            MailRefused,
            552,
        ),
        (
            (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"452 full\r\n"),
            MailDeferred,
            452,
        ),
    ],
)
def test_each_answer_at_each_command(answers: tuple[bytes, ...], kind: type[Exception], code: int) -> None:
    with scripted(*answers) as port, pytest.raises(kind) as caught:
        server_at(port, timeout=0.2).send(mail_to("jan@acme.example"), "jan@acme.example")
    assert caught.value.data["code"] == code  # type: ignore[attr-defined]  # both kinds carry it


def test_without_the_extension_nothing_is_asked_and_the_farewell_is_not_awaited() -> None:
    answers = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n")
    with scripted(*answers) as port:
        started = time.monotonic()
        assert (
            server_at(port, timeout=5).send(mail_to("jan@acme.example"), "jan@acme.example") is Grade.RELAYED
        )
        assert time.monotonic() - started < 2.5


def with_raw_header(name: str, value: str) -> EmailMessage:
    message = mail_to("jan@acme.example")
    message._headers.append((name, value))  # type: ignore[attr-defined]  # past the checks of the library
    return message


@pytest.mark.parametrize(
    ("message", "recipient", "reason"),
    [
        (mail_to("jan@acme.example"), "jan@acme.example> NOTIFY=NEVER", "one plain ASCII address"),
        (mail_to("jan@acme.example"), "jan@acme.example\r\nDATA", "one plain ASCII address"),
        (mail_to("jan@acme.example"), "jan", "one plain ASCII address"),
        (mail_to("jan@acme.example"), "piet@acme.example", "To must name piet@acme.example and nobody else"),
        (mail_to("jan@acme.example, piet@acme.example"), "jan@acme.example", "nobody else"),
        (with_raw_header("Bcc", "piet@acme.example"), "jan@acme.example", "nobody else"),
        (
            with_raw_header("X-Note", "a\r\nBcc: piet@acme.example"),
            "jan@acme.example",
            "X-Note holds a line end",
        ),
        (mail_to("jan@acme.example", ""), "jan@acme.example", "no Message-ID"),
    ],
)
def test_what_is_malformed_is_never_sent(
    mailbox: RunningMailbox, message: EmailMessage, recipient: str, reason: str
) -> None:
    with pytest.raises(MailMalformed, match=reason):
        server_at(mailbox.port).send(message, recipient)
    assert mailbox.store.addresses() == []


def test_a_display_name_is_no_second_recipient(mailbox: RunningMailbox) -> None:
    message = mail_to("x@acme.example")
    message.replace_header("To", Address("Jan, de Boer", addr_spec="jan@acme.example"))
    server_at(mailbox.port).send(message, "jan@acme.example")
    assert mailbox.store.addresses() == ["jan@acme.example"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.vendor.example")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(params=["starttls", "implicit"])
def secured(request: pytest.FixtureRequest, tmp_path: Path, certificate: Path) -> Iterator[tuple[str, int]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def log_in(
        _server: object, _session: object, _envelope: object, _mechanism: str, given: object
    ) -> AuthResult:
        known = given == LoginPassword(b"nakoming", b"geheim-woord")
        return AuthResult(success=known, handled=False)

    implicit = request.param == "implicit"
    options: dict[str, object] = {"authenticator": log_in}
    # Where the whole connection is protected there is no STARTTLS for aiosmtpd to wait for.
    options |= {"auth_require_tls": False} if implicit else {"auth_required": True, "require_starttls": True}
    with running(
        MailboxSettings(tmp_path, tls_context=context, implicit_tls=implicit, smtp_options=options)
    ) as mailbox:
        yield request.param, mailbox.port


def test_a_secured_connection_logs_in_and_sends(
    secured: tuple[str, int], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, port = secured
    monkeypatch.setenv("NAKOMING_TEST_MAIL", "geheim-woord")
    server = server_at(
        port, tls=tls, ca_file=certificate, username="nakoming", password="env:NAKOMING_TEST_MAIL"
    )
    server.check()
    assert server.send(mail_to("jan@acme.example"), "jan@acme.example") is Grade.RELAYED


def test_a_wrong_password_defers_and_is_not_shown(
    secured: tuple[str, int], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, port = secured
    monkeypatch.setenv("NAKOMING_TEST_MAIL", "verkeerd-woord")
    server = server_at(
        port, tls=tls, ca_file=certificate, username="nakoming", password="env:NAKOMING_TEST_MAIL"
    )
    with pytest.raises(MailDeferred, match="535") as caught:
        server.send(mail_to("jan@acme.example"), "jan@acme.example")
    assert "verkeerd" not in str(caught.value)


def test_an_unknown_certificate_is_not_trusted(secured: tuple[str, int]) -> None:
    tls, port = secured
    with pytest.raises(MailServerUnreachable, match=r"(?i)certificate.verify.failed"):
        server_at(port, tls=tls).check()


def test_a_server_without_starttls_gets_nothing(mailbox: RunningMailbox) -> None:
    with pytest.raises(MailDeferred, match="STARTTLS"):
        server_at(mailbox.port, tls="starttls").send(mail_to("jan@acme.example"), "jan@acme.example")
    assert mailbox.store.addresses() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sender": "a@b.example>\r\nX: y"}, "one plain address"),
        ({"username": "nakoming"}, "go together"),
        ({"host": "mail.vendor.example", "username": "n", "password": "env:X"}, "needs tls"),
        ({"password": "hunter2", "username": "n"}, "env:NAME or file:path"),
        ({"host": "mail.vendor.example\r\n"}, "pattern"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        server_at(25, **changes)


def test_the_block_describes_itself_and_its_example_runs(mailbox: RunningMailbox) -> None:
    assert "SMTP server that takes our mail" in str(MailServer.get_description())
    assert all(field.description for field in MailServer.model_fields.values())
    example = MailServer.get_code_example()
    assert example is not None
    code = example.split("```python")[1].split("```")[0].replace("1025", str(mailbox.port))
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - the documented example is what is tested
    assert names["grade"] is Grade.RELAYED
