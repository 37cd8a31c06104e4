"""What backups need of every database, folder and site, whichever system stands behind it, and its data.

A *source* gives its bytes once, as a stream, with facts taken from the same snapshot. A *site* keeps files
under names made of ids. A *scratch* takes a stream back into a database of its own, beside no live one.
Nothing here is compressed or encrypted: that is done between a source and its sites.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

Engine = Literal["postgresql", "sqlite", "sqlserver", "folder"]

BLOCK_BYTES = 1024 * 1024
"""About how many bytes travel at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a dump held, counted in the snapshot it was made of; equal facts mean an equal restore.

    Attributes:
        engine: the kind of source.
        taken_at: the instant of the snapshot, by the source's own clock.
        rows: rows per table (`schema.table`), or files per folder.
        checksums: per table, of the values alone: equal after a restore into another database.
        position: place in the source's log (LSN), where it has one.
        tools: versions of the source and of what dumped it.
    """

    engine: Engine
    taken_at: datetime
    rows: Mapping[str, int] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    position: str | None = None
    tools: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_rows(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


class Dump(Protocol):
    """A dump under way. Read it to its end, then ask for its facts."""

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes, at most `size`; empty at the end.

        Raises:
            BackupError: the dump failed; what was read so far is worth nothing.
        """

    def facts(self) -> Facts:
        """What the dump held; only after its end.

        Raises:
            BackupError: the dump did not end well, or was not read to its end.
        """


class Source(Protocol):
    """Something that is backed up: a customer's database, or the folder of its documents."""

    @property
    def engine(self) -> Engine:
        """Its kind."""

    def server(self) -> str:
        """The server it lives on, as a name that tells servers apart; limits and S-2.4.6 go by it."""

    def names(self) -> frozenset[str]:
        """All names under which something lives there: no scratch may take one of them."""

    def size(self) -> int:
        """About how many bytes it holds; for forecasts and free space."""

    def dump(self) -> AbstractContextManager[Dump]:
        """Begin a dump; whatever was begun ends with the block, child processes included.

        Raises:
            BackupError: the source cannot be reached or read.
        """


class Site(Protocol):
    """A place that keeps files. Names are paths of ids, such as `acme/2026-11-23-000412/database.age`."""

    def server(self) -> str:
        """The server it lies on, as a name that tells servers apart: two sites on one are refused."""

    def store(self, name: str, blocks: Iterable[bytes]) -> int:
        """Keep a file, whole or not at all: `.part`, made durable, renamed, its folder made durable.

        A file of that name is replaced. What was left of an earlier attempt is removed.

        Returns:
            its bytes.

        Raises:
            SiteFull, SiteReadOnly, SiteUnreachable, SiteFailed: it is not kept.
        """

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, from the medium where that can be asked for.

        Raises:
            FileGone: there is none.
            SiteUnreachable, SiteFailed: it cannot be read to its end.
        """

    def files(self, folder: str = "") -> dict[str, int]:
        """Every file below a folder with its size, what is unfinished (`.part`) included."""

    def remove(self, name: str) -> bool:
        """Remove a file, durably; whether it was there. Empty folders go with it."""

    def free(self) -> int | None:
        """Bytes that are free; None where the site cannot say."""


class Scratch(Protocol):
    """A server where a dump is restored, tried and dropped; never one name of a live database."""

    @property
    def engine(self) -> Engine:
        """The kind of dump it takes."""

    def server(self) -> str:
        """The server it is on."""

    def restore(self, name: str, dump: Iterable[bytes], live: frozenset[str]) -> None:
        """Make a database of this name from a dump; what was left of an earlier attempt goes first.

        Raises:
            LiveNameRefused: the name is one of `live`, or not one of a scratch (`nakoming_scratch_…`).
            BackupError: the dump was not taken.
        """

    def facts(self, name: str) -> Facts:
        """Count it, as `Dump.facts` did."""

    def check(self, name: str) -> tuple[str, ...]:
        """The engine's own check of integrity; what was found good, one sentence each.

        Raises:
            RestoreDamaged: it found something.
        """

    def drop(self, name: str) -> bool:
        """Remove it; whether it was there."""
