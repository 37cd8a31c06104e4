"""The way to the database: SQLite or PostgreSQL, by address.

On SQLite Python's driver would commit before each DDL statement and begin late; both are taken from it, so
that a migration is one transaction and a writer holds the file before it reads.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

POSTGRESQL_SCHEMES = ("postgresql://", "postgres://")
SQLITE_PATIENCE_SECONDS = 15


def open_engine(url: str) -> Engine:
    """Open an engine on `url` (`sqlite:///file` or `postgresql://…`, driver psycopg)."""
    for scheme in POSTGRESQL_SCHEMES:
        if url.startswith(scheme):
            url = "postgresql+psycopg://" + url.removeprefix(scheme)
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": SQLITE_PATIENCE_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(url, pool_pre_ping=True)


def for_writing(engine: Engine) -> Engine:
    """The same engine, whose transactions take SQLite's write lock at once."""
    return engine.execution_options(writing=True)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
