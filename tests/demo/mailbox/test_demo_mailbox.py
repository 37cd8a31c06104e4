"""The demo's mail server: what it takes is on disk, what it says is kept, what it shows is harmless."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.mailbox.page import make_page
from demo.mailbox.server import MailboxSettings, PortTaken, running
from demo.mailbox.store import Store
from tasks.mail.bounces import Outcome, interpret
from tests.harness.waiting import wait_for

ROOT = Path(__file__).parents[3]


def mail(recipient: str, html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "nakoming@vendor.example"
    message["To"] = recipient
    message["Subject"] = "Vraag <b>1</b>"
    message["Message-ID"] = "<1@vendor.example>"
    message["Date"] = "Tue, 05 Jan 2027 08:30:00 +0000"
    message.set_content("Zie https://portal.vendor.example/g/plain\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def send(port: int, recipient: str, *options: str) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        client.ehlo()
        assert client.has_extn("dsn")
        client.mail("nakoming@vendor.example", ["RET=HDRS", "ENVID=En+2BId"])
        answer = client.rcpt(recipient, list(options))
        return client.data(mail(recipient).as_bytes()) if answer[0] == 250 else answer


def notices(root: Path) -> list[Path]:
    return list((root / "bounces" / "new").iterdir())


def test_success_is_told_when_asked_and_only_then(tmp_path: Path) -> None:
    with running(MailboxSettings(tmp_path)) as mailbox:
        assert send(mailbox.port, "jan@acme.example")[0] == 250
        assert notices(tmp_path) == []
        assert (
            send(mailbox.port, "jan@acme.example", "NOTIFY=SUCCESS", "ORCPT=rfc822;Jan@acme.example")[0]
            == 250
        )
    (notice,) = notices(tmp_path)
    told = interpret(notice.read_bytes())
    assert told is not None
    assert (told.outcome, told.recipient, told.message_id, told.envelope_id, told.status) == (
        Outcome.ACCEPTED, "Jan@acme.example", "<1@vendor.example>", "En+Id", "2.0.0",
    )  # fmt: skip
    assert len(list(mailbox.store.messages("jan@acme.example"))) == 2


def test_a_bounced_mail_is_taken_and_comes_back_later(tmp_path: Path) -> None:
    with running(MailboxSettings(tmp_path, bounce_after=0.05)) as mailbox:
        assert send(mailbox.port, "bounced-jan@acme.example", "NOTIFY=SUCCESS,FAILURE")[0] == 250
        (notice,) = wait_for(lambda: notices(tmp_path))
    told = interpret(notice.read_bytes())
    assert told is not None
    assert (told.outcome, told.status) == (Outcome.BOUNCED, "5.1.1")
    assert told.diagnostic == "550 5.1.1 No such mailbox"
    assert mailbox.store.addresses() == []


def test_a_bounce_outlives_the_server(tmp_path: Path) -> None:
    with running(MailboxSettings(tmp_path, bounce_after=3600)) as mailbox:
        send(mailbox.port, "bounced-jan@acme.example")
        assert notices(tmp_path) == []
    with running(MailboxSettings(tmp_path)):
        assert len(notices(tmp_path)) == 1


def test_behaviour_by_name_and_by_file(tmp_path: Path) -> None:
    with running(MailboxSettings(tmp_path, bounce_after=0)) as mailbox:
        assert send(mailbox.port, "Refused-jan@acme.example")[0] == 550
        assert [send(mailbox.port, "busy-2-x@acme.example")[0] for _ in range(3)] == [451, 451, 250]
        assert send(mailbox.port, "piet@acme.example")[0] == 250
        told = {
            "refused": ["piet@acme.example"],
            "busy": {"an@acme.example": 1},
            "bounced": ["bo@acme.example"],
        }
        (tmp_path / "behaviour.json").write_text(json.dumps(told))
        assert send(mailbox.port, "piet@acme.example")[0] == 550
        assert [send(mailbox.port, "an@acme.example")[0] for _ in range(2)] == [451, 250]
        assert send(mailbox.port, "bo@acme.example", "NOTIFY=NEVER")[0] == 250
        assert send(mailbox.port, "bo@acme.example")[0] == 250
        wait_for(lambda: notices(tmp_path))
    assert len(notices(tmp_path)) == 1


def test_an_address_is_no_path(tmp_path: Path) -> None:
    store = Store(tmp_path / "root")
    store.deliver("../../up@acme.example", b"x")
    store.deliver("a/b@acme.example", b"x")
    assert store.addresses() == ["../../up@acme.example", "a/b@acme.example"]
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_a_port_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    with (
        running(MailboxSettings(tmp_path)) as mailbox,
        pytest.raises(
            PortTaken, match=rf"Port {mailbox.port} on 127.0.0.1 cannot be used for mail: .*in use"
        ),
        running(MailboxSettings(tmp_path, smtp_port=mailbox.port)),
    ):
        pass


class Client:
    """A browser without a socket."""

    def __init__(self, store: Store) -> None:
        self.app = make_page(store)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """One request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get(path, **options)

        return asyncio.run(ask())


