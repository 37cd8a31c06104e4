"""A mail says the same in text and HTML, in Dutch and English, and a repeat is the same bytes."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from nakoming.agreement.in_words import deadline_in_short, deadline_in_words, instant_in_words
from tasks.mail.contexts import (
    CONTEXTS,
    Closed,
    Detail,
    Document,
    Escalation,
    Kind,
    Language,
    LinkReissued,
    MailContext,
    Notice,
    Operators,
    Question,
    Receipt,
    Reminder,
    Trouble,
    parse_context,
)
from tasks.mail.render import MailUnrenderable, render

if TYPE_CHECKING:
    from email.message import EmailMessage

SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
BY = dt.datetime(2027, 1, 12, 23, tzinfo=dt.UTC)  # Tuesday 12 January 24:00 in Amsterdam
AT = dt.datetime(2027, 1, 5, 8, 30, tzinfo=dt.UTC)
LINK = "https://portal.vendor.example/g/Zm9vYmFy?x=1&y=2"
WHO: dict[str, Any] = {
    "recipient_name": "Jan de Boer",
    "vendor_name": "Smart Production Solutions",
    "case": "RFC ACME-2026-014",
    "contact": "Servicedesk 073 615 9988",
}
ASKED: dict[str, Any] = WHO | {
    "title": "Functionele specificatie, versie 2",
    "asked": "Keurt u deze specificatie goed?",
    "answer_by": BY,
    "happens_next": "Na uw akkoord beginnen wij met bouwen.\nZonder antwoord gebeurt er niets.",
    "documents": (Document(name="specificatie-v2.pdf"),),
    "calendar_id": "gate-17@vendor.example",
}
PROOF: dict[str, Any] = {
    "documents": (Document(name="specificatie-v2.pdf", sha256=SHA),),
    "evidence_number": 41,
    "chain_head": f"43:{SHA}",
}
CONTEXT: dict[Kind, MailContext] = {
    Kind.QUESTION: Question(**ASKED),
    Kind.REMINDER: Reminder(**ASKED, number=2),
    Kind.LINK_REISSUED: LinkReissued(**ASKED),
    Kind.ESCALATION: Escalation(**ASKED, asked_of=("Piet Smit", "An Bos"), asked_at=AT, level=2),
    Kind.RECEIPT: Receipt(
        **WHO,
        **PROOF,
        title="Functionele specificatie, versie 2",
        decision="Akkoord",
        decided_by="Piet Smit",
        decided_for="functioneel beheerder",
        decided_at=AT,
        remarks="Graag vóór\nde zomer.",
        may_be_taken_back=True,
    ),
    Kind.NOTICE: Notice(
        **WHO,
        title="Installatie in productie",
        paragraphs=("Wij installeren versie 2026.12.", "Tweede alinea."),
        starts_at=AT,
        ends_at=AT + dt.timedelta(hours=2),
        link_label="Planning bekijken",
    ),
    Kind.OPERATORS: Operators(
        **WHO,
        trouble=Trouble.CASE_STUCK,
        happened="Stap beta/1/install mislukte vijf keer.",
        happened_at=AT,
        details=(Detail(label="Pogingen", value="5"),),
        to_do=("Bekijk de uitvoer.", "Start de zaak opnieuw."),
    ),
    Kind.CLOSED: Closed(
        **WHO,
        **PROOF,
        title="Veld levertijd",
        outcome="In productie",
        closed_at=AT,
        paragraphs=("Documentatie bijgewerkt.",),
    ),
}
EVERY = [(kind, language) for kind in Kind for language in Language]


def make(kind: Kind, language: Language = Language.NL, **changes: Any) -> EmailMessage:
    arguments: dict[str, Any] = {
        "context": CONTEXT[kind],
        "message_id": "<m1.abc@vendor.example>",
        "sender": "nakoming@vendor.example",
        "recipient": "jan@acme.example",
        "date_at": AT,
        "link": LINK,
    }
    return render(kind, language, **(arguments | changes))


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


class Reader(HTMLParser):
    """Collects words, links and sources, and sees that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        self.seen.append(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "background", "srcset", "poster"} or (
                name == "style" and "url(" in str(value)
            ):
                self.loaded.append(str(value))
            if name == "href":
                self.links.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        """Called by the parser."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Called by the parser."""
        self.words += data.split()


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_each_mail_in_each_language(kind: Kind, language: Language) -> None:
    message = make(kind, language)
    text, html = body(message, "plain"), body(message, "html")
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert reader.loaded == []
    assert not {"script", "img", "link", "iframe", "form", "object", "style"} & set(reader.seen)
    assert reader.links == [LINK]
    assert reader.seen.count("h1") == 1
    assert f'<html lang="{language}">' in html
    assert LINK in text.split()
    assert all(len(line) <= 72 for line in text.splitlines() if "://" not in line and SHA not in line)
    # What the text says, the page says: all words, whatever stands between them.
    assert set(re.findall(r"\w+", text)) <= set(re.findall(r"\w+", " ".join(reader.words))) | {
        "Beste",
        "Dear",
    }
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<m1.abc@vendor.example>"
    assert message["Date"].datetime == AT
    assert str(message["To"]) == "Jan de Boer <jan@acme.example>"
    assert WHO["case"] in text


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_a_repeat_is_the_same_bytes_and_is_read_back(kind: Kind, language: Language) -> None:
    first = make(kind, language).as_bytes()
    assert first == make(kind, language).as_bytes()
    assert max(first) < 128
    assert max(len(line) for line in first.splitlines()) <= 998
    received = email.message_from_bytes(first, policy=email.policy.default)
    assert isinstance(received, email.message.EmailMessage)
    assert not list(received.defects)
    assert body(received, "html").splitlines() == body(make(kind, language), "html").splitlines()


