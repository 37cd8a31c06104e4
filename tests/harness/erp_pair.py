"""A customer's ERP and Suite: two real databases, and the blocks that reach them."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, text
from sqlalchemy.engine import make_url

from blocks.erp.database import ErpDatabase
from blocks.suite_database import SuiteDatabase
from demo.erp import making
from demo.suite.base.suite.migrations import m0001_production_orders as suite_schema
from nakoming.agreement.loading import agreement_sha256
from nakoming.records import agreements
from nakoming.records.engine import writing
from tasks.erp import loading, staging
from tasks.erp.bookkeeping import prepare, quarantine, suite_outbox
from tasks.erp.interfaces import INBOUND, interface
from tests.harness.installation import AGREEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table

    from blocks.erp.protocol import ErpSession
    from nakoming.records.store import Records
    from tasks.erp.interfaces import Interface
    from tasks.erp.loaded import Loaded
    from tests.harness.postgres import PostgresServer

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_TERMS = "erp: {{connection: {name}-erp, suite: {name}-suite, sync_interval_minutes: {minutes}}}\n"
_SOURCE = "sources:\n  erp.sync_interval_minutes: Bijlage 3\n"


def agreement_text(customer: str, minutes: int | None = 5) -> str:
    """The agreement of a customer of the demo with an ERP, whatever the demo says of it, or without."""
    text = (AGREEMENTS / f"{customer}.yaml").read_text(encoding="utf-8")
    text = re.sub(r"^erp:.*\n(?:[ \t]+.*\n)*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^ +erp\..*\n", "", text, flags=re.MULTILINE)
    if minutes is None:
        return text
    before, sources, after = text.partition("sources:\n")
    return before + _TERMS.format(name=customer, minutes=minutes) + (_SOURCE + after if sources else _SOURCE)


def agree(records: Records, customer: str, minutes: int | None = 5) -> None:
    """Load that agreement."""
    text = agreement_text(customer, minutes)
    with records.write() as tx:
        agreements.store(tx, customer, text, agreement_sha256(text))


@dataclass(frozen=True)
class Pair:
    """Both databases."""

    erp_url: str
    erp: ErpDatabase
    suite: SuiteDatabase
    engine: Engine

    def load(self, run: str, at: datetime = AT) -> dict[str, Loaded]:
        """Load everything there is at the ERP, table by table, as the case `run` would."""
        with self.erp.connect() as session:
            return {name: self._loaded(session, interface(name), run, at) for name in INBOUND}

    def _loaded(self, session: ErpSession, table: Interface, run: str, at: datetime) -> Loaded:
        def fill(connection: Connection, staged: Table) -> int:
            return staging.fill(connection, staged, session.read(table.source, table.column_names))

        with self.engine.connect() as connection, writing(connection).begin():
            prepare(connection)
            seen = loading.mark_of(connection, table.name).batches
            batch = loading.Batch(customer="brouwer", run=run, at=at, seen_batches=seen, mark=1, types={})
            return loading.load(connection, table, batch, fill)

    def rows(self, query: str, **values: Any) -> list[Any]:
        """What stands in the Suite's database."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), values))

    def held_back(self, table: str = "orders") -> list[Any]:
        """All rows of quarantine of a table, oldest first."""
        with self.engine.connect() as connection:
            prepare(connection)
            found = select(quarantine).where(quarantine.c.interface == table).order_by(quarantine.c.id)
            return list(connection.execute(found))

    def tell(self, table: str, order: str, **payload: Any) -> None:
        """The Suite puts something into its outbox."""
        row = {"interface": table, "order_number": order, "payload": json.dumps(payload), "created_at": AT}
        with self.engine.connect() as connection, writing(connection).begin():
            connection.execute(insert(suite_schema.metadata.tables["erp_outbox"]).values(row))

    def forget_outbox(self) -> None:
        """Empty the Suite's outbox."""
        with self.engine.connect() as connection, writing(connection).begin():
            connection.execute(delete(suite_outbox))

    def save_blocks(self, name: str) -> None:
        """Both as blocks of the Prefect server."""
        self.erp.save(f"{name}-erp", overwrite=True)
        self.suite.save(f"{name}-suite", overwrite=True)


def sqlite_pair(folder: Path, template: Path | None = None, orders: int = 200) -> Pair:
    """Both on SQLite, in a folder: new ones, or copies of those in the folder `template`."""
    if template is not None:
        shutil.copytree(template, folder)
    folder.mkdir(exist_ok=True)
    erp, suite = (folder / f"{name}.sqlite" for name in ("erp", "suite"))
    blocks = ErpDatabase(dialect="sqlite", path=erp), SuiteDatabase(dialect="sqlite", path=suite)
    return _made(f"sqlite:///{erp}", *blocks, None if template else orders)


@contextmanager
def postgres_pair(
    server: PostgresServer, templates: tuple[str, str] | None = None, orders: int = 200
) -> Iterator[Pair]:
    """Both on PostgreSQL: new ones, or copies of these two databases."""
    given = [(name,) for name in templates] if templates else [(), ()]
    with server.database(*given[0]) as erp, server.database(*given[1]) as suite:
        url = server.url(erp)
        blocks = ErpDatabase(**_parts(url)), SuiteDatabase(**_parts(server.url(suite)))
        yield _made(url, *blocks, None if templates else orders)


def _parts(url: str) -> dict[str, Any]:
    address = make_url(url)
    return {
        "dialect": "postgresql",
        "host": address.host,
        "port": address.port,
        "database": address.database,
        "username": address.username,
    }


def _made(url: str, erp: ErpDatabase, suite: SuiteDatabase, orders: int | None) -> Pair:
    engine = suite.engine()
    if orders is not None:
        making.make(url, orders=orders)
        suite_schema.metadata.create_all(engine)
    return Pair(url, erp, suite, engine)
