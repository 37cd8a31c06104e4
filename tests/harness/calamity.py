"""A customer with a Suite, an exchange and two nights of backups, struck by a calamity; on either engine."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, text

from blocks.backup.site_folder import FolderSite
from blocks.backup.source_postgresql import PostgresqlSource
from blocks.backup.source_sqlite import SqliteSource
from blocks.suite_database import SuiteDatabase
from demo.suite.base.suite.migrations import m0001_production_orders as suite_schema
from flows.restore_calamity import PROCESS
from nakoming.records import backups, clock
from nakoming.records.engine import writing
from tasks.backup import one_customer
from tasks.backup.calamity_places import switch_of
from tasks.erp.bookkeeping import batches, outgoing, prepare, transactions
from tests.harness.block_names import save_alone
from tests.harness.installation import AGREEMENTS, Walker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blocks.backup.switch_protocol import Switch
    from nakoming.records.store import Records
    from tests.harness.postgres import PostgresServer

SITES = {"near": "backup-first", "far": "backup-second"}  # the folders and their blocks
_TERMS = (
    "backup: {database: brouwer-database, first_site: backup-first, second_site: backup-second, "
    "scratch: backup-scratch}\nlead_times:\n"
)
FIRST = datetime(2026, 11, 24, 1, 10, tzinfo=UTC)  # Tuesday, 02:10 in Amsterdam
SECOND = FIRST + timedelta(days=1)
STRUCK = SECOND + timedelta(hours=9)
SETS = ("2026-11-25-000002", "2026-11-24-000001")


@dataclass
class World:
    """The Suite's database, its backups, and the case."""

    records: Records
    folder: Path
    suite: SuiteDatabase
    source: SqliteSource | PostgresqlSource

    def set_to(self, at: datetime) -> None:
        with self.records.write() as tx:
            clock.set_to(tx.connection, at)

    def pass_time(self, by: timedelta) -> None:
        with self.records.read() as tx:
            now = tx.now
        self.set_to(now + by)

    def exchange(self, at: datetime, run: str, sent: int = 0) -> None:
        """Two transactions come in, and so many go out."""
        engine = self.suite.engine()
        with engine.connect() as connection, writing(connection).begin():
            row = {"interface": "orders", "run": run, "staged": 2, "created": 2, "changed": 0, "removed": 0}
            made = connection.execute(insert(batches).values(row | {"quarantined": 0, "loaded_at": at}))
            number = made.inserted_primary_key[0]
            for key in ("a", "b"):
                values = {"batch": number, "key": f"{run}-{key}", "change": "created"}
                connection.execute(insert(transactions).values(values))
        for _ in range(sent):
            self.send(at)

    def send(self, at: datetime) -> int:
        """The Suite writes into its outbox, and the exchange sends it; its number."""
        outbox = suite_schema.metadata.tables["erp_outbox"]
        payload = json.dumps({"qty": "1"})
        row = {"interface": "hours_out", "order_number": "PO-1", "payload": payload, "created_at": at}
        with self.suite.engine().connect() as connection, writing(connection).begin():
            number = connection.execute(insert(outbox).values(row)).inserted_primary_key[0]
            connection.execute(delete(outbox).where(outbox.c.id == number))
            sent = {"id": number, "state": "sent", "attempts": 1, "sent_at": at}
            connection.execute(insert(outgoing).values(row | sent))
        return int(number)

    def backup(self, at: datetime) -> None:
        self.set_to(at)
        on = str(at.date())
        assert Walker(self.records, one_customer.PROCESS, "brouwer", on, {"night": on}).enter() == "verified"

    def runs(self, name: str = "live") -> list[str]:
        """Which exchanges a database knows."""
        switch = self.switch()
        placed = switch.placed(getattr(switch.names, name))
        update = {"path": placed["path"]} if "path" in placed else placed
        with self.suite.model_copy(update=update).engine().connect() as connection:
            return list(connection.execute(select(batches.c.run).order_by(batches.c.id)).scalars())

    def switch_identity(self) -> int | None:
        source = self.source
        assert isinstance(source, SqliteSource)
        return source.path.stat().st_ino

    def there(self, name: str) -> bool:
        switch = self.switch()
        return switch.identity(getattr(switch.names, name)) is not None

    def switch(self) -> Switch:
        return switch_of("brouwer", "brouwer-database", self.walker().case.id)

    def walker(self) -> Walker:
        given = {"what_happened": "Een schijf is kapot."}
        return Walker(self.records, PROCESS, "brouwer", "disk-2026", given)

    def damage(self, set_id: str, sites: tuple[str, ...] = ("near", "far")) -> None:
        for site in sites:
            part = self.folder / site / "brouwer" / set_id / "database.age"
            content = bytearray(part.read_bytes())
            content[len(content) // 2] ^= 1
            part.write_bytes(content)

    def make_unreadable(self, server: PostgresServer | None) -> None:
        if isinstance(self.source, SqliteSource):
            self.source.path.write_bytes(b"\xff" * 16384)
            return
        assert server is not None
        with self.suite.model_copy(update={"database": "postgres"}).engine().connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text(f"ALTER DATABASE {self.source.database} ALLOW_CONNECTIONS false"))

    def events(self) -> Counter[str]:
        with self.records.read() as tx:
            query = "SELECT event FROM evidence WHERE chain = 'brouwer'"
            return Counter(row.event for row in tx.connection.exec_driver_sql(query))

    def set_ids(self) -> list[str]:
        with self.records.read() as tx:
            states = (backups.SetState.VERIFIED,)
            return [each.set_id for each in backups.listed(tx, "brouwer", states)]

    def titles(self, walker: Walker) -> list[str]:
        """What the customer's functional administrator was told."""
        told = [each for each in walker.mails("notice") if each.recipient.person == "brouwer:joost-smit"]
        return [str(each.context["title"]) for each in told]


