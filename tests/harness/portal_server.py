"""A portal on a loopback port over real records, and questions to ask through it."""

from __future__ import annotations

import contextlib
import html
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import uvicorn

from nakoming.agreement.gate_rules import GateRule, Kind, Seat
from nakoming.portal.app import create_app
from nakoming.portal.limits import Limits, Rate
from nakoming.portal.serving import server_config
from nakoming.records import cases, clock, documents, gates, links, migrate
from nakoming.records.gate_model import Contact, Field, GateSpec, Question
from nakoming.records.store import Records
from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from nakoming.portal.waking import Wake
    from nakoming.records.gate_model import Gate

CUSTOMER = "acme"
ANNA = Contact(
    person="acme:anna",
    name="Anna de Vries",
    email="anna@acme.example",
    language="nl",
    role="application_owner",
)
BEN = Contact(
    person="acme:ben", name="Ben Harper", email="ben@acme.example", language="en", role="business_owner"
)
GENEROUS = Limits(
    address=Rate(100_000, 1000.0),
    customer=Rate(100_000, 1000.0),
    lost_by_address=Rate(1000, 100.0),
    lost_by_mailbox=Rate(1000, 100.0),
)
_PLAIN = ssl.create_default_context()  # made once: every client would read the certificates again
PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"

TEXTS: dict[str, dict[str, Any]] = {
    "nl": {
        "title": "Functioneel ontwerp 1.2 goedkeuren",
        "ask": "Klopt het functioneel ontwerp voor het veld Leverweek bij productieorders? "
        "Lees het document en geef uw oordeel.",
        "about": [["Verzoek", "RFC ACME-2026-014: leverweek tonen"], ["Aangevraagd door", "Ben Harper"]],
        "verbs": {
            "approve": {"label": "Goedkeuren", "next": "Wij beginnen met bouwen."},
            "request_changes": {
                "label": "Wijzigingen vragen",
                "next": "Wij passen het ontwerp aan en vragen u daarna opnieuw.",
            },
            "refuse": {"label": "Weigeren", "next": "Het verzoek wordt beëindigd."},
        },
        "options": {"week_50": "Week 50", "week_51": "Week 51"},
        "fields": {"amount": "Bedrag excl. btw", "valid_until": "Geldig tot en met", "why": "Waarom"},
    },
    "en": {
        "title": "Approve functional design 1.2",
        "ask": "Is the functional design for the field Delivery week of production orders right? "
        "Read the document and give your verdict.",
        "about": [["Request", "RFC ACME-2026-014: show delivery week"], ["Requested by", "Ben Harper"]],
        "verbs": {
            "approve": {"label": "Approve", "next": "We start building."},
            "request_changes": {
                "label": "Ask for changes",
                "next": "We change the design and ask you again.",
            },
            "refuse": {"label": "Refuse", "next": "The request ends."},
        },
        "options": {"week_50": "Week 50", "week_51": "Week 51"},
        "fields": {"amount": "Amount excl. VAT", "valid_until": "Valid until", "why": "Why"},
    },
}
QUOTE_FIELDS = (
    Field(name="amount", kind="amount", verbs=("deliver",)),
    Field(name="valid_until", kind="date", verbs=("deliver",)),
    Field(name="why", kind="long_text", required=False),
)


def rule_of(kind: Kind, *contacts: Contact, **changes: Any) -> GateRule:
    """A rule in which each contact has a seat of their own role."""
    seats = tuple(Seat(role=contact.role, persons=(contact.person,)) for contact in contacts)
    return GateRule(kind=kind, seats=seats, **changes)


@dataclass
class Office:
    """The records behind a portal, and what a flow would do with them."""

    records: Records
    woken: list[str] = field(default_factory=list)
    count: int = 0

    def ask(
        self,
        *,
        kind: Kind = Kind.APPROVAL,
        contacts: tuple[Contact, ...] = (ANNA, BEN),
        question: Question | None = None,
        document: bytes | None = PDF,
        stored: tuple[str, ...] = (),
        due_by: datetime | None = None,
        rule: dict[str, Any] | None = None,
        **spec: Any,
    ) -> Gate:
        """Open a gate of a new case, about a new document or about those that are `stored`."""
        self.count += 1
        shown = stored
        if document is not None and not stored:
            name = "Functioneel ontwerp leverweek.pdf"
            shown = (documents.add(self.records, CUSTOMER, name, document, by="vendor:vera").id,)
        with self.records.write() as tx:
            opened = cases.open_case(
                tx, "rfc", CUSTOMER, f"ACME-{self.count}", agreement_version=1, flow_revision=1, parameters={}
            )
            lease = cases.acquire(tx, opened.case.id, "test")
            gate_id = gates.open_gate(
                tx,
                lease,
                GateSpec(
                    name="specification/1",
                    rule=rule_of(kind, *contacts, **(rule or {})),
                    question=question or Question(texts=TEXTS, remark_required=("request_changes",)),
                    contacts=contacts,
                    documents=shown,
                    due_by=due_by,
                    **spec,
                ),
            )
            return gates.get(tx, gate_id)

    def gate(self, gate_id: str) -> Gate:
        """The gate as it is now."""
        with self.records.read() as tx:
            return gates.get(tx, gate_id)

    def lease(self, case_id: str) -> cases.Lease:
        """The right to work on a case, taken anew."""
        with self.records.write() as tx:
            return cases.acquire(tx, case_id, "test")

    def path(self, gate: Gate, contact: Contact = ANNA) -> str:
        """The path of a person's link as a mail brings it."""
        with self.records.read() as tx:
            link = next(each for each in links.of_gate(tx, gate.id) if each.contact.person == contact.person)
            return f"/q/{links.token(self.records.keys, link.id, link.generation)}"

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        with self.records.engine.begin() as connection:
            clock.move(connection, by)

    def set_to(self, instant: datetime) -> None:
        """Let the clock show an instant."""
        with self.records.engine.begin() as connection:
            clock.set_to(connection, instant)

    def now(self) -> datetime:
        """The present instant."""
        with self.records.read() as tx:
            return tx.now


