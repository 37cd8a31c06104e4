"""What a SQLite database holds: rows and a checksum per table. The standard library only: a child runs it.

SQLite has no hash of its own, and calling one row by row from SQL is slow. So rows are read in the order of
the table's own tree, that is of its key, written in Python's marshal form version 2 (C speed, the same in
every Python and whatever the place of rows in the file) and digested with SHA-256. A copy has the same order.
"""

from __future__ import annotations

import hashlib
import marshal
import sqlite3
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS: Final = "objects"
_MOST_ROWS: Final = 128
_CHUNK_BYTES: Final = 1024 * 1024
_LIST_HEAD: Final = 5  # of a list in marshal's form: its kind and its length
# Virtual tables have no tree; theirs are their shadow tables, which are counted as any other.
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY name"
_OBJECTS: Final = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
_COLUMNS: Final = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"
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


def count(connection: sqlite3.Connection) -> tuple[dict[str, int], dict[str, str]]:
    """Rows and checksums per table, and one checksum over all definitions.

    Raises:
        sqlite3.Error: something cannot be read.
    """
    rows: dict[str, int] = {}
    sums: dict[str, str] = {}
    for (table,) in connection.execute(_TABLES).fetchall():
        rows[table], sums[table] = _counted(connection, table)
    definitions = connection.execute(_OBJECTS).fetchall()
    sums[OBJECTS] = hashlib.sha256(marshal.dumps(definitions, 2)).hexdigest()
    return rows, sums


def _counted(connection: sqlite3.Connection, table: str) -> tuple[int, str]:
    try:
        return _digested(connection, table, str)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    # Text that is no UTF-8 can be stored; then bytes stand for it, and for all text of that table.
    return _digested(connection, table, bytes)


def _digested(connection: sqlite3.Connection, table: str, text: Any) -> tuple[int, str]:
    cursor = connection.cursor()
    connection.text_factory = str
    columns = [row[0] for row in cursor.execute(_COLUMNS, (table,))]
    named = ", ".join(map(_quoted, columns))
    connection.text_factory = text
    # An index that holds all columns would be read in its own order.
    cursor.execute(f"SELECT {named} FROM {_quoted(table)} NOT INDEXED")  # noqa: S608 (quoted; from the catalog)
    digest = hashlib.sha256(text.__name__.encode())
    number, step = 0, 1
    while chunk := cursor.fetchmany(step):
        number += len(chunk)
        # Version 2: later ones write a value that occurs twice as a reference, by what else holds it.
        written = marshal.dumps(chunk, 2)
        digest.update(memoryview(written)[_LIST_HEAD:])
        # About a megabyte at once, whatever a row holds.
        step = max(1, min(_MOST_ROWS, step * 2, step * _CHUNK_BYTES // len(written)))
    connection.text_factory = str
    return number, digest.hexdigest()


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
