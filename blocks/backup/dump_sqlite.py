"""A dump of SQLite under way: the file's bytes as a child of ours gives them, then what it counted."""

from __future__ import annotations

import json
import platform
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Final

from blocks.backup.engine_child import Silent
from blocks.backup.errors import DumpFailed, FactsTooEarly, SnapshotRefused
from blocks.backup.protocol import BLOCK_BYTES, Facts
from blocks.backup.sqlite_child import NOT_STILL

if TYPE_CHECKING:
    from blocks.backup.engine_child import EngineChild

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END_SECONDS: Final = 60.0


class SqliteDump:
    """See `blocks.backup.protocol.Dump`.

    Args:
        what: the source, for sentences.
        child: runs `blocks.backup.sqlite_child`.
        answer: where it writes its facts.
        silent_seconds: how long it may give nothing.
        lock_seconds: how long it waits for others' transactions.
    """

    def __init__(
        self, what: str, child: EngineChild, answer: IO[bytes], silent_seconds: float, lock_seconds: float
    ) -> None:
        self._what = what
        self._child = child
        self._answer = answer
        self._silent_seconds = silent_seconds
        self._lock_seconds = lock_seconds
        self._bytes = 0
        self._found: dict[str, Any] | None = None

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes; empty only when all of the file was given and counted."""
        if self._found is not None:
            return b""
        try:
            block = self._child.read(size, self._silent_seconds)
        except Silent:
            raise self._failed(f"no byte was read for {self._silent_seconds:g} s") from None
        self._bytes += len(block)
        if not block:
            self._found = self._end()
        return block

    def facts(self) -> Facts:
        """What the file held."""
        if self._found is None:
            raise FactsTooEarly(what=self._what)
        return sqlite_facts(self._found["millis"], self._found["rows"], self._found["checksums"])

    def _end(self) -> dict[str, Any]:
        text = self._answer.read()  # ends when the child does
        try:
            code = self._child.end(_END_SECONDS)
        except Silent:
            raise self._failed("reading does not end") from None
        if code == NOT_STILL:
            raise SnapshotRefused(
                what=self._what, reason=self._child.complaint(), seconds=f"{self._lock_seconds:g}"
            )
        if code != 0:
            raise self._failed(self._child.verdict(code))
        found: dict[str, Any] = json.loads(text)
        if found["bytes"] != self._bytes:
            raise self._failed(f"{self._bytes} of {found['bytes']} bytes came")
        return found

    def _failed(self, reason: str) -> DumpFailed:
        return DumpFailed(what=self._what, reason=reason)


def sqlite_facts(millis: int, rows: dict[str, int], checksums: dict[str, str]) -> Facts:
    """Facts as the child counted them, or a scratch."""
    return Facts(
        engine="sqlite",
        taken_at=_EPOCH + timedelta(milliseconds=millis),
        rows=rows,
        checksums=checksums,
        tools={"sqlite": sqlite3.sqlite_version, "python": platform.python_version()},
    )
