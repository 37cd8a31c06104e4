"""Engines for the records: SQLite (embedded) and PostgreSQL (server), with the same behaviour.

On SQLite a writer begins with BEGIN IMMEDIATE: reading first and writing later fails at once beside another
writer, however long the busy time-out. Commits are durable (`synchronous=FULL`, WAL).

On both a transaction waits 30 s for another's lock, or as long as the address says: `?timeout=SECONDS` on
SQLite, `?options=-clock_timeout=…` on PostgreSQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool, QueuePool

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

LOCK_WAIT_SECONDS = 30
_WRITES = "nakoming_writes"


def make_engine(url: str, *, pooled: bool = False) -> Engine:
    """An engine for `url`; `pooled` for a long-lived server process, not for forked children."""
    parsed = make_url(url)
    options: dict[str, Any] = {"poolclass": QueuePool if pooled else NullPool}
    if parsed.get_backend_name() == "sqlite":
        wait = {} if "timeout" in parsed.query else {"timeout": LOCK_WAIT_SECONDS}
        options["connect_args"] = wait | {"check_same_thread": False}
        engine = create_engine(parsed, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options["connect_args"] = {"connect_timeout": 10, "application_name": "nakoming"}
    if "options" not in parsed.query:
        options["connect_args"]["options"] = f"-clock_timeout={LOCK_WAIT_SECONDS}s"
    if pooled:
        options |= {"pool_pre_ping": True, "pool_size": 8}
    return create_engine(parsed, **options)


def writing(connection: Connection) -> Connection:
    """Mark a connection so that its next transaction takes the write lock when it begins."""
    return connection.execution_options(**{_WRITES: True})


def _prepare_sqlite(raw: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    del entry
    raw.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        raw.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
