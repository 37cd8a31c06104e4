"""What a SQLite database holds: rows per table, one digest of the file. A child runs it: stdlib only.

Why no checksum per table: SQLite has no hash of its own, and to take every row into Python and digest it
costs 7 s/GB, more than to dump, pack, seal and send it. Nothing is lost by it. What is backed up is the file
itself, so a restore must be that file, byte for byte, which SHA-256 over all of it shows (1 s/GB). That the
bytes were one state of the database does not follow from their digest; it follows from this:

- the file stood still while it was read, under SQLite's own locks (see `blocks.backup.sqlite_child`), and
  what the kernel knows of its last change was the same before and after;
- the rows of each table are counted by SQLite in the transaction that holds it still, and in the restore;
- SQLite's check of integrity goes through every page and every index of the restore.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "file"
"""The one key of the checksums: of all bytes of the file."""
# Virtual tables have no tree; theirs are their shadow tables, which are counted as any other.
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY name"
_NOW: Final = "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
_WAIT_SECONDS: Final = 30.0


def connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    """Open a file that exists; none is ever made. In autocommit, for any one thread at a time."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        address, uri=True, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )


def machine_millis(connection: sqlite3.Connection) -> int:
    """The instant by this machine's clock, which is SQLite's; milliseconds since 1970 in UTC."""
    return int(connection.execute(_NOW).fetchone()[0])


def rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows per table.

    Raises:
        sqlite3.Error: something cannot be read.
    """
    tables = [name for (name,) in connection.execute(_TABLES)]
    return {name: _counted(connection, name) for name in tables}


def _counted(connection: sqlite3.Connection, table: str) -> int:
    # An index would do, and is checked against its table elsewhere; the rows are in the table's own tree.
    query = f"SELECT count(*) FROM {_quoted(table)} NOT INDEXED"  # noqa: S608 (quoted; from the catalog)
    return int(connection.execute(query).fetchone()[0])


def checksums(path: Path) -> dict[str, str]:
    """The digest of a file that nobody writes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return {FILE: hashlib.file_digest(file, "sha256").hexdigest()}


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
