"""Bytes of a dump made small and secret, and back: zstd within age, both as streams.

age is pulled: it asks for plain bytes and gives sealed ones from its own loop, so each side here is a file as
Python knows them. An error of ours that passes through age comes out as its own; ours is kept and raised.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Final, cast

import pyrage
import zstandard

from blocks.backup.protocol import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blocks.backup.protocol import Dump, Facts

LEVEL: Final = 1
"""Of zstd: the fastest of its plain levels; level 3 took 1.7 times its time on a database."""


class Sealing:
    """A dump as compressed bytes, which age reads; counts what went in.

    The facts are asked for at the dump's end, before the last bytes leave: a dump that did not end well ends
    no file.
    """

    def __init__(self, dump: Dump, *, level: int = LEVEL, threads: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        compressor = zstandard.ZstdCompressor(
            level=level, threads=cores if threads is None else threads, write_checksum=True
        )
        self._dump = dump
        self._stream = compressor.compressobj()
        self._ready = memoryview(b"")
        self._ended = False
        self.raw_bytes = 0
        self.facts: Facts | None = None
        self.failed: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """The next compressed bytes; age calls this."""
        try:
            while not self._ready and not self._ended:
                self._fill()
        except BaseException as error:
            self.failed = error
            raise
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)

    def _fill(self) -> None:
        block = self._dump.read(BLOCK_BYTES)
        self.raw_bytes += len(block)
        if block:
            self._ready = memoryview(self._stream.compress(block))
            return
        self.facts = self._dump.facts()
        self._ready = memoryview(self._stream.flush())
        self._ended = True


class Gathering:
    """What age writes, gathered into blocks and handed on.

    Args:
        hand_on: takes each block.
    """

    def __init__(self, hand_on: Callable[[bytes], None]) -> None:
        self._hand_on = hand_on
        self._gathered = bytearray()
        self.failed: BaseException | None = None

    def write(self, piece: bytes) -> int:
        """Take bytes; age calls this."""
        self._gathered += piece
        if len(self._gathered) >= BLOCK_BYTES:
            self.hand_on()
        return len(piece)

    def flush(self) -> None:
        """Nothing: age flushes more often than a block is full."""

    def hand_on(self) -> None:
        """Hand on what is there."""
        block, self._gathered = bytes(self._gathered), bytearray()
        try:
            self._hand_on(block)
        except BaseException as error:
            self.failed = error
            raise


def seal(source: Sealing, target: Gathering, public: str) -> None:
    """Move a dump through zstd and age to its end.

    Raises:
        pyrage.RecipientError: `public` is no public key.
        BaseException: what reading the dump or handing on raised.
    """
    recipient = pyrage.x25519.Recipient.from_str(public)
    try:
        pyrage.encrypt_io(source, target, [recipient])
    except Exception as error:
        ours = source.failed or target.failed
        if ours is None:
            raise
        raise ours from error
    target.hand_on()


class _Joined:
    # Blocks as a file that zstd reads.
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._ready = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._ready:
            self._ready = memoryview(next(self._blocks, b""))
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)


def unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes within one frame of zstd, in blocks of one size whatever the frame holds.

    A frame that is cut ends early and says nothing: the caller knows how many bytes are due.

    Raises:
        zstandard.ZstdError: it is no frame, or a damaged one.
    """
    joined = cast("IO[bytes]", _Joined(packed))  # zstd reads, and does nothing else of a file
    with zstandard.ZstdDecompressor().stream_reader(joined, read_size=BLOCK_BYTES // 8) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block
