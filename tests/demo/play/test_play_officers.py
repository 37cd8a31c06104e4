"""Officers at the real portal: they read the page, fill in its form, and bear what goes wrong on the way."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import pytest

from demo.play import script
from demo.play.errors import PageRefusedError, SilentError
from demo.play.mail import MailReader, Message
from demo.play.officers import Decided, Office, Officer
from demo.play.page import read_page
from demo.play.script import Story
from demo.play.web import Browser
from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.portal.limits import Limits, Rate
from nakoming.records import answers, documents
from tasks.texts import question
from tests.harness.portal_server import ANNA, CUSTOMER, PDF, office, serving
from tests.harness.portal_server import Office as Records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.gate_model import AnswerRecord, Gate

REQUEST = script.read_request()
STORY = Story(REQUEST, date(2026, 11, 23), lambda _: "")
WORDS = {
    "customer_name": "Brouwer",
    "reference": REQUEST["reference"],
    "title": REQUEST["title"],
    "validity_least": "1",
}


@pytest.fixture
def at(sqlite_url: str, tmp_path: Path) -> Iterator[Records]:
    with office(sqlite_url, tmp_path) as opened:
        yield opened


def ask(at: Records, name: str, kind: Kind = Kind.DELIVERY, **words: str) -> Gate:
    """Ask a question of the street with the texts it has there."""
    verbs = {Kind.DELIVERY: (Verb.DELIVER,), Kind.APPROVAL: (Verb.APPROVE, Verb.REQUEST_CHANGES)}[kind]
    asked = question(name, **(WORDS | words))
    return at.ask(kind=kind, contacts=(ANNA,), question=asked, rule={"verbs": verbs})


def read(at: Records, base: str, gate: Gate, portal: str = "") -> tuple[Officer, list[Decided]]:
    """Let Anna read a mail with her link in it."""
    anna = Officer(ANNA.name, ANNA.email, portal or base)
    link = f"{portal or base}{at.path(gate)}"
    mail = Message("1", "Uw antwoord gevraagd", ("https://elsewhere.example/", link, link))
    try:
        return anna, list(anna.read(mail, STORY))
    finally:
        anna.close()


def given(at: Records, gate: Gate) -> list[AnswerRecord]:
    with at.records.read() as tx:
        return answers.of_gate(tx, gate.id)


def test_an_officer_fills_in_the_form_and_sends_documents(at: Records) -> None:
    gate = ask(at, "quote", validity="30")
    with serving(at) as base:
        _, decided = read(at, base, gate)
    (answer,) = given(at, gate)
    assert answer.facts == {"amount": "1250.00"}
    with at.records.read() as tx:
        (paper,) = (documents.get(tx, CUSTOMER, each) for each in answer.documents)
    assert paper.name == f"offerte-{REQUEST['reference']}.pdf"
    assert documents.content(at.records, paper).startswith(b"%PDF-")
    assert [(each.who, each.says) for each in decided] == [(ANNA.name, "quotes € 1250.00")]
    assert decided[0].number.startswith(f"{CUSTOMER}-")


def test_an_officer_opens_the_documents_before_approving_them(at: Records) -> None:
    texts = {"document_nl": "functionele specificatie", "document_en": "functional specification"}
    gate = ask(at, "document_approval", Kind.APPROVAL, **texts, next_nl="–", next_en="–", round="1")
    with serving(at) as base, Browser() as browser:
        shown = read_page(browser.get(f"{base}{at.path(gate)}").text)
        (document,) = shown.documents
        assert browser.get(f"{base}{document}").content == PDF
        read(at, base, gate)
    (answer,) = given(at, gate)
    assert (answer.verb, answer.remark) == ("request_changes", REQUEST["rejection_of_specification_1"])


def test_a_receipt_that_was_lost_on_the_way_is_asked_for_again(at: Records) -> None:
    gate = ask(at, "quote", validity="30")
    with serving(at) as base, losing_the_answer_to(base, b"POST ") as (portal, lost):
        _, decided = read(at, base, gate, portal)
        assert lost == [b"POST "]
    assert len(given(at, gate)) == 1
    assert len(decided) == 1


def test_an_officer_waits_when_the_portal_says_so(at: Records) -> None:
    gate = ask(at, "quote", validity="30")
    strict = Limits(
        address=Rate(1, 1.0),
        customer=Rate(9, 9.0),
        lost_by_address=Rate(1, 1.0),
        lost_by_mailbox=Rate(1, 1.0),
    )
    with serving(at, limits=strict) as base:
        _, decided = read(at, base, gate)
    assert len(decided) == 1


def test_a_question_about_another_request_is_left_alone(at: Records) -> None:
    gate = ask(at, "quote", validity="30", reference="BRW-2026-099")
    with serving(at) as base:
        assert read(at, base, gate)[1] == []
    assert given(at, gate) == []


def test_a_question_without_an_answer_in_the_script_is_told(at: Records) -> None:
    gate = ask(at, "release")
    with serving(at) as base:
        anna, decided = read(at, base, gate)
    assert decided == []
    assert anna.unknown == ["In welke release komt de wijziging?"]


def test_an_answer_that_the_form_does_not_offer_is_refused_in_one_sentence(at: Records) -> None:
    gate = ask(at, "quote", Kind.APPROVAL, validity="30")
    with serving(at) as base, pytest.raises(PageRefusedError) as refused:
        read(at, base, gate)
    assert str(refused.value) == (
        "Anna de Vries could not answer 'Maak de offerte': 'deliver' is not among approve, request_changes."
    )


def test_a_link_that_was_replaced_asks_nothing(at: Records) -> None:
    with serving(at) as base:
        anna = Officer(ANNA.name, ANNA.email, base)
        mail = Message("1", "Uw antwoord gevraagd", (f"{base}/q/{'A' * 43}",))
        assert list(anna.read(mail, STORY)) == []
        anna.close()


def test_a_server_that_stays_away_is_named_without_the_token() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with Browser(patience_seconds=0.6) as browser, pytest.raises(SilentError) as silent:
            browser.get(f"{base}/q/a-token")
    assert str(silent.value).startswith(f"{base}/q/… gave no answer for 0.6 seconds (")
    assert "a-token" not in str(silent.value)


@contextmanager
def losing_the_answer_to(base: str, beginning: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A wire that breaks once: the first request that begins so arrives, and its answer does not."""
    target = ("127.0.0.1", int(base.rpartition(":")[2]))
    lost: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as wire:
        thread = threading.Thread(target=_carry, args=(wire, target, beginning, lost), name="wire")
        thread.start()
        try:
            yield f"http://127.0.0.1:{wire.getsockname()[1]}", lost
        finally:
            wire.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _carry(wire: socket.socket, target: tuple[str, int], beginning: bytes, lost: list[bytes]) -> None:
    while True:
        try:
            visitor, _ = wire.accept()
        except OSError:
            return
        with visitor, socket.create_connection(target) as server:
            _relay(visitor, server, beginning, lost)


