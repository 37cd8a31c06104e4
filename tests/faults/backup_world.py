"""A customer whose database and documents are backed up to a folder and over SFTP, in a world of its own."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from blocks.backup.site_folder import FolderSite
from blocks.backup.site_sftp import SftpSite
from blocks.backup.source_folder import FolderSource
from blocks.backup.source_postgresql import PostgresqlSource
from blocks.backup.source_sqlite import SqliteSource
from nakoming.errors import NakomingError
from nakoming.records import backups, clock, evidence_check, migrate
from nakoming.records.backup_keys import BackupKeys
from nakoming.records.backups import SetState
from nakoming.records.store import Records
from tasks.backup.verifying import verified
from tests.faults import backup_child
from tests.faults.backup_child import PROCESS, Order
from tests.faults.cutting import Journal
from tests.faults.outside import Damage, Fault, left_behind
from tests.harness.block_names import save_alone
from tests.harness.installation import backed_up_as, load_agreements
from tests.tasks.backup.vault import START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.blocks.core import Block

    from tests.blocks.conftest import Sshd
    from tests.harness.postgres import PostgresServer

CUSTOMER, NIGHT = "brouwer", "2026-11-24"
DATABASE, DOCUMENTS, NEAR, FAR = "kills-database", "kills-documents", "kills-near", "kills-far"
PATIENCE_SECONDS = 120.0
_BYTES = 1_100_000
_FORKS = multiprocessing.get_context("forkserver")
_PRELOADED = ["tests.faults.backup_child", "blocks.backup.source_sqlite", "psycopg", "paramiko", "pyrage"]


@dataclass
class BackupWorld:
    """What is backed up, where it is kept, and the processes that do it."""

    folder: Path
    records: Records
    order: dict[str, Any]
    sites: tuple[FolderSite, SftpSite]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def play(self, **order: Any) -> None:
        """Start one process after the other until one ends by itself; of each other prove that it was killed.

        Raises:
            AssertionError: one ended otherwise.
        """
        given = Order(**self.order, **order)
        journal = Journal(given.journal)
        _FORKS.set_forkserver_preload(_PRELOADED)
        while True:
            child = _FORKS.Process(target=backup_child.run, args=(given,))
            child.start()
            child.join(PATIENCE_SECONDS)
            if child.exitcode == 0:
                self.lines = journal.lines()
                return
            if child.exitcode is None:
                child.kill()
            last = [line for line in journal.lines() if line["pid"] == child.pid][-1:]
            if child.exitcode != -signal.SIGKILL or [line["event"] for line in last] != ["cut"]:
                said = given.said.read_text(encoding="utf-8", errors="replace")[-4000:]
                msg = f"process {child.pid} ended with {child.exitcode} after {last}:\n{said}"
                raise AssertionError(msg)
            journal.note_death(PROCESS, child.pid, child.exitcode)

    def at_once(self, count: int) -> None:
        """Several processes at once, each of which ends well."""
        _FORKS.set_forkserver_preload(_PRELOADED)
        given = Order(**self.order)
        children = [_FORKS.Process(target=backup_child.run, args=(given,)) for _ in range(count)]
        for child in children:
            child.start()
        for child in children:
            child.join(PATIENCE_SECONDS)
        said = given.said.read_text(encoding="utf-8", errors="replace")[-4000:]
        assert [child.exitcode for child in children] == [0] * count, said

    def damage(self) -> Damage:
        """What is missing and what is there too often, counted at the sites and in the ledger."""
        found = Damage()
        with self.records.read() as tx:
            sets = [each for each in backups.of_night(tx, START.date()) if each.customer == CUSTOMER]
            query = f"SELECT event FROM evidence WHERE chain = '{CUSTOMER}'"  # noqa: S608 - our own text
            events = Counter(row.event for row in tx.connection.exec_driver_sql(query))
        good = [each for each in sets if each.state == SetState.VERIFIED]
        _count(found, "verified sets", len(good))
        _count(found, "sets", len(sets))
        for event in ("key:made", "set:verified", "set:held_twice", "history:kept"):
            _count(found, event, events[f"backup:{event}"])
        for site in self.sites:
            self._count_site(site, good, found)
        found.lost += [Fault(PROCESS, each.text) for each in evidence_check.verify(self.records)]
        found.doubled += [Fault(PROCESS, f"still running: {each}") for each in left_behind(self.folder)]
        return found

    def _count_site(self, site: FolderSite | SftpSite, good: list[Any], found: Damage) -> None:
        files = site.files()
        for entry in good:
            try:
                whole = verified(site, entry, BackupKeys(self.records.keys.folder))
                assert {part.name for part in whole.manifest.parts} == {"database.age", "documents.age"}
            except NakomingError as error:
                found.lost.append(Fault(PROCESS, str(error)))
        known = {f"{CUSTOMER}/{entry.set_id}" for entry in good}
        strange = [name for name in files if name.rpartition("/")[0] not in known or name.endswith(".part")]
        found.doubled += [Fault(PROCESS, f"{site.server()}: {name}") for name in strange]


def _count(damage: Damage, what: str, count: int) -> None:
    damage.lost += [Fault(PROCESS, what)] * (count < 1)
    damage.doubled += [Fault(PROCESS, what)] * (count - 1)


def _noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same ones each time


def _sqlite(folder: Path) -> SqliteSource:
    with sqlite3.connect(folder / "suite.sqlite") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note BLOB)")
        connection.executemany("INSERT INTO orders (note) VALUES (?)", [(_noise(_BYTES // 50),)] * 50)
    connection.close()
    return SqliteSource(path=folder / "suite.sqlite")


@contextmanager
def _postgres(server: PostgresServer) -> Iterator[PostgresqlSource]:
    with server.database() as name:
        with psycopg.connect(server.url(name, "postgresql"), autocommit=True) as connection:
            connection.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
            connection.execute(
                "INSERT INTO orders SELECT n, (SELECT string_agg(md5((n * i)::text), '') "
                "FROM generate_series(1, 700) i) FROM generate_series(1, 50) n"
            )
        yield PostgresqlSource(host=server.host, port=server.port, username="postgres", database=name)


@contextmanager
def backup_world(api_url: str, sshd: Sshd, server: PostgresServer | None) -> Iterator[BackupWorld]:
    """A world whose database is PostgreSQL, or SQLite without a server."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    where = memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**28 else None
    with tempfile.TemporaryDirectory(prefix="nakoming-backup-", dir=where) as name:
        folder = Path(name)
        for each in ("near", "far", "documents", "home"):
            (folder / each).mkdir()
        (folder / "documents" / "scan.bin").write_bytes(_noise(_BYTES))
        block = sshd.block()
        given = {key: getattr(block, key) for key in ("host", "port", "username", "host_key", "private_key")}
        far = SftpSite.model_validate({**given, "folder": str(folder / "far")})
        near = FolderSite(folder=folder / "near", machine="near.example")
        if server is None:
            yield _world(folder, api_url, (near, far), _sqlite(folder))
        else:
            with _postgres(server) as source:
                yield _world(folder, api_url, (near, far), source)
        far.close()


def _world(folder: Path, api_url: str, sites: tuple[FolderSite, SftpSite], source: Block) -> BackupWorld:
    home = folder / "home"
    url = f"sqlite:///{home / 'records.sqlite'}"
    records = Records(url, keys=home / "keys", documents=home / "documents")
    migrate.upgrade(records)
    names = f"database: {DATABASE}, documents: {DOCUMENTS}, first_site: {NEAR}, second_site: {FAR}"
    terms = f"backup: {{{names}, scratch: trial}}\n"
    others = {each: backed_up_as(each, "") for each in ("fenwick", "kestrel")}
    load_agreements(records, **{CUSTOMER: backed_up_as(CUSTOMER, terms)}, **others)
    with records.write() as tx:
        clock.set_to(tx.connection, START)
    save_alone(source, DATABASE)
    save_alone(FolderSource(folder=folder / "documents"), DOCUMENTS)
    save_alone(sites[0], NEAR)
    save_alone(sites[1], FAR)
    order = {
        "home": home,
        "records_url": url,
        "api_url": api_url,
        "customer": CUSTOMER,
        "night": NIGHT,
        "journal": folder / "journal.jsonl",
        "said": folder / "said.log",
    }
    return BackupWorld(folder, records, order, sites)
