"""The child that streams a SQLite database: holds one state still, gives its bytes, counts it beside.

Why a child: a process that closes any descriptor of a database file drops all locks it has on it, SQLite's
own included, in every connection of the process. So the file is read as a file in a process that does nothing
else and ends with it.

What keeps the file still. With a write-ahead log (WAL): under a lock that keeps writers away for an instant,
all of the log is brought into the file, and a read transaction begins. From then on nobody may write the file
until that transaction ends: commits go to the log, which grows. Without a log the read transaction itself
keeps writers from the file: their commits wait until the dump has ended. Whoever writes past SQLite's locks
changes the file's time of change or its size: these are compared at the end.

Run as `python -I -S -c … PATH FACTS_FD WAIT_SECONDS`; the standard library only. Exit status: 0 good, 3 not
held still in time, 1 anything else; stderr says why.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from blocks.backup import facts_sqlite

NOT_STILL: Final = 3
_BLOCK_BYTES: Final = 1024 * 1024
_AGAIN_SECONDS: Final = 0.05
_TURN_SECONDS: Final = 0.0005
_MOVING_SECONDS: Final = 0.5


class NotStillError(Exception):
    """Others' transactions did not end in time."""


def main(arguments: list[str]) -> int:
    """Stream one database to stdout, then its facts as JSON to the descriptor."""
    path, facts_fd, wait = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    # Two threads share the interpreter: the one that moves bytes must not wait 5 ms for each turn.
    sys.setswitchinterval(0.0005)
    try:
        reader = hold_still(path, wait)
        facts = _streamed(path, reader)
    except NotStillError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 (our parent reads it)
        return NOT_STILL
    except (sqlite3.Error, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 (as above)
        return NOT_STILL if _busy(error) else 1
    with os.fdopen(facts_fd, "w", encoding="utf-8") as answer:
        json.dump(facts, answer)
    return 0


def hold_still(path: Path, wait: float) -> sqlite3.Connection:
    """Begin a read transaction whose state is exactly what the file itself holds.

    Raises:
        NotStillError: not within so many seconds.
    """
    until = time.monotonic() + wait
    reader, keeper, mover = (facts_sqlite.connect(path) for _ in range(3))
    reader.execute(f"PRAGMA busy_timeout = {round(wait * 1000)}")
    if reader.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _begin(reader)
        return reader
    for each in (keeper, mover):
        each.execute("PRAGMA busy_timeout = 0")
    while True:
        mover.execute("PRAGMA wal_checkpoint(PASSIVE)")  # the bulk of it, while writers go on
        _keep_writers_out(keeper, until)
        try:
            if _emptied(mover):
                _begin(reader)
                if _emptied(mover):
                    return reader
                reader.execute("ROLLBACK")
        finally:
            keeper.execute("ROLLBACK")
        if time.monotonic() > until:
            raise NotStillError("another reader has held an older state of it for too long")
        time.sleep(_AGAIN_SECONDS)


def _keep_writers_out(keeper: sqlite3.Connection, until: float) -> None:
    # Asked often: SQLite's own waiting sleeps ever longer, and never gets its turn among busy writers.
    while True:
        try:
            keeper.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _busy(error) or time.monotonic() > until:
                raise
            time.sleep(_TURN_SECONDS)
        else:
            return


def _emptied(mover: sqlite3.Connection) -> bool:
    # A writer that has just committed may be moving the log itself: it is waited for, no other can come.
    patience = time.monotonic() + _MOVING_SECONDS
    while True:
        busy, logged, moved = mover.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not busy and logged == moved:
            return True
        if time.monotonic() > patience:
            return False
        time.sleep(_TURN_SECONDS)


def _begin(reader: sqlite3.Connection) -> None:
    # BEGIN alone fixes nothing: the first reading does.
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _streamed(path: Path, reader: sqlite3.Connection) -> dict[str, Any]:
    pages, size = (reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    facts: dict[str, Any] = {"millis": facts_sqlite.machine_millis(reader), "bytes": pages * size}
    failed: list[BaseException] = []

    def count() -> None:
        try:
            facts["rows"] = facts_sqlite.rows(reader)
        except BaseException as error:  # noqa: BLE001 (raised again below, in the thread that answers)
            failed.append(error)

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    facts["checksums"] = {facts_sqlite.FILE: _stream(path, pages * size)}
    counting.join()
    if failed:
        raise failed[0]
    return facts


def _stream(path: Path, left: int) -> str:
    """Give so many bytes of the file to stdout; their digest."""
    # Copied, not spliced: bytes that lie in the pipe must not change when our lock is gone.
    # Never closed here: that would drop the lock.
    descriptor = os.open(path, os.O_RDONLY)
    before = _changed(descriptor)
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    digest = hashlib.sha256()
    while left:
        got = os.readv(descriptor, [buffer[: min(left, _BLOCK_BYTES)]])
        if not got:
            message = f"the file ends {left} bytes too early"
            raise OSError(message)
        left -= got
        block = buffer[:got]
        digest.update(block)
        while block:
            block = block[os.write(1, block) :]
    if _changed(descriptor) != before:
        message = "somebody wrote the file past SQLite's locks"
        raise OSError(message)
    os.close(1)
    return digest.hexdigest()


def _changed(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_mtime_ns, found.st_size
