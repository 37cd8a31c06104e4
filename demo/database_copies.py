"""Databases put aside before an installation, and put back by a rollback: SQLite and PostgreSQL.

A copy is named after the release it was made before. It is whole or absent, and putting it back can be
repeated, so a kill at any instant leaves something to go on from. The service must not run.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from demo.artefacts import flush_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.environment_folder import EnvironmentFolder

LONGEST_NAME = 63
DIGEST_SIGNS = 16


class Copies(Protocol):
    """The copies of one environment's database."""

    def make(self, sha256: str) -> None:
        """Put the database aside as it is before `sha256` is installed, replacing an older copy."""

    def exists(self, sha256: str) -> bool:
        """Whether a whole copy made before `sha256` is there."""

    def put_back(self, sha256: str) -> None:
        """Make the database what it was before `sha256`; the copy stays."""

    def discard(self, sha256: str) -> None:
        """Remove the copy, if there is one."""


def copies_of(environment: EnvironmentFolder) -> Copies:
    """The copies of this environment's database, by the kind of its address."""
    url = environment.settings()["database_url"]
    if url.startswith("sqlite:///"):
        return SQLiteCopies(Path(url.removeprefix("sqlite:///")), environment.folder / "copies")
    return PostgreSQLCopies(url)


class SQLiteCopies:
    """Files beside the database."""

    def __init__(self, database: Path, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def make(self, sha256: str) -> None:
        """See `Copies`; a database that does not exist yet is put aside as an empty one."""
        for folder in (self._folder, self._database.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._copy(self._database, self._path(sha256))

    def exists(self, sha256: str) -> bool:
        """See `Copies`."""
        return self._path(sha256).exists()

    def put_back(self, sha256: str) -> None:
        """See `Copies`."""
        # A journal left by a killed migration belongs to the database that goes, and would spoil the other.
        self._database.with_name(f"{self._database.name}-journal").unlink(missing_ok=True)
        self._copy(self._path(sha256), self._database)

    def discard(self, sha256: str) -> None:
        """See `Copies`."""
        self._path(sha256).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self._folder / f"before-{sha256}.db"

    def _copy(self, source: Path, target: Path) -> None:
        half = target.with_name(f".half-{target.name}")
        half.unlink(missing_ok=True)
        # SQLite's own copying, which first undoes what a killed writer left half done.
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(half)) as new:
            old.backup(new)
        half.replace(target)
        flush_folder(target.parent)


class PostgreSQLCopies:
    """Databases beside the database, made by the server itself; the role needs CREATEDB."""

    def __init__(self, url: str) -> None:
        self._address = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._database = str(conninfo_to_dict(self._address)["dbname"])

    def make(self, sha256: str) -> None:
        """See `Copies`."""
        with self._server() as server:
            _clone(server, self._database, self._copy(sha256))

    def exists(self, sha256: str) -> bool:
        """See `Copies`."""
        with self._server() as server:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            return server.execute(query, [self._copy(sha256)]).fetchone() is not None

    def put_back(self, sha256: str) -> None:
        """See `Copies`."""
        fresh = self._name("fresh", sha256)
        with self._server() as server:
            _clone(server, self._copy(sha256), fresh)
            _drop(server, self._database)
            rename = SQL("ALTER DATABASE {} RENAME TO {}")
            server.execute(rename.format(Identifier(fresh), Identifier(self._database)))

    def discard(self, sha256: str) -> None:
        """See `Copies`."""
        with self._server() as server:
            _drop(server, self._copy(sha256))

    def _copy(self, sha256: str) -> str:
        return self._name("before", sha256)

    def _name(self, what: str, sha256: str) -> str:
        end = f"_{what}_{sha256[:DIGEST_SIGNS]}"
        return self._database[: LONGEST_NAME - len(end)] + end

    @contextmanager
    def _server(self) -> Iterator[psycopg.Connection[Any]]:
        address = make_conninfo(self._address, dbname="postgres")
        with psycopg.connect(address, autocommit=True) as connection:
            yield connection


def _clone(server: psycopg.Connection[Any], source: str, target: str) -> None:
    _drop(server, target)
    # A clone needs the source to itself; whoever still looks at it is sent away.
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND pid <> pg_backend_pid()",
        [source],
    )
    server.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(target), Identifier(source)))


def _drop(server: psycopg.Connection[Any], name: str) -> None:
    server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
