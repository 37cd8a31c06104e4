"""Records on each of the two databases, migrated once a session, and what most tests begin with."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any

import pytest

from nakoming.agreement.gate_rules import GateRule, Kind, Seat, Verb
from nakoming.records import answers, cases, clock, gates, migrate
from nakoming.records.engine import writing
from nakoming.records.gate_model import Contact, Gate, GateSpec, Given, Question
from nakoming.records.store import Records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from nakoming.records.cases import Case, Lease
    from tests.harness.postgres import PostgresServer

ROOT = Path(__file__).parents[3]
OWNER = "another-host/boot/1/1"
OTHER = "a-third-host/boot/2/2"


@dataclass
class World:
    """Records, and short ways to a case, a gate, an answer. `owner` is a holder on another host."""

    records: Records
    owner: str = OWNER
    other: str = OTHER
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def case(self, subject: str | None = None, customer: str = "acme", **parameters: Any) -> Case:
        """Open a case."""
        subject = subject or f"ACME-2026-{next(self.numbers):03}"
        with self.records.write() as tx:
            return cases.open_case(
                tx,
                "rfc",
                customer,
                subject,
                agreement_version=1,
                flow_revision=1,
                parameters=parameters,
            ).case

    def acquire(self, case: Case, owner: str | None = None) -> Lease:
        """Take the lease of a case."""
        with self.records.write() as tx:
            return cases.acquire(tx, case.id, owner or self.owner)

    def held(self, **parameters: Any) -> Lease:
        """Open a case and take its lease."""
        return self.acquire(self.case(**parameters))

    def reread(self, lease: Lease) -> Case:
        """The case as it lies there now."""
        with self.records.read() as tx:
            return cases.get(tx, lease.case_id)

    def now(self) -> datetime:
        """The present instant of this database."""
        with self.records.read() as tx:
            return tx.now

    def move(self, by: timedelta) -> None:
        """Let time pass: the clock of this database, nothing else."""
        with self.records.engine.connect() as connection, writing(connection).begin():
            clock.move(connection, by)

    def gate(self, lease: Lease, name: str = "spec/1", **differing: Any) -> Gate:
        """Open a gate."""
        with self.records.write() as tx:
            gate_id = gates.open_gate(tx, lease, self.spec(name, **differing))
            return gates.get(tx, gate_id)

    def spec(
        self,
        name: str,
        *,
        kind: Kind = Kind.APPROVAL,
        persons: tuple[str, ...] = ("anna", "bert"),
        rule: dict[str, Any] | None = None,
        question: dict[str, Any] | None = None,
        **differing: Any,
    ) -> GateSpec:
        """What a gate is opened with."""
        seats = (Seat(role="approver", persons=tuple(f"acme:{person}" for person in persons)),)
        contacts = tuple(
            Contact(
                person=f"acme:{person}",
                name=person.title(),
                email=f"{person}@acme.example",
                language="nl",
                role="approver",
            )
            for person in persons
        )
        asked = Question(texts={"nl": {"title": name}}, **(question or {}))
        return GateSpec(
            name=name,
            rule=GateRule(kind=kind, seats=seats, **(rule or {})),
            question=asked,
            contacts=contacts,
            **differing,
        )

    def give(self, gate: Gate, person: str, verb: Verb | str, **differing: Any) -> answers.Receipt:
        """Answer a gate."""
        given = Given(person=f"acme:{person}", verb=str(verb), shown_digest=gate.shown_digest, **differing)
        with self.records.write() as tx:
            return answers.give(tx, gate.id, given)

    def retract(self, gate: Gate, person: str) -> None:
        """Take an answer back."""
        with self.records.write() as tx:
            answers.retract(tx, gate.id, f"acme:{person}")

    def look(self, gate: Gate) -> Gate:
        """The gate as it lies there now."""
        with self.records.read() as tx:
            return gates.get(tx, gate.id)

    def events(self, chain: str = "acme") -> list[str]:
        """The events of a chain, in order."""
        with self.records.read() as tx:
            rows = tx.connection.exec_driver_sql(
                f"SELECT event FROM evidence WHERE chain = '{chain}' ORDER BY seq"  # noqa: S608 - our own text
            )
            return [row.event for row in rows]

    def twin(self) -> Records:
        """The same records, as another process has them: keys and connections of its own."""
        return Records(
            self.records.url, keys=self.records.keys.folder, documents=self.records.documents_folder
        )

    def python(self, program: str, *arguments: str) -> Popen[str]:
        """Another process with these records as `records`; it may be killed."""
        folders = (str(self.records.keys.folder), str(self.records.documents_folder))
        opening = """
            import sys
            from pathlib import Path
            from nakoming.records.store import Records
            url, keys, documents, *arguments = sys.argv[1:]
            records = Records(url, keys=Path(keys), documents=Path(documents))
        """
        text = textwrap.dedent(opening) + textwrap.dedent(program)
        command = [sys.executable, "-c", text, self.records.url, *folders, *arguments]
        return Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=PIPE, text=True)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    records = Records(f"sqlite:///{folder / 'records.sqlite'}", keys=folder, documents=folder)
    migrate.upgrade(records)
    return folder / "records.sqlite"


@pytest.fixture(scope="session")
def migrated_postgres(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    with postgres_server.database() as name:
        migrate.upgrade(Records(postgres_server.url(name), keys=folder, documents=folder))
        yield name


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
def migrated_url(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Each of the two databases in turn, at the newest schema and empty."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "records.sqlite")
        yield f"sqlite:///{file}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(template=request.getfixturevalue("migrated_postgres")) as name:
            yield server.url(name)


@pytest.fixture
def records(migrated_url: str, folder: Path) -> Records:
    """Empty records with folders of their own."""
    return Records(migrated_url, keys=folder / "keys", documents=folder / "documents", document_limit=10_000)


@pytest.fixture
def world(records: Records) -> World:
    """Empty records, and short ways into them."""
    return World(records)
