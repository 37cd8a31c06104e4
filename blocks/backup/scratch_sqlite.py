"""The block of a folder where backups of SQLite databases are restored, tried and dropped."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, Literal

from prefect.blocks.core import Block

from blocks.backup import facts_sqlite
from blocks.backup.dump_sqlite import sqlite_facts
from blocks.backup.errors import RestoreDamaged, RestoreFailed
from blocks.backup.scratch_folders import ScratchFolders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blocks.backup.protocol import Facts

FILE: Final = "database.sqlite"
_MAGIC: Final = b"SQLite format 3\0"


class SqliteScratch(ScratchFolders, Block):
    """A folder where SQLite databases are restored, each in a folder of its own, and dropped (S-2.4.6).

    Example:
        Drop what a drill left behind:
        ```python
        from blocks.backup.scratch_sqlite import SqliteScratch

        scratch = SqliteScratch.load("BLOCK_NAME")
        print(scratch.drop("nakoming_scratch_acme"))
        ```
    """

    _block_type_name = "Backup Scratch SQLite"
    _block_type_slug = "backup-scratch-sqlite"

    @property
    def engine(self) -> Literal["sqlite"]:
        """The kind of dump it takes."""
        return "sqlite"

    def restore(self, name: str, dump: Iterable[bytes], live: frozenset[str]) -> None:
        """Make a database file from a dump; see `blocks.backup.protocol.Scratch`.

        Raises:
            LiveNameRefused: the name is one of `live`, or not one of a scratch.
            RestoreFailed: the folder cannot be written, or this is no SQLite database.
        """
        with self.made(name, live) as place, (place / FILE).open("xb") as file:
            for block in dump:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
            with (place / FILE).open("rb") as written:
                head = written.read(100)
            if not head.startswith(_MAGIC) or size != _size_told(head):
                raise RestoreFailed(what="the dump", name=name, reason="it is no whole SQLite database")

    def facts(self, name: str) -> Facts:
        """Count and digest it, as the dump did."""
        try:
            checksums = facts_sqlite.checksums(self.place(name) / FILE)
            with closing(self._opened(name)) as connection:
                connection.execute("BEGIN")
                rows = facts_sqlite.rows(connection)
                return sqlite_facts(facts_sqlite.machine_millis(connection), rows, checksums)
        except (sqlite3.Error, OSError) as error:
            raise RestoreDamaged(name=name, reason=str(error)) from error

    def check(self, name: str | None = None) -> tuple[str, ...]:
        """SQLite's check of every page and index, and of foreign keys.

        Args:
            name: the database; without one the folder is tried (for `nakoming check`).

        Returns:
            what was found good, one sentence each.

        Raises:
            RestoreDamaged: it found something.
        """
        if name is None:
            return self.tried()
        try:
            with closing(self._opened(name)) as connection:
                said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
                orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
        except sqlite3.Error as error:
            raise RestoreDamaged(name=name, reason=str(error)) from error
        if said != "ok":
            raise RestoreDamaged(name=name, reason=" ".join(str(said).split()))
        if orphan is not None:
            raise RestoreDamaged(name=name, reason=f"a row of {orphan[0]} refers to none of {orphan[2]}")
        return (f"SQLite found {name} whole.",)

    def _opened(self, name: str) -> sqlite3.Connection:
        return facts_sqlite.connect(self.place(name) / FILE)


def _size_told(head: bytes) -> int:
    # Page size and number of pages, as the file's own first bytes tell.
    page = int.from_bytes(head[16:18], "big")
    return (65536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
