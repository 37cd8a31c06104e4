"""A dump of PostgreSQL under way: pg_dump's stream, and the count in the same snapshot beside it."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

import psycopg

from blocks.backup.engine_child import EngineChild, Silent
from blocks.backup.errors import BackupError, DumpFailed, FactsTooEarly
from blocks.backup.pg_sequences import SequencesInDump
from blocks.backup.protocol import BLOCK_BYTES, Facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from blocks.backup.facts_postgresql import PostgresqlCount

_CANCEL_SECONDS = 5.0
_END_SECONDS = 60.0
_MAGIC = b"PGDMP"


class PostgresqlDump:
    """See `blocks.backup.protocol.Dump`.

    Args:
        what: the source, for sentences.
        argv: pg_dump with its words.
        environment: all of pg_dump's.
        connection: holds the snapshot; used by the count alone from now on.
        count: made on that connection.
        tool: pg_dump's version.
        silent_seconds: how long pg_dump may give nothing.
    """

    def __init__(
        self,
        what: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        connection: psycopg.Connection,
        count: PostgresqlCount,
        tool: str,
        silent_seconds: float,
    ) -> None:
        self._what = what
        self._connection = connection
        self._count = count
        self._tool = tool
        self._silent_seconds = silent_seconds
        self._stack = ExitStack()
        self._child = EngineChild(argv, environment)
        self._sequences = SequencesInDump(count.sequences)
        self._counted: tuple[dict[str, int], dict[str, str]] | None = None
        self._miscounted: BaseException | None = None
        self._whole = False
        self._bytes = 0
        self._counting = threading.Thread(target=self._run_count, name="backup count", daemon=True)

    def __enter__(self) -> Self:
        """Begin counting; pg_dump runs already."""
        self._stack.enter_context(self._child)
        self._stack.callback(self._stop_count)
        self._counting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End pg_dump and the count, wherever they are."""
        self._stack.close()

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes; empty only when pg_dump ended well."""
        if self._whole:
            return b""
        if self._miscounted is not None:
            raise self._fault(self._miscounted)
        try:
            block = self._child.read(size, self._silent_seconds)
        except Silent:
            raise self._failed(f"pg_dump gave nothing for {self._silent_seconds:g} s") from None
        if block:
            if self._bytes == 0 and not block.startswith(_MAGIC[: len(block)]):
                raise self._failed("what pg_dump gave is no dump")
            self._bytes += len(block)
            self._sequences.look(block)
            return block
        self._end()
        return b""

    def facts(self) -> Facts:
        """What the snapshot held; waits for the count."""
        if not self._whole:
            raise FactsTooEarly(what=self._what)
        self._counting.join()
        if self._counted is None:
            raise self._fault(self._miscounted)
        rows, checksums = self._counted
        moment = self._count.moment
        return Facts(
            engine="postgresql",
            taken_at=moment.taken_at,
            rows=rows,
            checksums=checksums | self._sequences.values,
            position=moment.position,
            tools={"postgresql": moment.version, "pg_dump": self._tool},
        )

    def _end(self) -> None:
        try:
            code = self._child.end(_END_SECONDS)
        except Silent:
            raise self._failed("pg_dump closed its stream but did not end") from None
        if code != 0:
            raise self._failed(f"pg_dump: {self._child.verdict(code)}")
        if self._bytes == 0:
            raise self._failed("pg_dump gave nothing")
        if lacking := self._sequences.lacking:
            raise self._failed(f"these are not in it: {', '.join(lacking[:3])}")
        self._whole = True

    def _run_count(self) -> None:
        try:
            self._counted = self._count.count()
        except BaseException as error:  # noqa: BLE001 (told to whoever reads, in their thread)
            self._miscounted = error

    def _stop_count(self) -> None:
        if self._counting.is_alive():
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        self._counting.join(_CANCEL_SECONDS)

    def _failed(self, reason: str) -> DumpFailed:
        return DumpFailed(what=self._what, reason=reason)

    def _fault(self, error: BaseException | None) -> BackupError:
        return error if isinstance(error, BackupError) else self._failed(f"counting stopped: {error}")
