"""A post office: real records, the demo's real mail server, cases and questions of the demo's customers."""

from __future__ import annotations

import email
import email.policy
import itertools
import multiprocessing
import os
import shutil
import tempfile
import textwrap
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from demo.mailbox.server import MailboxSettings, RunningMailbox, running
from nakoming.agreement.gate_rules import Kind
from nakoming.records import answers, cases, clock, documents, gates, migrate, outbox, schema
from nakoming.records.engine import writing
from nakoming.records.gate_model import Contact, Gate, Given
from nakoming.records.owners import this_process
from nakoming.records.store import Records
from tasks.postman import Delivered, NoticesRead, deliver_due, read_notices
from tasks.questions import Desk
from tests.harness.installation import load_agreements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from multiprocessing.context import ForkServerProcess

    from nakoming.records.cases import Lease
    from nakoming.records.outbox import QueuedMail
    from tests.harness.postgres import PostgresServer

PORTAL = "https://portal.sps.example"
SPECIFICATION = b"# Functional specification\n\nThe production order gets a field.\n"


@dataclass
class PostOffice:
    """Records, a mail server with its mailboxes, and short ways to a question and its mails."""

    records: Records
    settings: MailboxSettings
    mailbox: RunningMailbox
    leases: dict[str, Lease] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def server(self) -> MailServer:
        """The block of the mail server."""
        return MailServer(host="127.0.0.1", port=self.mailbox.port, tls="none", sender="post@sps.example")

    @property
    def notices(self) -> Mailbox:
        """The block of the mailbox that delivery notices come to."""
        return Mailbox(maildir=self.mailbox.store.bounces)

    def case(self, customer: str = "brouwer", subject: str = "2026-014") -> Lease:
        """A case that this process holds."""
        if customer not in self.leases:
            with self.records.write() as tx:
                opened = cases.open_case(
                    tx, "rfc", customer, subject, agreement_version=1, flow_revision=1,
                    parameters={"title": "Een extra veld", "kind": "rfc"},
                )  # fmt: skip
                self.leases[customer] = cases.acquire(tx, opened.case.id, this_process())
        return self.leases[customer]

    def ask(self, customer: str = "brouwer", name: str = "specification/1") -> Gate:
        """Ask the functional administrator and the management to approve a document."""
        lease = self.case(customer)
        paper = documents.add(self.records, customer, "specification.md", SPECIFICATION, by="test")
        with self.records.write() as tx:
            desk = Desk.open(tx, customer, 1)
            spec = desk.gate(
                name,
                Kind.APPROVAL,
                desk.customer_seats("functional_administrator", "management"),
                "quote_approval",
                {
                    "reference": "2026-014",
                    "title": "Een extra veld",
                    "amount": "1250.00",
                    "reason": "maatwerk",
                    "valid_until": "2027-01-31",
                },
                documents=(paper.id,),
                due=desk.their_right("lead_times.quote_validity"),
                label=name,
            )
            return gates.get(tx, gates.open_gate(tx, lease, spec))

    def answer(self, gate: Gate, person: str, verb: str = "approve", **more: Any) -> answers.Receipt:
        """Answer a question."""
        with self.records.write() as tx:
            given = Given(person=person, verb=verb, shown_digest=gate.shown_digest, **more)
            return answers.give(tx, gate.id, given)

    def put(self, kind: str, key: str, recipient: Contact | str, **more: Any) -> str:
        """Write a mail into the outbox; the recipient may be an address alone."""
        recipient = contact(recipient) if isinstance(recipient, str) else recipient
        with self.records.write() as tx:
            customer = more.pop("customer", "brouwer")
            return outbox.put(
                tx, outbox.Mail(key=key, kind=kind, customer=customer, recipient=recipient, **more)
            )

    def notice(self, key: str = "notice/1", email_address: str = "joost@brouwer.example", **more: Any) -> str:
        """Write a plain notice into the outbox."""
        context = {"title": "Onderhoud", "paragraphs": ["Zaterdag is er onderhoud."]}
        return self.put("notice", key, email_address, context=context, **more)

    def deliver(self, **more: Any) -> Delivered:
        """Send what is due."""
        given: dict[str, Any] = {"portal_url": PORTAL, "owner": this_process()} | more
        return deliver_due(self.records, self.server, **given)

    def read(self) -> NoticesRead:
        """Read the delivery notices."""
        return read_notices(self.records, self.notices)

    def move(self, by: timedelta) -> None:
        """Let time pass: the clock of this database, nothing else."""
        with self.records.engine.connect() as connection, writing(connection).begin():
            clock.move(connection, by)

    def mail(self, mail_id: str) -> QueuedMail:
        """A mail as it lies in the outbox now."""
        with self.records.write() as tx:
            query = select(schema.outbox.c.message_id).where(schema.outbox.c.id == mail_id)
            found = outbox.by_message(tx, tx.connection.execute(query).scalar_one())
        assert found is not None
        return found

    def mails(self, kind: str | None = None) -> list[QueuedMail]:
        """The mails in the outbox, oldest first."""
        with self.records.read() as tx:
            query = select(schema.outbox.c.id, schema.outbox.c.kind).order_by(schema.outbox.c.queued_at)
            ids = [row.id for row in tx.connection.execute(query) if kind in {None, row.kind}]
        return [self.mail(each) for each in ids]

    def raw(self, address: str) -> list[bytes]:
        """What lies in somebody's mailbox, oldest first."""
        return [stored.raw for stored in self.mailbox.store.messages(address)]

    def inbox(self, address: str) -> list[EmailMessage]:
        """The same, taken apart."""
        return [
            email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
            for raw in self.raw(address)
        ]

    def events(self, event: str) -> list[dict[str, Any]]:
        """The payloads of the evidence of one event, with its number and leaf, oldest first."""
        e, p = schema.evidence.c, schema.evidence_payloads.c
        query = select(e.chain, e.seq, e.leaf, e.about, p.payload_sealed)
        query = query.join(schema.evidence_payloads, (p.chain == e.chain) & (p.seq == e.seq))
        found = []
        with self.records.read() as tx:
            for row in tx.connection.execute(query.where(e.event == event).order_by(e.chain, e.seq)):
                place = f"evidence/{row.chain}/{row.seq}"
                salted = self.records.keys.open(row.chain, place, row.payload_sealed)
                found.append({"row": row, "payload": salted[16:].decode()})
        return found

    def start(self, program: str) -> Child:
        """Another process with these records, server and mailbox; it may be killed."""
        given = {
            "url": self.records.url,
            "keys": str(self.records.keys.folder),
            "documents": str(self.records.documents_folder),
            "port": self.mailbox.port,
            "notices": str(self.mailbox.store.bounces),
            "portal": PORTAL,
            "said": str(self.settings.root / f"said-{next(self.numbers)}"),
            "__name__": "child",
        }
        process = _FORKS.Process(target=exec, args=(textwrap.dedent(_OPENING) + program, given))
        process.start()
        return Child(process, Path(str(given["said"])))


