"""Copies of a PostgreSQL database, see `demo.database_copies`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_NAME = 63
DIGEST_SIGNS = 16


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
