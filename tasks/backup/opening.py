"""One part of a backup on its way back: read, digested, opened, unpacked; every damage has its own error.

The last block is given only when the digest of all that was read is the manifest's: what was restored from a
damaged file never counts as whole.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Protocol

import pyrage
import zstandard

from blocks.backup.protocol import BLOCK_BYTES
from tasks.backup.passage import Abandoned, Passage
from tasks.backup.sealing import Gathering, unpacked
from tasks.backup.stream_errors import PartChanged, PartLong, PartNotForKey, PartShort, PartUnreadable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pyrage import x25519

    from blocks.backup.protocol import Site


class Expected(Protocol):
    """What a manifest says of a part."""

    @property
    def bytes(self) -> int:
        """Of the file."""

    @property
    def raw_bytes(self) -> int:
        """Of the dump in it."""

    @property
    def sha256(self) -> str:
        """Of the file."""


def read_checked(site: Site, name: str, expected: Expected) -> Iterator[bytes]:
    """The bytes of a file as they lie there; the digest is compared at the end, before the last block.

    Raises:
        PartShort, PartLong, PartChanged: it is not what was kept.
        BackupError: it cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    held = b""
    for block in site.read(name):
        size += len(block)
        if size > expected.bytes:
            raise PartLong(name=name, site=site.server(), expected=expected.bytes)
        digest.update(block)
        if held:
            yield held
        held = block
    if size < expected.bytes:
        raise PartShort(name=name, site=site.server(), found=size, expected=expected.bytes)
    if digest.hexdigest() != expected.sha256:
        raise PartChanged(name=name, site=site.server(), found=digest.hexdigest(), expected=expected.sha256)
    if held:
        yield held


def check_size(site: Site, name: str, expected: Expected, found: int) -> None:
    """Compare the size of a file that was listed; `PartShort` or `PartLong` when it is another."""
    if found < expected.bytes:
        raise PartShort(name=name, site=site.server(), found=found, expected=expected.bytes)
    if found > expected.bytes:
        raise PartLong(name=name, site=site.server(), expected=expected.bytes)


def check(site: Site, name: str, expected: Expected) -> int:
    """Read a file to its end and compare; returns its bytes. Errors as of `read_checked`."""
    return sum(map(len, read_checked(site, name, expected)))


def opened(
    site: Site, name: str, expected: Expected, identity: x25519.Identity, key_id: str
) -> Generator[bytes, None, None]:
    """The dump in a file, in blocks.

    Args:
        site: where it lies.
        name: of the file.
        expected: what the manifest says of it.
        identity: the key that opens it.
        key_id: of the key, for messages.

    Raises:
        PartShort, PartLong, PartChanged: the file is not what was kept.
        PartNotForKey: it is, and was made for another key.
        PartUnreadable: it is, and holds no dump of ours.
        BackupError: it cannot be read.
    """
    opening = _Opening(site, name, expected, identity, key_id)
    try:
        yield from opening.blocks()
    finally:
        opening.close()


class _Opening:
    # age pushes, a restore pulls: age runs in a thread of its own.

    def __init__(
        self, site: Site, name: str, expected: Expected, identity: x25519.Identity, key_id: str
    ) -> None:
        self._where = {"name": name, "site": site.server()}
        self._expected = expected
        self._identity = identity
        self._key_id = key_id
        self._source = _Source(read_checked(site, name, expected))
        self._passage = Passage()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"opening-{name}", daemon=True)
        self._thread.start()

    def blocks(self) -> Iterator[bytes]:
        given, held = 0, b""
        try:
            for block in unpacked(iter(self._passage)):
                given += len(block)
                if held:
                    yield held
                held = block
            for _ in self._passage:
                raise PartUnreadable(**self._where, reason="something follows the end of its dump")
        except Abandoned:
            self._raise_failed()
        except zstandard.ZstdError as error:
            self._passage.leave()
            self._thread.join()
            self._raise_failed()
            raise PartUnreadable(**self._where, reason="its dump is not packed with zstd") from error
        self._thread.join()
        self._raise_failed()
        if given != self._expected.raw_bytes:
            reason = f"its dump has {given} bytes, not {self._expected.raw_bytes}"
            raise PartUnreadable(**self._where, reason=reason)
        if held:
            yield held

    def close(self) -> None:
        self._source.stopped = True
        self._passage.leave()
        self._thread.join()

    def _raise_failed(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            self._open()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that reads
            self._failed = error
            self._passage.break_off()
        else:
            self._passage.end()

    def _open(self) -> None:
        target = Gathering(lambda block: None if not block else _put(self._passage, block))
        try:
            pyrage.decrypt_io(self._source, target, [self._identity])
            target.hand_on()
        except Exception as error:
            if self._source.failed is not None:
                raise self._source.failed from error
            # Whether the file itself is damaged decides what this means: the rest of it tells.
            self._source.exhaust()
            if isinstance(target.failed, Abandoned):
                return
            if "No matching keys" in str(error):
                raise PartNotForKey(**self._where, key_id=self._key_id) from error
            raise PartUnreadable(**self._where, reason="it is not sealed with age") from error
        self._source.exhaust()


def _put(passage: Passage, block: bytes) -> None:
    passage.put(block)


class _Source:
    # A checked file as age reads it.

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._ready = memoryview(b"")
        self.failed: BaseException | None = None
        self.stopped = False

    def read(self, size: int = -1) -> bytes:
        if not self._ready:
            try:
                self._ready = memoryview(next(self._blocks, b""))
            except BaseException as error:
                self.failed = error
                raise
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)

    def exhaust(self) -> None:
        # To the end, where the digest is compared; not for a reader that has gone away.
        while not self.stopped and self.read(BLOCK_BYTES):
            pass
