"""The block of a SQLite database that is backed up."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from prefect.blocks.core import Block
from pydantic import Field

from blocks.backup.dump_sqlite import SqliteDump
from blocks.backup.engine_child import EngineChild, clean_environment
from blocks.backup.errors import SourceUnreachable
from blocks.backup.scratch_name import without_scratches

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from blocks.backup.sqlite_child import main
sys.exit(main(sys.argv[1:]))
"""


class SqliteSource(Block):
    """A customer's SQLite database, streamed as its file in one state of it, without a copy (S-2.4.2).

    With a write-ahead log writers wait for an instant, and the log grows while the dump lasts; in the other
    journal modes their commits wait until the dump has ended. The account must be able to write the file.

    Example:
        Read a dump of a stored connection to its end:
        ```python
        from blocks.backup.source_sqlite import SqliteSource

        source = SqliteSource.load("BLOCK_NAME")
        with source.dump() as dump:
            while block := dump.read():
                print(len(block))
            print(dump.facts().total_rows)
        ```
    """

    _block_type_name = "Backup Source SQLite"
    _block_type_slug = "backup-source-sqlite"

    path: Path = Field(description="Its file, on this machine; none is ever made.")
    lock_timeout: timedelta = Field(
        default=timedelta(seconds=60), description="How long to wait for others' transactions to end."
    )
    silent_after: timedelta = Field(
        default=timedelta(minutes=15), description="No byte for so long means that reading hangs."
    )

    @property
    def engine(self) -> Literal["sqlite"]:
        """Its kind."""
        return "sqlite"

    def server(self) -> str:
        """This machine."""
        return socket.gethostname().casefold()

    def names(self) -> frozenset[str]:
        """The files of its folder, with and without their endings, but for those only a scratch may have."""
        try:
            found = {name for each in self.path.parent.iterdir() for name in (each.name, each.stem)}
        except OSError as error:
            raise self._unreachable(error) from error
        return without_scratches(found, self.path.stem)

    def size(self) -> int:
        """Bytes of the file."""
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise self._unreachable(error) from error

    @contextmanager
    def dump(self) -> Iterator[SqliteDump]:
        """Begin a dump; counting goes on beside it, in the same transaction.

        Raises:
            SourceUnreachable: there is no such file.
        """
        self.size()
        path, wait = str(self.path.absolute()), self.lock_timeout.total_seconds()
        answer, given = os.pipe()
        try:
            words = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_ROOT), path, str(given), str(wait)]
            child = EngineChild(words, clean_environment(), also=(given,))
        except BaseException:
            os.close(answer)
            raise
        finally:
            os.close(given)
        silent = max(self.silent_after.total_seconds(), 3 * wait)
        with os.fdopen(answer, "rb") as facts, child:
            yield SqliteDump(path, child, facts, silent, wait)

    def check(self) -> tuple[str, ...]:
        """Open it, and return what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        import sqlite3

        from blocks.backup.facts_sqlite import connect

        self.size()
        try:
            connection = connect(self.path)
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            connection.close()
        except sqlite3.Error as error:
            raise SourceUnreachable(what=str(self.path), reason=str(error)) from error
        return (f"{self.path} is a SQLite database; its journal mode is {mode}.",)

    def _unreachable(self, error: OSError) -> SourceUnreachable:
        return SourceUnreachable(what=str(self.path), reason=error.strerror or "it cannot be read")
