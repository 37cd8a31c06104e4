"""One part of a backup on its way to its sites: read once, packed, sealed, digested, kept (S-2.4.2)."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyrage

from nakoming.errors import NakomingError
from tasks.backup.opening import read_checked
from tasks.backup.passage import Abandoned, Passage
from tasks.backup.sealing import LEVEL, Gathering, Sealing, seal
from tasks.backup.stream_errors import KeyInvalid, SiteHangs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blocks.backup.protocol import Dump, Facts, Site
    from nakoming.records.backup_keys import Recipient
    from tasks.backup.opening import Expected

PATIENCE: Final = timedelta(minutes=10)
"""How long a site may take nothing before it is left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent, and where it was kept; it is good only once it was read back.

    Attributes:
        bytes: of the file.
        raw_bytes: of the dump.
        sha256: of the file.
        facts: of the dump.
        failed: what went wrong, by the place of the site in the call; the others keep the file.
    """

    bytes: int
    raw_bytes: int
    sha256: str
    facts: Facts
    failed: Mapping[int, NakomingError]


def send(
    name: str,
    dump: Dump,
    recipient: Recipient,
    sites: Sequence[Site],
    *,
    level: int = LEVEL,
    patience: timedelta = PATIENCE,
) -> Sent:
    """Send a dump to all sites at once. A site that fails does not stop the others.

    Raises:
        BackupError: the dump failed, and no site keeps a file of the name; or every site failed,
            and it is the error of the first.
    """
    takers = [_Taker(name, site, patience.total_seconds()) for site in sites]
    digest = hashlib.sha256()
    size = 0

    def hand_on(block: bytes) -> None:
        nonlocal size
        digest.update(block)
        size += len(block)
        for taker in takers:
            taker.give(block)
        _require_one(takers)

    source = Sealing(dump, level=level)
    try:
        _seal(source, Gathering(hand_on), recipient)
        for taker in takers:
            taker.end(size)
        _require_one(takers)
    except BaseException:
        for taker in takers:
            taker.stop()
        raise
    if source.facts is None:
        msg = "age ended before the dump did"
        raise AssertionError(msg)
    return Sent(
        bytes=size,
        raw_bytes=source.raw_bytes,
        sha256=digest.hexdigest(),
        facts=source.facts,
        failed={place: taker.failed for place, taker in enumerate(takers) if taker.failed is not None},
    )


def _seal(source: Sealing, target: Gathering, recipient: Recipient) -> None:
    try:
        seal(source, target, recipient.public)
    except pyrage.RecipientError as error:
        raise KeyInvalid(key_id=recipient.key_id, reason=str(error).rstrip(".")) from error


def _require_one(takers: Sequence[_Taker]) -> None:
    failed = [taker.failed for taker in takers]
    if None not in failed and failed[0] is not None:
        for other in failed[1:]:
            failed[0].add_note(str(other))
        raise failed[0]


class _Taker:
    # One site in a thread of its own.

    def __init__(self, name: str, site: Site, patience: float) -> None:
        self.failed: NakomingError | None = None
        self._name = name
        self._site = site
        self._patience = patience
        self._passage = Passage()
        self._kept = 0
        self._unexpected: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"backup-{name}", daemon=True)
        self._thread.start()

    def give(self, block: bytes) -> None:
        if self.failed is None:
            with suppress(Abandoned):  # what it failed with is noted already, or is just being noted
                if not self._passage.put(block, self._patience):
                    self._hang()

    def end(self, size: int) -> None:
        if self.failed is None:
            self._passage.end()
            self._thread.join(self._patience)
            if self._thread.is_alive():
                self._hang()
        if self._unexpected is not None:
            raise self._unexpected
        if self.failed is None and self._kept != size:
            msg = f"{self._name}: {self._kept} of {size} bytes were taken"
            raise AssertionError(msg)

    def stop(self) -> None:
        # The file of the name must be gone before the caller goes on.
        self._passage.break_off()
        self._thread.join(self._patience)

    def _hang(self) -> None:
        self._passage.break_off()
        self.failed = SiteHangs(site=self._site.server(), name=self._name, seconds=self._patience)

    def _run(self) -> None:
        try:
            self._kept = self._site.store(self._name, self._passage)
        except Abandoned:
            pass
        except NakomingError as error:
            self.failed = self.failed or error
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            self._unexpected = error
        finally:
            self._passage.leave()


def copy(name: str, expected: Expected, source: Site, target: Site) -> int:
    """Copy a file from one site to another, comparing it on the way; returns its bytes.

    Raises:
        BackupError: it is not at the target; what was there of it before may be gone.
    """
    return target.store(name, read_checked(source, name, expected))
