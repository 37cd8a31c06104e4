"""The sources, sites and scratches of backups by the names of their blocks, of whichever kind they are."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

from tasks.blocks import load_one_of

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


# What one run of work has asked Prefect for, by what it is and its name.
_held: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("blocks of backups", default=None)


@contextmanager
def loaded_once() -> Iterator[None]:
    """Within, also in threads that are given this context, each block is loaded once and shared.

    A site serves all customers of a night: asking Prefect for it at each step would cost several requests a
    customer, and one over SFTP would log in again for each.
    """
    held: dict[tuple[str, str], Any] = {}
    before = _held.set(held)
    try:
        yield
    finally:
        _held.reset(before)
        for block in list(held.values()):
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
    if held is not None and (what, name) in held:
        return held[what, name]
    shown = {slug: kind.partition(".")[2] for slug, kind in kinds.items()}
    block = load_one_of(what, name, shown, lambda slug: class_of(kinds[slug]))
    # Each source has one customer: holding a thousand saves nothing.
    return block if held is None or what == _SOURCE else held.setdefault((what, name), block)
