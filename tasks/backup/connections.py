"""The sources, sites and scratches of backups by the names of their blocks, of whichever kind they are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, cast

from tasks.backup.errors import BackupBlockMissing
from tasks.blocks import BlockMissing, load_block

if TYPE_CHECKING:
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
_kind_of: dict[tuple[str, str], str] = {}  # which kind a block was found to be, by what it is and its name


def source_of(name: str) -> Source:
    """The source behind a block; `BackupBlockMissing` when there is none."""
    return cast("Source", _found("source of backups", name, SOURCES))


def site_of(name: str) -> Site:
    """The site behind a block; `BackupBlockMissing` when there is none."""
    return cast("Site", _found("site of backups", name, SITES))


def scratch_of(name: str) -> Scratch:
    """The scratch behind a block; `BackupBlockMissing` when there is none."""
    return cast("Scratch", _found("scratch of backups", name, SCRATCHES))


def _found(what: str, name: str, kinds: tuple[str, ...]) -> Any:
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
