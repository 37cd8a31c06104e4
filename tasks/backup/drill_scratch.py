"""Where a restore is tried: names that only scratches have, those that are live, and what was left over."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from blocks.backup.scratch_folder import FolderScratch
from blocks.backup.scratch_name import PREFIX
from nakoming.errors import NakomingError
from nakoming.records import agreements
from tasks.backup.connections import scratch_of, source_of
from tasks.backup.drill_errors import ScratchOfOtherEngine
from tasks.backup.missed import backed_up
from tasks.installation import settings

if TYPE_CHECKING:
    from blocks.backup.protocol import Scratch
    from nakoming.agreement.backup_terms import Backup
    from nakoming.records.store import Records
    from tasks.backup.manifest import Part

DATABASE: Final = "database.age"
_READABLE: Final = 24  # signs of a customer's name in that of its scratch
_logger = logging.getLogger(__name__)


def scratch_name(customer: str) -> str:
    """The name of a customer's scratch: always the same, so that what a killed drill left is found."""
    readable = customer.replace("-", "_")[:_READABLE]
    return f"{PREFIX}drill_{readable}_{hashlib.sha256(customer.encode()).hexdigest()[:8]}"


def scratch_for(customer: str, terms: Backup, part: Part) -> Scratch:
    """The scratch that a part of a backup is restored in.

    Raises:
        BlockOfNoKind: the agreement names one that is not there.
        ScratchOfOtherEngine: it takes other dumps.
    """
    found = _database(terms) if part.name == DATABASE else _documents(terms)
    if found.engine != part.facts.engine:
        named = terms.scratch if part.name == DATABASE else terms.documents_scratch
        raise ScratchOfOtherEngine(
            scratch=named, customer=customer, takes=found.engine, part=part.name, engine=part.facts.engine
        )
    return found


def _database(terms: Backup) -> Scratch:
    return scratch_of(str(terms.scratch))


def _documents(terms: Backup) -> Scratch:
    if terms.documents_scratch is not None:
        return scratch_of(terms.documents_scratch)
    folder = settings().home.absolute() / "scratch"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FolderScratch(folder=folder)


def live_names(records: Records) -> frozenset[str]:
    """All names under which something lives, of all customers: no scratch may take one of them.

    A source that does not answer stops no drill: a scratch's name is never one that a source should have.
    """
    with records.read() as tx:
        agreed = [agreements.get(tx, each).backup for each in backed_up(tx)]
    blocks = {block for terms in agreed for block in (terms.database, terms.documents) if block is not None}
    found: set[str] = set()
    for block in sorted(blocks):
        try:
            found |= source_of(block).names()
        except NakomingError as unknown:
            _logger.warning("the names beside %s are not known: %s", block, unknown)
    return frozenset(found)


def drop_left(customer: str, terms: Backup) -> int:
    """Drop what a killed drill of this customer left; how many there were.

    A scratch that does not answer is left for the next time: the drill itself says so.
    """
    name, dropped = scratch_name(customer), 0
    makers = [_database] + ([_documents] if terms.documents is not None else [])
    for make in makers:
        with suppress(NakomingError):
            dropped += make(terms).drop(name)
    return dropped
