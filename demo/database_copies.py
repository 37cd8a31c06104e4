"""Databases put aside before an installation, and put back by a rollback: SQLite and PostgreSQL.

A copy is named after the release it was made before. It is whole or absent, and putting it back can be
repeated, so a kill at any instant leaves something to go on from. The service must not run.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from demo.artefacts import flush_folder

if TYPE_CHECKING:
    from demo.environment_folder import EnvironmentFolder


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
    # Its driver takes longer to import than all the rest of a deployment that needs none.
    from demo.postgresql_copies import PostgreSQLCopies

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