def client_with(tmp_path: Path, html: str) -> tuple[Client, str]:
    store = Store(tmp_path)
    name = store.deliver("jan@acme.example", mail("jan@acme.example", html).as_bytes())
    return Client(store), name


def test_scripts_read_mail_as_json(tmp_path: Path) -> None:
    client, name = client_with(
        tmp_path, '<p><a href="https://portal.vendor.example/g/a?x=1&amp;y=2">x</a></p>'
    )
    assert client.get("/api/mailboxes").json() == [{"address": "jan@acme.example", "messages": 1}]
    assert client.get("/api/mailboxes/Jan@acme.example/messages").json() == [
        {
            "id": name,
            "message_id": "<1@vendor.example>",
            "subject": "Vraag <b>1</b>",
            "sender": "nakoming@vendor.example",
            "date": "Tue, 05 Jan 2027 08:30:00 +0000",
            "links": ["https://portal.vendor.example/g/a?x=1&y=2", "https://portal.vendor.example/g/plain"],
        }
    ]
    assert client.get("/api/mailboxes/nobody@acme.example/messages").json() == []


def test_pages_escape_and_carry_a_strict_policy(tmp_path: Path) -> None:
    client, name = client_with(tmp_path, "<html><head></head><body><script>alert(1)</script></body></html>")
    for path in ("/", "/mailboxes/jan@acme.example", f"/mailboxes/jan@acme.example/{name}"):
        page = client.get(path)
        assert page.status_code == 200
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert "<b>1</b>" not in page.text
        assert "<script" not in page.text
    html = client.get(f"/mailboxes/jan@acme.example/{name}/html")
    assert "default-src 'none'" in html.headers["content-security-policy"]
    assert "sandbox allow-popups" in html.headers["content-security-policy"]
    assert "allow-scripts" not in html.headers["content-security-policy"]
    assert '<base target="_blank">' in html.text
    raw = client.get(f"/mailboxes/jan@acme.example/{name}/raw")
    assert raw.headers["content-type"].startswith("text/plain")
    assert "Message-ID: <1@vendor.example>" in raw.text
    assert client.get("/style.css").headers["content-type"].startswith("text/css")


def test_what_is_not_there_and_who_is_not_welcome(tmp_path: Path) -> None:
    client, _ = client_with(tmp_path, "<p>x</p>")
    for path in (
        "/mailboxes/no@acme.example",
        "/mailboxes/jan@acme.example/x",
        "/mailboxes/jan@acme.example/..%2Fx/raw",
    ):
        assert client.get(path).status_code == 404
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_the_command_serves_both_and_ends_in_peace(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "demo.mailbox",
        "--root",
        str(tmp_path),
        "--smtp-port",
        "0",
        "--http-port",
        "0",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"mail on 127\.0\.0\.1:(\d+), mailboxes on (http://127\.0\.0\.1:\d+/)\n", line)
        assert found, line
        assert send(int(found[1]), "jan@acme.example")[0] == 250
        assert "jan@acme.example" in httpx.get(found[2]).text
        taken = subprocess.run(
            [*command[:-3], found[1], "--http-port", "0"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert taken.returncode == 1
        assert taken.stderr.startswith(f"NK4040 Port {found[1]} on 127.0.0.1 cannot be used for mail")
        assert "Traceback" not in taken.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