@pytest.mark.parametrize("kind", list(Kind))
def test_a_context_survives_storage_and_holds_no_link(kind: Kind) -> None:
    stored = CONTEXT[kind].model_dump(mode="json")
    assert parse_context(kind, stored) == CONTEXT[kind]
    assert "link" not in CONTEXTS[kind].model_fields


def test_the_languages_differ() -> None:
    assert make(Kind.QUESTION)["Subject"] == (
        "Uw antwoord gevraagd uiterlijk dinsdag 12 januari: Functionele specificatie, versie 2"
    )
    assert make(Kind.QUESTION, Language.EN)["Subject"].startswith(
        "Your answer is needed by Tuesday 12 January: "
    )
    assert "Uiterlijk: dinsdag 12 januari 2027, 24:00 uur (Nederlandse tijd)" in body(
        make(Kind.QUESTION), "plain"
    )
    assert "No later than: Tuesday 12 January 2027, 24:00 (Dutch time)" in body(
        make(Kind.QUESTION, Language.EN), "plain"
    )


def test_a_receipt_carries_its_proof() -> None:
    text = body(make(Kind.RECEIPT), "plain")
    assert f"SHA-256 {SHA}" in text
    assert "Bewijsnummer: 41" in text
    assert f"43:{SHA}" in text
    assert "teruggenomen" in text
    used = CONTEXT[Kind.RECEIPT].model_copy(update={"may_be_taken_back": False})
    assert "teruggenomen" not in body(make(Kind.RECEIPT, context=used), "plain")


def test_customers_text_stays_text() -> None:
    hostile = Question(**(ASKED | {"title": "<img src=x>\r\nBcc: a@b.example", "asked": '<script>"&\u202e'}))
    message = make(Kind.QUESTION, context=hostile)
    html = body(message, "html")
    assert "<script" not in html
    assert "&lt;script&gt;&#34;&amp;" in html
    assert "<img" not in html
    assert message["Bcc"] is None
    assert "<img src=x> Bcc: a@b.example" in str(message["Subject"])
    assert '<script>"&\n' in body(message, "plain").replace("\r\n", "\n")
    assert "\u202e" not in html