def agreed() -> dict[str, str]:
    """What the customer's agreement lacks of a backup."""
    written = (AGREEMENTS / "brouwer.yaml").read_text(encoding="utf-8")
    return {} if "\nbackup:" in written else {"lead_times:\n": _TERMS}


def declared(world: World) -> Walker:
    """The case, at the customer's choice."""
    walker = world.walker()
    assert walker.enter() is None
    return walker


def choose(walker: Walker, option: str, number: int = 1) -> None:
    walker.answer(f"choice/{number}/version", "choose", option=option)


def decide(walker: Walker, option: str) -> None:
    walker.answer("closing/1/decision", "choose", option=option, remark="Nagekeken met de klant.")


def struck(world: World) -> World:
    """Two nights and what was exchanged between and after them."""
    with world.suite.engine().connect() as connection, writing(connection).begin():
        suite_schema.metadata.create_all(connection)
        prepare(connection)
    world.exchange(FIRST - timedelta(hours=1), "before", sent=1)
    world.backup(FIRST)
    world.exchange(FIRST + timedelta(hours=8), "between", sent=1)
    world.backup(SECOND)
    world.exchange(SECOND + timedelta(hours=8), "after", sent=2)
    world.set_to(STRUCK)
    return world


@contextmanager
def sqlite_world(records: Records, folder: Path) -> Iterator[World]:
    path = folder / "suite.sqlite"
    suite = SuiteDatabase(dialect="sqlite", path=path)
    yield _saved(World(records, folder, suite, SqliteSource(path=path)))


@contextmanager
def postgresql_world(records: Records, folder: Path, server: PostgresServer) -> Iterator[World]:
    with server.database() as name:
        login: dict[str, Any] = {"host": server.host, "port": server.port, "username": "postgres"}
        suite = SuiteDatabase(dialect="postgresql", database=name, **login)
        source = PostgresqlSource(database=name, tools_folder=server.bin, **login)
        world = _saved(World(records, folder, suite, source))
        try:
            yield world
        finally:
            for each in ("beside", "former", "undone"):
                world.switch().drop(getattr(world.switch().names, each))


def _saved(world: World) -> World:
    for folder, block in SITES.items():
        (world.folder / folder).mkdir()
        site = FolderSite(folder=world.folder / folder, machine=f"{folder}.example")
        save_alone(site, block)
    world.suite.save("brouwer-suite", overwrite=True)
    save_alone(world.source, "brouwer-database")
    return struck(world)