def _relay(visitor: socket.socket, server: socket.socket, beginning: bytes, lost: list[bytes]) -> None:
    """Carry requests one after another, each whole, and their answers back."""
    while request := _whole(visitor):
        server.sendall(request)
        answer = _whole(server)
        if request.startswith(beginning) and not lost:
            lost.append(beginning)
            return
        visitor.sendall(answer)


def _whole(connection: socket.socket) -> bytes:
    """A message with its body, by its Content-Length; nothing when the other side has closed."""
    message = b""
    while b"\r\n\r\n" not in message:
        if not (part := connection.recv(65536)):
            return b""
        message += part
    head, _, body = message.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0 and (part := connection.recv(65536)):
        message += part
        missing -= len(part)
    return message


def test_mail_is_read_once_and_in_order(mailbox_page: tuple[str, Path]) -> None:
    url, root = mailbox_page
    del root
    with Browser() as browser:
        reader = MailReader(browser, url)
        first = reader.new(("anna@acme.example", "ben@acme.example"))
        assert [(address, message.subject) for address, message in first] == [
            ("anna@acme.example", "one"),
            ("anna@acme.example", "two"),
        ]
        assert reader.new(("anna@acme.example",)) == []
        assert reader.total == 2


def test_an_office_reads_the_mail_of_its_officers_only(mailbox_page: tuple[str, Path]) -> None:
    url, _ = mailbox_page
    with Browser() as browser:
        quiet = Office([Officer("Ben", "ben@acme.example", url)], MailReader(browser, url))
        assert list(quiet.work(REQUEST, date(2026, 11, 23))) == []
        assert quiet.unknown == []
        quiet.close()


@pytest.fixture
def mailbox_page(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The real mailbox page over a store with two mails."""
    import uvicorn

    from demo.mailbox.page import make_page
    from demo.mailbox.store import Store
    from tests.harness.processes import free_port

    store = Store(tmp_path / "mail")
    for number in ("one", "two"):
        raw = f"Message-ID: <{number}@sps.example>\r\nSubject: {number}\r\n\r\nhttps://portal.example/q/x\r\n"
        store.deliver("anna@acme.example", raw.encode())
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(make_page(store), port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, name="mailbox-page")
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}", tmp_path
    finally:
        server.should_exit = True
        thread.join(20)
