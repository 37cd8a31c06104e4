"""Each kind of mail, Dutch and English, from the records through a real server into its reader's mailbox."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from nakoming.agreement.gate_rules import Kind
from nakoming.records import agreements, answers, cases, gates, heads, links, outbox, schema
from nakoming.records.gate_model import Contact
from tasks import operators
from tasks.questions import Desk
from tasks.texts import fill, load, notice
from tasks.waking.due import act_on_due

if TYPE_CHECKING:
    from email.message import EmailMessage

    from nakoming.records.gate_model import Gate

    from .conftest import PostOffice

OPERATORS = Path(operators.__file__).parent / "texts" / "operators"
JOOST = "joost.smit@brouwer-plaatwerk.example"
OWEN = "owen.pryce@fenwick-tooling.example"
READERS = {
    "nl": ("brouwer", "brouwer:joost-smit", JOOST, "Joost Smit"),
    "en": ("fenwick", "fenwick:owen-pryce", OWEN, "Owen Pryce"),
}
_TOKEN = re.compile(r"https://portal\.sps\.example/q/([A-Za-z0-9_=-]+)")


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


def newest(office: PostOffice, address: str) -> EmailMessage:
    return office.inbox(address)[-1]


def opened_by(office: PostOffice, message: EmailMessage) -> Any:
    """What the one link in a mail opens."""
    tokens = {found for kind in ("plain", "html") for found in _TOKEN.findall(text_of(message, kind))}
    assert len(tokens) == 1
    with office.records.read() as tx:
        return links.resolve(tx, tokens.pop())


def link_of(office: PostOffice, gate: Gate, person: str) -> links.Link:
    with office.records.read() as tx:
        return next(link for link in links.of_gate(tx, gate.id) if link.contact.person == person)


def nudge(office: PostOffice, gate: Gate, kind: str, recipient: Contact, **context: int) -> None:
    """A reminder or escalation as the housekeeping writes it."""
    link = next((each for each in [link_of(office, gate, recipient.person)] if each), None)
    office.put(
        kind, f"{kind}/{gate.id}", recipient, customer=gate.customer, case_id=gate.case_id,
        gate_id=gate.id, link_id=link.id, generation=link.generation, context=dict(context),
    )  # fmt: skip


WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "nl": {
        "question": ("Beste Joost Smit", "Gaat u daarmee akkoord?", "Akkoord met de offerte: Wij stellen",
                     "specification.md", "RFC 2026-014 Een extra veld", "Lotte Mulder"),
        "reminder": ("Beste Joost Smit", "Gaat u daarmee akkoord?"),
        "escalation": ("Anneke Brouwer", "Joost Smit", "Eerder gevraagd aan"),
        "receipt": ("Akkoord met de offerte", "Genomen door: Joost Smit, Brouwer Plaatwerk B.V.",
                    "Graag voor de zomer.", "Een vergissing?"),
        "retraction": ("Antwoord teruggenomen: Akkoord met de offerte", "Joost Smit"),
    },
    "en": {
        "question": ("Dear Owen Pryce", "Do you agree?", "Approve the quote: We propose",
                     "specification.md", "RFC 2026-014 Een extra veld", "Lotte Mulder"),
        "reminder": ("Dear Owen Pryce", "Do you agree?"),
        "escalation": ("Harriet Fenwick", "Owen Pryce"),
        "receipt": ("Approve the quote", "Decided by: Owen Pryce, Fenwick Tooling Ltd",
                    "Graag voor de zomer.", "A mistake?"),
        "retraction": ("Answer taken back: Approve the quote", "Owen Pryce"),
    },
}  # fmt: skip


def holds(message: EmailMessage, language: str, kind: str) -> None:
    assert message.get_all("Content-Language") == [language]
    assert f'<html lang="{language}">' in text_of(message, "html")
    for form in ("plain", "html"):
        said = " ".join(text_of(message, form).split())
        for words in WORDS[language][kind]:
            assert words in said or form == "html", f"{words!r} is not in the {form} {kind}"
    assert WORDS[language][kind][0].split(":")[0] in text_of(message, "html")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_mail_about_a_question_arrives_in_its_readers_language(
    office: PostOffice, language: str
) -> None:
    customer, person, address, _ = READERS[language]
    gate = office.ask(customer)
    link = link_of(office, gate, person)
    assert office.deliver().relayed == 2
    question = newest(office, address)
    holds(question, language, "question")
    assert [part.get_content_type() for part in question.iter_attachments()] == ["text/calendar"]
    assert opened_by(office, question).id == link.id
    assert question["Reply-To"] == "lotte.mulder@sps.example"

    nudge(office, gate, "reminder", link.contact, number=2)
    office.deliver()
    holds(newest(office, address), language, "reminder")
    assert "2" in newest(office, address)["Subject"]

    nudge(office, gate, "escalation", link.contact, level=3)
    office.deliver()
    holds(newest(office, address), language, "escalation")
    assert "3" in newest(office, address)["Subject"]
    assert opened_by(office, newest(office, address)).id == link.id

    office.answer(gate, person, remark="Graag voor de zomer.")
    assert office.deliver().relayed == 2, "everyone who was asked learns of it"
    holds(newest(office, address), language, "receipt")
    assert opened_by(office, newest(office, address)).id == link.id

    with office.records.write() as tx:
        answers.retract(tx, gate.id, person)
    office.deliver()
    holds(newest(office, address), language, "retraction")
    assert "A mistake?" not in text_of(newest(office, address))


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_lost_link_is_replaced_and_only_the_new_one_opens(office: PostOffice, language: str) -> None:
    customer, person, address, _ = READERS[language]
    gate = office.ask(customer)
    office.deliver()
    old = newest(office, address)
    with office.records.write() as tx:
        links.reissue(tx, links.by_id(tx, link_of(office, gate, person).id) or pytest.fail("no link"))
    assert office.deliver().relayed == 1
    assert opened_by(office, old) is None
    assert opened_by(office, newest(office, address)).contact.person == person
    assert f'<html lang="{language}">' in text_of(newest(office, address), "html")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_notices_and_the_end_of_a_case_arrive(office: PostOffice, language: str) -> None:
    customer, person, address, name = READERS[language]
    lease = office.case(customer)
    reader = Contact(person=person, name=name, email=address, language=language, role="key_user")
    words = notice("production", language, title="Veld", version="2.1", sha256="0" * 64)
    office.put("notice", "n/1", reader, customer=customer, case_id=lease.case_id, context=words)
    ended = {"title": "Een extra veld", "outcome": "in production", "paragraphs": ["Klaar."]}
    ended |= {"event": "case:run:closed"}
    office.put("closed", "c/1", reader, customer=customer, case_id=lease.case_id, context=ended)
    with office.records.write() as tx:
        cases.close(tx, lease, "in production")
    assert office.deliver().relayed == 2
    told, closed = office.inbox(address)
    assert told["Subject"] == words["title"]
    assert words["paragraphs"][0] in " ".join(text_of(told).split())
    (proof,) = office.events("case:run:closed")
    assert f"{proof['row'].seq}:{proof['row'].leaf}" in text_of(closed)


def test_operators_are_told_in_mail(office: PostOffice) -> None:
    lease = office.case()
    with office.records.write() as tx:
        operators.tell_stuck(tx, lease, "the build command is missing")
    assert office.deliver().relayed == 1
    told = newest(office, "operators@sps.example")
    assert "RFC 2026-014" in told["Subject"]
    assert "the build command is missing" in text_of(told)


@pytest.mark.parametrize("trouble", sorted(path.stem for path in OPERATORS.glob("*.yaml")))
def test_whatever_operators_are_told_of_has_a_mail_with_a_subject_of_its_own(
    office: PostOffice, trouble: str
) -> None:
    words = load("operators", trouble)
    found = re.findall(r"{(\w+)(?::(\w+))?}", str(words))
    places = {name: "2026-11-23" if how == "day" else name for name, how in found}
    with office.records.write() as tx:
        operators._tell(tx, f"operators/{trouble}", trouble, "brouwer", places, None)
    assert office.deliver().relayed == 1
    told = newest(office, "operators@sps.example")
    subject, _, case = str(told["Subject"]).partition(": ")
    assert case == "brouwer"
    assert (subject == "Installatie teruggedraaid") == (trouble == "rolled_back")
    said = fill(words["nl"], places | {"case": "brouwer"}, "nl")["happened"]
    assert " ".join(said.split()) in " ".join(text_of(told).split())


def test_operators_learn_once_of_a_notice_that_is_not_proven_to_have_arrived(office: PostOffice) -> None:
    lease = office.case()
    with office.records.write() as tx:
        desk = Desk.open(tx, "brouwer", 1)
        due = replace(desk.their_right("lead_times.quote_validity"), closes=True)
        words = {"reference": "2026-014", "title": "Veld", "amount": "1250.00", "reason": "maatwerk"}
        words["valid_until"] = "2027-01-31"
        seats = desk.customer_seats("functional_administrator")
        kind = Kind.OBJECTION_WINDOW
        spec = desk.gate("window/1", kind, seats, "quote_approval", words, due=due, label="window")
        gates.open_gate(tx, lease, spec)
    office.deliver()
    office.move(timedelta(days=60))
    for _ in range(2):
        act_on_due(office.records)
        office.deliver()
    (told,) = office.inbox("operators@sps.example")
    assert told["Subject"] == "Aankomst niet bewezen: RFC 2026-014 Een extra veld"
    assert "window/1" in text_of(told)
    assert "Joost Smit: relayed" in text_of(told)


def test_a_receipt_carries_the_head_that_the_evidence_holds(office: PostOffice) -> None:
    gate = office.ask()
    given = office.answer(gate, "brouwer:joost-smit")
    office.deliver()
    (proof,) = office.events("gate:question:answered")
    row = proof["row"]
    assert row.about == f"answer:{given.answer_id}"
    said = text_of(newest(office, JOOST))
    assert f"{row.seq}:{row.leaf}" in said
    assert (
        hashlib.sha256(b"# Functional specification\n\nThe production order gets a field.\n").hexdigest()
        in said
    )
    with office.records.read() as tx:
        noted = [(head.chain, head.seq, head.leaf) for head in heads.in_table(tx)]
    assert noted == [("brouwer", row.seq, row.leaf)]
    filed, damaged = heads.in_file(office.records.heads_file)
    assert [(head.seq, head.leaf) for head in filed] == [(row.seq, row.leaf)]
    assert damaged == []


def test_the_evidence_names_the_bytes_that_arrived(office: PostOffice) -> None:
    office.ask()
    office.deliver()
    (raw,) = office.raw(JOOST)
    digests = [json.loads(each["payload"])["message"] for each in office.events("mail:message:relayed")]
    assert hashlib.sha256(raw).hexdigest() in digests


def test_a_receipt_no_longer_offers_to_take_back_what_was_used(office: PostOffice) -> None:
    gate = office.ask()
    office.answer(gate, "brouwer:joost-smit")
    with office.records.write() as tx:
        tx.connection.execute(
            schema.gates.update()
            .where(schema.gates.c.id == gate.id)
            .values(consumed_at=tx.now, consumed_by="x")
        )
    office.deliver()
    assert "Een vergissing?" not in text_of(newest(office, JOOST))


def test_a_mail_whose_link_was_superseded_is_void(office: PostOffice) -> None:
    gate = office.ask()
    with office.records.write() as tx:
        for link in links.of_gate(tx, gate.id):
            links.reissue(tx, link)
    done = office.deliver()
    assert (done.void, done.relayed) == (2, 2)
    assert {mail.kind: mail.state for mail in office.mails()} == {
        "question": outbox.MailState.VOID,
        "link_reissued": outbox.MailState.RELAYED,
    }
    assert len(office.raw(JOOST)) == 1


def test_a_question_that_is_settled_is_asked_no_more(office: PostOffice) -> None:
    gate = office.ask()
    office.answer(gate, "brouwer:joost-smit")
    done = office.deliver()
    assert (done.void, done.relayed) == (2, 2)
    assert {mail.kind for mail in office.mails() if mail.state == outbox.MailState.RELAYED} == {"receipt"}


def test_a_revoked_question_is_void_and_its_receipts_have_no_link(office: PostOffice) -> None:
    gate = office.ask()
    office.deliver()
    office.answer(gate, "brouwer:joost-smit", "request_changes", remark="De naam klopt niet.")
    with office.records.write() as tx:
        tx.connection.execute(schema.gates.update().values(state="open"))
        gates.revoke(tx, gate.id, "the request was withdrawn")
    office.deliver()
    receipt = newest(office, JOOST)
    assert "De naam klopt niet." in text_of(receipt)
    assert "/q/" not in text_of(receipt)


def test_a_repeat_is_the_same_mail_to_the_byte(office: PostOffice) -> None:
    office.ask()
    office.deliver()
    (first,) = office.raw(JOOST)
    with office.records.write() as tx:  # as records restored from a backup know it
        tx.connection.execute(schema.outbox.update().values(state="queued", next_at=tx.now))
    office.move(timedelta(hours=3))
    office.deliver()
    assert office.raw(JOOST) == [first, first]


def test_no_token_and_no_address_lies_in_the_records(office: PostOffice) -> None:
    gate = office.ask()
    office.deliver()
    office.answer(gate, "brouwer:joost-smit")
    office.deliver()
    office.read()
    with office.records.read() as tx:
        secrets = [links.token(office.records.keys, each.id, 1) for each in links.of_gate(tx, gate.id)]
        assert agreements.vendor(tx).operators_email
        stored = b"\n".join(
            repr(tuple(row)).encode() for table in schema.metadata.sorted_tables
            for row in tx.connection.execute(select(table))
        )  # fmt: skip
    url = office.records.engine.url
    if url.get_backend_name() == "sqlite":
        from pathlib import Path

        for file in Path(url.database or "").parent.glob("records.sqlite*"):
            stored += file.read_bytes()
    assert gate.id.encode() in stored, "the search would find what is there"
    for secret in [*secrets, JOOST]:
        assert secret.encode() not in stored
        assert secret.rstrip("=")[-20:].encode() not in stored
