"""The sources, sites and scratches of backups by the names of their blocks, of whichever kind they are."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

from tasks.backup.errors import BackupBlockMissing
from tasks.blocks import BlockMissing, load_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.blocks.core import Block

    from blocks.backup.protocol import Scratch, Site, Source

# Modules are imported when a block of theirs is looked for: each brings its engine's or its server's client.
SOURCES: Final = (
    "source_postgresql.PostgresqlSource",
    "source_sqlite.SqliteSource",
    "source_sqlserver.SqlserverSource",
    "source_folder.FolderSource",
)
SITES: Final = ("site_sftp.SftpSite", "site_folder.FolderSite", "site_object.ObjectSite")
SCRATCHES: Final = (
    "scratch_postgresql.PostgresqlScratch",
    "scratch_sqlite.SqliteScratch",
    "scratch_folder.FolderScratch",
)
_SOURCE: Final = "source of backups"
_kind_of: dict[tuple[str, str], str] = {}  # which kind a block was found to be, by what it is and its name

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
    """The source behind a block; `BackupBlockMissing` when there is none."""
    return cast("Source", _found(_SOURCE, name, SOURCES))


def site_of(name: str) -> Site:
    """The site behind a block; `BackupBlockMissing` when there is none."""
    return cast("Site", _found("site of backups", name, SITES))


def scratch_of(name: str) -> Scratch:
    """The scratch behind a block; `BackupBlockMissing` when there is none."""
    return cast("Scratch", _found("scratch of backups", name, SCRATCHES))


def _found(what: str, name: str, kinds: tuple[str, ...]) -> Any:
    held = _held.get()
    if held is None or what == _SOURCE:  # each source has one customer: holding a thousand saves nothing
        return _loaded(what, name, kinds)
    found = held.get((what, name))
    return found or held.setdefault((what, name), _loaded(what, name, kinds))


def _loaded(what: str, name: str, kinds: tuple[str, ...]) -> Any:
    known = _kind_of.get((what, name))
    for kind in (known, *kinds) if known else kinds:
        try:
            block = load_block(_class_of(kind), name)
        except BlockMissing:
            continue
        _kind_of[what, name] = kind
        return block
    shown = ", ".join(kind.partition(".")[2] for kind in kinds)
    raise BackupBlockMissing(name=name, what=what, kinds=shown)


def _class_of(kind: str) -> type[Block]:
    module, _, name = kind.partition(".")
    found: type[Block] = getattr(importlib.import_module(f"blocks.backup.{module}"), name)
    return found
