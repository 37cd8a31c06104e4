"""A live SQLite file whose name is given to a restored one: hard link, then one atomic rename (S-2.4.5).

The live name never lacks a file: a program that connected to nothing would make an empty database there.
While names change, the live file is locked for everybody and has no write-ahead log beside it. A log that
was left beside a new file would be taken for its own, and damage it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

from blocks.backup.scratch_sqlite import FILE, SqliteScratch
from blocks.backup.switch_protocol import NameInUse, Names, SwitchHeld, SwitchLost, SwitchRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from blocks.backup.protocol import Facts
    from blocks.backup.source_sqlite import SqliteSource

_PATIENCE_SECONDS: Final = 20.0
_ASK_AGAIN_SECONDS: Final = 0.05
_LOGS: Final = ("-wal", "-shm", "-journal")


class SqliteSwitch:
    """See `blocks.backup.switch_protocol.Switch`; all files lie in the folder of the live one.

    Args:
        source: the live database.
        case_id: of the calamity.
    """

    def __init__(self, source: SqliteSource, case_id: str) -> None:
        # Through links to the file itself: a link that is replaced would leave the database where it was.
        self._live = source.path.resolve()
        self._names = Names.of(self._live.stem, case_id)
        self._scratch = SqliteScratch(folder=self._live.parent)

    @property
    def engine(self) -> Literal["sqlite"]:
        """Its kind."""
        return "sqlite"

    @property
    def names(self) -> Names:
        """What the databases are called: their files without the ending."""
        return self._names

    def placed(self, name: str) -> dict[str, str]:
        """The file, as a connection names it."""
        return {"path": str(self._path(name))}

    def identity(self, name: str) -> int | None:
        """The inode of a file."""
        try:
            return self._path(name).stat().st_ino
        except FileNotFoundError:
            return None

    def restore(self, dump: Iterable[bytes]) -> int:
        """Make the file beside, with the owner and the rights of the live one."""
        beside = self._path(self._names.beside)
        self._scratch.restore(self._names.beside, dump, frozenset({self._names.live}))
        with suppress(FileNotFoundError):
            shutil.copymode(self._live, beside)
            there = self._live.stat()
            with suppress(PermissionError):  # who is no superuser keeps its own files
                os.chown(beside, there.st_uid, there.st_gid)
        _sync(beside.parent)
        return beside.stat().st_ino

    def facts(self) -> Facts:
        """Count the file beside."""
        return self._scratch.facts(self._names.beside)

    def check(self) -> tuple[str, ...]:
        """SQLite's own check of the file beside."""
        return self._scratch.check(self._names.beside)

    def raise_numbers(self, table: str, column: str, least: int) -> bool:
        """Raise what AUTOINCREMENT has given last, where the table has it."""
        del column  # a table has one at most
        with closing(sqlite3.connect(self._path(self._names.beside))) as connection:
            query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
            found = connection.execute(query, (table,)).fetchone()
            if found is None or "AUTOINCREMENT" not in found[0].upper():
                return False
            with connection:
                raised = "UPDATE sqlite_sequence SET seq = ? WHERE name = ?"
                if connection.execute(raised, (least, table)).rowcount == 0:
                    connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, least))
        return True

    def exchange(self, *, new: str, new_id: int, kept: str) -> None:
        """The live file gets a second name, then the new one takes its first, in one rename."""
        live, coming, going = self._live, self._path(new), self._path(kept)
        if self.identity(self._names.live) != new_id:
            if self.identity(new) != new_id:
                raise SwitchLost(name=coming.name, where=str(live.parent))
            self._refuse_taken(going)
            try:
                self._replaced(live, coming, going)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise SwitchRefused(name=live.name, where=str(live.parent), reason=reason) from error
        _move_logs(coming, live)  # of one that could not be read and comes back as it was
        _sync(live.parent)
        self._scratch.drop(self._names.beside)  # the folder it was in is empty now

    def drop(self, name: str) -> bool:
        """Remove one of the files beside the live one, with what belongs to it."""
        if name == self._names.live or name not in vars(self._names).values():
            raise NameInUse(name=name, where=str(self._live.parent))
        if name == self._names.beside:
            return self._scratch.drop(name)
        path = self._path(name)
        there = path.exists()
        for each in (path, *(_log(path, ending) for ending in _LOGS)):
            each.unlink(missing_ok=True)
        _sync(path.parent)
        return there

    def _path(self, name: str) -> Path:
        if name == self._names.beside:
            return self._scratch.place(name) / FILE
        return self._live.with_name(f"{name}{self._live.suffix}")

    def _refuse_taken(self, going: Path) -> None:
        if going.exists() and not (self._live.exists() and going.samefile(self._live)):
            raise NameInUse(name=going.name, where=str(going.parent))

    def _replaced(self, live: Path, coming: Path, going: Path) -> None:
        if not live.exists():
            coming.replace(live)
            return
        with _alone(live) as had_log:
            if not going.exists():
                going.hardlink_to(live)
            _move_logs(live, going)  # only what cannot be read has any now
            _sync(live.parent)
            coming.replace(live)
        if had_log:
            _give_log(live)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Hold a file so that nobody reads or writes it; whether it had a write-ahead log.

    One that is no database any more is not held: its readers can use nothing of it.

    Raises:
        SwitchHeld: others do not let go of it.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        while True:
            try:
                mode = _held(connection)
                break
            except sqlite3.DatabaseError as error:
                if not _is_busy(error):
                    mode = "unreadable"
                    break
            if time.monotonic() > until:
                reason = "programs have it open; stop the Suite of this customer"
                raise SwitchHeld(name=path.name, where=str(path.parent), reason=reason)
            time.sleep(_ASK_AGAIN_SECONDS)
        yield mode == "wal"


def _held(connection: sqlite3.Connection) -> str:
    # Leaving WAL needs that nobody else has the file open; it brings the log into the file and removes it.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return str(mode)


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _give_log(live: Path) -> None:
    """Let it have a write-ahead log, as the one before it had."""
    with (
        closing(sqlite3.connect(live, isolation_level=None, timeout=1)) as connection,
        suppress(sqlite3.DatabaseError),  # the Suite is at work on it, or it cannot be read
    ):
        connection.execute("PRAGMA journal_mode = WAL").fetchone()


def _move_logs(of: Path, to: Path) -> None:
    for ending in _LOGS:
        with suppress(FileNotFoundError):
            _log(of, ending).rename(_log(to, ending))


def _log(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
