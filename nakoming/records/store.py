"""The records database: transactions that lock first, read the clock once, and end with their evidence."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import OperationalError

from nakoming.records import clock, evidence
from nakoming.records.engine import make_engine, writing
from nakoming.records.errors import DatabaseLocked, StorageFull
from nakoming.records.keys import Keyring
from nakoming.records.types import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from nakoming.records.events import Event
    from nakoming.settings import Settings


def new_id() -> str:
    """A fresh identity for a row."""
    return uuid.uuid4().hex


class Tx:
    """One transaction. `now` is read at first use, after whatever lock was taken before, and then stays."""

    def __init__(self, records: Records, connection: Connection) -> None:
        self.records = records
        self.connection = connection
        self.entries: list[evidence.Entry] = []
        self.held: set[str] = set()  # the cases whose lease this transaction proved to hold
        self.after_commit: list[Callable[[], object]] = []  # done once it has committed, in this order

    @cached_property
    def now(self) -> datetime:
        """The one instant of this transaction."""
        return clock.now(self.connection)

    @property
    def clock_was_read(self) -> bool:
        """Whether `now` is fixed already."""
        return "now" in self.__dict__

    def insert_once(self, table: Table, row: dict[str, Any]) -> bool:
        """Insert a row; false when another transaction was first with its key, and has committed."""
        if self.connection.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
        statement = insert(table).values(row).on_conflict_do_nothing()
        # The count of rows is no answer: PostgreSQL's driver does not tell it for every INSERT.
        inserted = self.connection.execute(statement.returning(*table.primary_key.columns))
        return inserted.one_or_none() is not None

    def prove(
        self,
        event: Event,
        chain: str,
        payload: dict[str, Any],
        *,
        case_id: str | None = None,
        about: str | None = None,
        clause: str | None = None,
    ) -> evidence.Entry:
        """Write evidence with this transaction; its number is known when the transaction has ended."""
        entry = evidence.Entry(
            chain=chain,
            event=event,
            at=self.now,
            payload=payload,
            case_id=case_id,
            about=about,
            clause=clause,
        )
        self.entries.append(entry)
        return entry

    def seal(self, customer: str, what: str, value: Any) -> bytes:
        """Plain data, sealed with the customer's key for the place `what`."""
        return self.records.keys.seal(customer, what, canonical(value))

    def unseal(self, customer: str, what: str, sealed: bytes) -> Any:
        """What `seal` was given."""
        return self.records.unseal(customer, what, sealed)


class Records:
    """The records of one installation: database, keys, folder of documents.

    `pooled` is for a server process that lives long; a forked child connects anew each time.
    """

    def __init__(
        self, url: str, *, keys: Path, documents: Path, document_limit: int = 25 * 2**20, pooled: bool = False
    ) -> None:
        self.url = url
        self.keys = Keyring(keys)
        self.documents_folder = documents
        self.document_limit = document_limit
        self.engine = make_engine(url, pooled=pooled)

    @classmethod
    def from_settings(cls, settings: Settings, *, pooled: bool = False) -> Records:
        """The records that the settings name."""
        return cls(
            settings.records_url,
            keys=settings.keys_folder,
            documents=settings.documents_folder,
            document_limit=settings.document_limit,
            pooled=pooled,
        )

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that only reads."""
        with said_clearly(), self.engine.connect() as connection, connection.begin():
            yield Tx(self, connection)

    @contextmanager
    def snapshot(self) -> Iterator[Tx]:
        """A transaction that reads the records as they are at one instant, however long it takes."""
        with said_clearly(), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield Tx(self, connection)

    @property
    def heads_file(self) -> Path:
        """Where the heads that left the house are noted outside the database, beside the keys."""
        return self.keys.folder / "heads.jsonl"

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that writes: all of it, with its evidence, or nothing.

        Raises:
            DatabaseLocked: another process kept the database for longer than the time-out.
            StorageFull: there is no room for it; nothing of it was written.
        """
        with said_clearly(), self.engine.connect() as connection, writing(connection).begin():
            tx = Tx(self, connection)
            yield tx
            if tx.entries:
                evidence.write(connection, self.keys, tx.entries)
        for act in tx.after_commit:
            act()

    def unseal(self, customer: str, what: str, sealed: bytes) -> Any:
        """Plain data from sealed bytes."""
        return json.loads(self.keys.open(customer, what, sealed))


# What PostgreSQL calls them; SQLite has words only.
_LOCKED: Final = "55P03"  # lock_not_available: its lock_timeout passed
_FULL: Final = "53100"  # disk_full


@contextmanager
def said_clearly() -> Iterator[None]:
    """A database that stays locked or is full, said in a sentence of ours."""
    try:
        yield
    except OperationalError as failed:
        state, words = getattr(failed.orig, "sqlstate", None), str(failed.orig)
        if state == _LOCKED or "is locked" in words:
            raise DatabaseLocked(reason=_one_line(words)) from failed
        if state == _FULL or "disk is full" in words:
            folder = "the folder of the records database"
            raise StorageFull(name="the records", folder=folder, reason=_one_line(words)) from failed
        raise


def _one_line(words: str) -> str:
    return words.partition("\n")[0]