@contextlib.contextmanager
def office(url: str, folder: Path, **options: Any) -> Iterator[Office]:
    """Records with a schema, in a folder of their own."""
    records = Records(url, keys=folder / "keys", documents=folder / "documents", pooled=True, **options)
    migrate.upgrade(records)
    try:
        yield Office(records)
    finally:
        records.engine.dispose()


@contextlib.contextmanager
def serving(
    at: Office, *, wake: Wake | None = None, limits: Limits = GENEROUS, public_url: str = "", **options: Any
) -> Iterator[str]:
    """A portal served by uvicorn while the block lasts; its address."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    app = create_app(
        at.records, wake=wake or at.woken.append, public_url=public_url or base, limits=limits, **options
    )
    server = uvicorn.Server(server_config(app, port=port))
    thread = threading.Thread(target=server.run, name="portal")
    thread.start()
    try:
        give_up = time.monotonic() + 20
        while not server.started:
            if time.monotonic() > give_up or not thread.is_alive():
                raise AssertionError("The portal did not start.")
            time.sleep(0.005)  # until it says so, above
        yield base
    finally:
        for visitor in list(Visitor.everyone):
            visitor.leave()
        server.should_exit = True
        thread.join(20)


def browser(base: str, **headers: str) -> httpx.Client:
    """A visitor with cookies of their own."""
    return httpx.Client(base_url=base, follow_redirects=True, headers=headers, timeout=30, verify=_PLAIN)


_INPUT = re.compile(r"<input\b[^>]*>")


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the first form of a page."""
    found: dict[str, str] = {}
    for tag in _INPUT.findall(page):
        attributes = {name: html.unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        if attributes.get("type") == "hidden":
            found.setdefault(attributes["name"], attributes["value"])
    return found


def word_of(page: str) -> str:
    """The word that a page shows to be typed."""
    found = re.search(r'<b translate="no">(\w+)</b>', page)
    assert found, page
    return found[1]


def filled_in(page: str, answer: str = "approve", **fields: str) -> dict[str, str]:
    """The form of a page as a person fills it in."""
    return hidden(page) | {"answer": answer, "word": word_of(page)} | fields


def evidence_events(at: Office) -> list[str]:
    """The events of the customer's chain in order."""
    from sqlalchemy import select

    from nakoming.records import schema

    with at.records.read() as tx:
        e = schema.evidence.c
        query = select(e.event).where(e.chain == CUSTOMER).order_by(e.seq)
        return [str(event) for event in tx.connection.execute(query).scalars()]


class Visitor:
    """A person who followed a link and sees its page; they leave when their portal ends."""

    everyone: ClassVar[list[Visitor]] = []

    def __init__(self, base: str, path: str) -> None:
        self.everyone.append(self)
        self.client = browser(base)
        self.base = base
        self.first = self.client.get(path)
        self.page = self.first.text
        self.path = self.first.url.path

    def send(self, answer: str = "approve", files: Any = None, **fields: str) -> httpx.Response:
        """Fill the form in and send it."""
        data = filled_in(self.page, answer, **fields)
        return self.client.post(self.path, data=data, files=files)

    def look(self, **query: str) -> httpx.Response:
        """Load the page again."""
        seen = self.client.get(self.path, params=query)
        self.page = seen.text
        return seen

    def leave(self) -> None:
        """Close the browser."""
        self.client.close()
        self.everyone.remove(self)

    def take_back(self, page: str) -> httpx.Response:
        """Send the form on a receipt that takes the answer back."""
        data = hidden(page) | {"word": word_of(page)}
        return self.client.post(f"{self.path}/retract", data=data)