_OPENING = """
    import logging, os, signal, sys
    from pathlib import Path
    from blocks.mail_server import MailServer
    from blocks.mailbox import Mailbox
    from nakoming.records.owners import this_process
    from nakoming.records.store import Records
    from tasks.postman import deliver_due, read_notices, run_postman
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    records = Records(url, keys=Path(keys), documents=Path(documents))
    settings = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "post@sps.example"}
    def die():
        sys.stderr.write(f"cut {os.getpid()}\\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""
# Children are forked from a process without threads that has imported the postman already: 1.5 s less each.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tasks.postman"])


@dataclass(frozen=True)
class Child:
    """Another process, and what it says."""

    process: ForkServerProcess
    file: Path

    @property
    def pid(self) -> int:
        """Its number."""
        assert self.process.pid is not None
        return self.process.pid

    def ended(self, within: float = 30.0) -> int:
        """Its exit status, once it has ended; negative for a signal."""
        self.process.join(within)
        assert self.process.exitcode is not None, f"it still runs: {self.said()}"
        return self.process.exitcode

    def said(self) -> str:
        """What it wrote to its log."""
        return self.file.read_text(encoding="utf-8") if self.file.exists() else ""


def contact(address: str) -> Contact:
    """Somebody with a mailbox."""
    return Contact(
        person="brouwer:joost-smit", name="Joost Smit", email=address, language="nl", role="key_user"
    )


def _prepare(url: str, folder: Path) -> None:
    opened = Records(url, keys=folder / "keys", documents=folder / "documents")
    migrate.upgrade(opened)
    load_agreements(opened)
    opened.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with migrated records that hold the demo's agreements, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    _prepare(f"sqlite:///{folder / 'records.sqlite'}", folder)
    return folder


@pytest.fixture(scope="session")
def postgres_template(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The same on PostgreSQL: the database's name, and the folder of its keys."""
    folder = tmp_path_factory.mktemp("template")
    with postgres_server.database() as name:
        _prepare(postgres_server.url(name), folder)
        yield name, folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of this test, in memory where that can be: a commit waits for its disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="nakoming-test-", dir=memory) as name:
        yield Path(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def records(request: pytest.FixtureRequest, folder: Path) -> Iterator[Records]:
    """Records on each of the two databases, with the demo's vendor and its three customers."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copytree(request.getfixturevalue("sqlite_template"), folder, dirs_exist_ok=True)
            url = f"sqlite:///{folder / 'records.sqlite'}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            template, keys = request.getfixturevalue("postgres_template")
            shutil.copytree(keys, folder, dirs_exist_ok=True)
            url = server.url(stack.enter_context(server.database(template=template)))
        opened = Records(url, keys=folder / "keys", documents=folder / "documents")
        yield opened
        opened.engine.dispose()


@pytest.fixture
def office(records: Records, folder: Path) -> Iterator[PostOffice]:
    """A post office whose mail server runs."""
    settings = MailboxSettings(folder / "mail", bounce_after=0.05)
    with running(settings) as mailbox:
        yield PostOffice(records, settings, mailbox)
