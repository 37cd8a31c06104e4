"""The sources, sites and scratches of backups by the names of their blocks, of whichever kind they are."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tasks.blocks import kind_of, load_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prefect.blocks.core import Block

    from blocks.backup.protocol import Scratch, Site, Source

# Slugs, by which Prefect knows a kind, and classes. A module is imported when a block of its kind is there:
# each brings its engine's or its server's client.
SOURCES: Final = {
    "backup-source-postgresql": "source_postgresql.PostgresqlSource",
    "backup-source-sqlite": "source_sqlite.SqliteSource",
    "backup-source-sqlserver": "source_sqlserver.SqlserverSource",
    "backup-source-folder": "source_folder.FolderSource",
}
SITES: Final = {
    "backup-sftp-site": "site_sftp.SftpSite",
    "backup-folder-site": "site_folder.FolderSite",
    "backup-object-site": "site_object.ObjectSite",
}
SCRATCHES: Final = {
    "backup-scratch-postgresql": "scratch_postgresql.PostgresqlScratch",
    "backup-scratch-sqlite": "scratch_sqlite.SqliteScratch",
    "backup-scratch-folder": "scratch_folder.FolderScratch",
}
_SOURCE: Final = "source of backups"


@dataclass
class _Held:
    """What one run of work has asked Prefect for, by what it is and its name."""

    blocks: dict[tuple[str, str], Any] = field(default_factory=dict)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)


_held: ContextVar[_Held | None] = ContextVar("blocks of backups", default=None)


@contextmanager
def loaded_once() -> Iterator[None]:
    """Within, also in threads that are given this context, each block is loaded once and shared.

    A site serves all customers of a night: asking Prefect for it at each step would cost several requests a
    customer, and one over SFTP would log in again for each.
    """
    held = _Held()
    before = _held.set(held)
    try:
        yield
    finally:
        _held.reset(before)
        for block in list(held.blocks.values()):
            if close := getattr(block, "close", None):
                close()


def source_of(name: str) -> Source:
    """The source behind a block; `BlockOfNoKind` or `BlockAmbiguous` when there is not one."""
    return cast("Source", _found(_SOURCE, name, SOURCES))


def site_of(name: str) -> Site:
    """The site behind a block; `BlockOfNoKind` or `BlockAmbiguous` when there is not one."""
    return cast("Site", _found("site of backups", name, SITES))


def scratch_of(name: str) -> Scratch:
    """The scratch behind a block; `BlockOfNoKind` or `BlockAmbiguous` when there is not one."""
    return cast("Scratch", _found("scratch of backups", name, SCRATCHES))


def class_of(kind: str) -> type[Block]:
    """The class of a kind, of those that are named above."""
    module, _, name = kind.partition(".")
    found: type[Block] = getattr(importlib.import_module(f"blocks.backup.{module}"), name)
    return found


def _found(what: str, name: str, kinds: Mapping[str, str]) -> Any:
    held = _held.get()
    if held is None:
        return load_block(class_of(_asked(what, name, kinds)), name)
    found = held.blocks.get((what, name))
    if found is not None:
        return found
    kind = held.kinds.get((what, name)) or held.kinds.setdefault((what, name), _asked(what, name, kinds))
    block = load_block(class_of(kind), name)
    # Each source has one customer: holding a thousand saves nothing.
    return block if what == _SOURCE else held.blocks.setdefault((what, name), block)


def _asked(what: str, name: str, kinds: Mapping[str, str]) -> str:
    """The kind that bears the name, remembered for one run of work at most (see `kind_of`)."""
    shown = {slug: kind.partition(".")[2] for slug, kind in kinds.items()}
    return kinds[kind_of(what, name, shown)]
