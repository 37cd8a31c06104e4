"""The process that makes one customer's backup, and the instants at which it is killed.

To the boundaries of every process it adds the tenths of each dump, and both sides of what is done at a site.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.backup import site_folder
from blocks.backup.sftp_client import SftpClient
from blocks.backup.site_folder import FolderSite
from blocks.backup.site_sftp import SftpSite
from tasks.backup import one_customer, sealing
from tasks.process import work_within
from tests.faults.boundaries import AFTER, BEFORE, FREED, SHARED, Boundary, Watcher, watch
from tests.faults.cutting import Cutter, Journal, Mode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROCESS = "backup"
DUMP, KEPT, PARTED = "tenth of a dump", "kept at a site", "whole, not yet named"
TENTH_BYTES = 100_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the child needs to know.

    Attributes:
        home: of the installation.
        records_url: its database.
        api_url: Prefect's.
        customer: whose backup.
        night: of which night, as text.
        journal: of the play.
        said: file for what the child logs.
        mode: which boundaries are cut.
        only: only boundaries whose names begin so.
        spared: sides of boundaries that an earlier play has cut.
        leases: whether shared places taken and let go are boundaries too.
        damage: true: unfinished files have a name of their own each time (what must be seen).
    """

    home: Path
    records_url: str
    api_url: str
    customer: str
    night: str
    journal: Path
    said: Path
    mode: Mode = "none"
    only: tuple[str, ...] = ()
    spared: frozenset[tuple[str, str, str, str]] = frozenset()
    leases: bool = False
    damage: bool = False


def run(order: Order) -> None:
    """Make the backup, to its end or to the first boundary that is to be cut."""
    os.dup2(os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    os.environ["NAKOMING_HOME"] = str(order.home)
    os.environ["NAKOMING_RECORDS_URL"] = order.records_url
    journal = Journal(order.journal)
    watcher = _Chosen(Cutter(journal, PROCESS, order.mode, order.only, order.spared), order.leases)
    watch(watcher)
    _watch_backup(watcher)
    if order.damage:
        site_folder.PART = f".{uuid4().hex}.part"  # type: ignore[misc]  # the damage
    with temporary_settings({PREFECT_API_URL: order.api_url}):
        given = {"night": order.night}
        worked = work_within(
            one_customer.PROCESS, customer=order.customer, subject=order.night, parameters=given
        )
    assert not worked.is_red, worked.said
    journal.note("ended", PROCESS, Boundary("process", PROCESS))


@dataclass
class _Chosen:
    cutter: Cutter
    leases: bool
    _given: dict[int, int] = field(default_factory=dict)

    def at(self, boundary: Boundary, phase: str) -> None:
        if self.leases or boundary.kind not in {SHARED, FREED}:
            self.cutter.at(boundary, phase)


def _watch_backup(watcher: Watcher) -> None:
    _watch_dump(watcher)
    for block in (FolderSite, SftpSite):
        _both(watcher, KEPT, block, "store", f"{block.__name__} ")
        _both(watcher, KEPT, block, "remove", f"{block.__name__} without ")
    _both(watcher, PARTED, SftpClient, "rename", "SftpSite ")
    _after(watcher, site_folder, "_write")


def _watch_dump(watcher: Watcher) -> None:
    sealing.BLOCK_BYTES = TENTH_BYTES  # type: ignore[misc]  # no tenth is stepped over
    original = sealing.Sealing._fill

    def fill(self: sealing.Sealing) -> None:
        before = self.raw_bytes // TENTH_BYTES
        original(self)
        tenth = self.raw_bytes // TENTH_BYTES
        if tenth != before and tenth <= 10:
            boundary = Boundary(DUMP, f"{type(self._dump).__name__} {tenth}")
            watcher.at(boundary, BEFORE)
            watcher.at(boundary, AFTER)

    sealing.Sealing._fill = fill  # type: ignore[method-assign]  # watched, not changed


def _both(watcher: Watcher, kind: str, owner: Any, method: str, what: str) -> None:
    original: Callable[..., Any] = getattr(owner, method)

    @functools.wraps(original)
    def watched(self: Any, name: str, *given: Any) -> Any:
        boundary = Boundary(kind, what + name.rpartition("/")[2])
        watcher.at(boundary, BEFORE)
        done = original(self, name, *given)
        watcher.at(boundary, AFTER)
        return done

    setattr(owner, method, watched)


def _after(watcher: Watcher, owner: Any, function: str) -> None:
    original: Callable[..., Any] = getattr(owner, function)

    @functools.wraps(original)
    def watched(path: Path, *given: Any) -> Any:
        done = original(path, *given)
        boundary = Boundary(PARTED, f"FolderSite {path.name.partition('.')[0]}")
        watcher.at(boundary, BEFORE)
        watcher.at(boundary, AFTER)
        return done

    setattr(owner, function, watched)