def calendar(message: EmailMessage) -> str | None:
    for part in message.iter_attachments():
        assert part.get_content_type() == "text/calendar"
        assert part.get_param("method") == "PUBLISH"
        return bytes(part.get_payload(decode=True)).decode()
    return None


def test_a_deadline_comes_as_a_calendar_entry_on_its_last_day() -> None:
    text = calendar(make(Kind.QUESTION))
    assert text is not None
    lines = text.replace("\r\n ", "").split("\r\n")
    assert "UID:gate-17@vendor.example" in lines
    assert "DTSTART:20270112T223000Z" in lines
    assert "DTEND:20270112T230000Z" in lines
    assert "DTSTAMP:20270105T083000Z" in lines
    assert "METHOD:PUBLISH" in lines
    assert LINK not in text


def test_dates_go_in_the_calendar_only_where_they_matter() -> None:
    with_entry = {kind for kind in Kind if calendar(make(kind))}
    assert with_entry == {Kind.QUESTION, Kind.REMINDER, Kind.NOTICE}
    endless = Question(**(ASKED | {"answer_by": None}))
    assert calendar(make(Kind.QUESTION, context=endless)) is None


@pytest.mark.parametrize("kind", list(Kind))
def test_without_a_link_there_is_no_button(kind: Kind) -> None:
    message = make(kind, link=None)
    assert "href" not in body(message, "html")
    assert "://" not in body(message, "plain")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"context": CONTEXT[Kind.NOTICE]}, "its context is Notice, not Question"),
        ({"message_id": "no-brackets@x"}, "form <left@right>"),
        ({"message_id": "<a@b>\r\nBcc: x@y"}, "form <left@right>"),
        ({"link": "javascript:alert(1)"}, "absolute http or https"),
        ({"link": "/g/token"}, "absolute http or https"),
        ({"link": "https://x.example/a b"}, "absolute http or https"),
        ({"recipient": "jan@acme.example\r\nBcc: x@y.example"}, "an address is not usable"),
        ({"recipient": "jan"}, "an address is not usable"),
        ({"sender": ""}, "an address is not usable"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MailUnrenderable, match=reason):
        make(Kind.QUESTION, **changes)


@pytest.mark.parametrize(
    ("at", "instant", "deadline", "short"),
    [
        (BY, "woensdag 13 januari 2027 om 00:00 uur (Nederlandse tijd)",
         "dinsdag 12 januari 2027, 24:00 uur (Nederlandse tijd)", "dinsdag 12 januari"),
        (dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC),
         "vrijdag 1 januari 2027 om 00:00 uur (Nederlandse tijd)",
         "donderdag 31 december 2026, 24:00 uur (Nederlandse tijd)", "donderdag 31 december"),
        (dt.datetime(2027, 7, 1, 15, 30, tzinfo=dt.UTC),
         "donderdag 1 juli 2027 om 17:30 uur (Nederlandse tijd)",
         "donderdag 1 juli 2027 om 17:30 uur (Nederlandse tijd)", "donderdag 1 juli"),
        (dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC),
         "zondag 31 oktober 2027 om 02:30 uur (Nederlandse tijd, zomertijd)",
         "zondag 31 oktober 2027 om 02:30 uur (Nederlandse tijd, zomertijd)", "zondag 31 oktober"),
        (dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC),
         "zondag 31 oktober 2027 om 02:30 uur (Nederlandse tijd, wintertijd)",
         "zondag 31 oktober 2027 om 02:30 uur (Nederlandse tijd, wintertijd)", "zondag 31 oktober"),
    ],
)  # fmt: skip
def test_instants_in_words(at: dt.datetime, instant: str, deadline: str, short: str) -> None:
    assert instant_in_words(at, Language.NL) == instant
    assert deadline_in_words(at, Language.NL) == deadline
    assert deadline_in_short(at, Language.NL) == short
