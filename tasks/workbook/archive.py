"""A ZIP file written as its data come, to anything that takes bytes.

Nothing is sought back to and nothing is held: sizes and checksums follow each entry in a data descriptor.
Excel refuses ZIP64 where it is not needed, so an entry stays below 4 GiB (the sheet's writer begins a new
sheet before that), and only the directory of an archive beyond 4 GiB has ZIP64 records. The time of each
entry is the format's first (1980), so that equal rows give equal bytes.
"""

from __future__ import annotations

import hashlib
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRY_LIMIT = 0xE000_0000  # 3.5 GiB: what deflate may add to data that do not shrink fits below 4 GiB
_LEVEL = 1
_RAW = -15  # the window of deflate, without zlib's own head
_FLAGS = 0x0808  # sizes follow the data; names are UTF-8
_DEFLATED = 8
_FIRST_DAY = 0x0021  # 1980-01-01
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFF_FFFF
_VERSION, _VERSION_ZIP64 = 20, 45


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    checksum: int
    packed: int
    size: int
    offset: int


class Archive:
    """One ZIP file.

    Args:
        write: Takes the bytes in their order.
        offset: How many bytes the target already holds; sizes and digest begin at zero all the same.
    """

    def __init__(self, write: Callable[[bytes], object], *, offset: int = 0) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self._start = offset
        self._place = offset
        self._entries: list[_Entry] = []

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._place - self._start

    @property
    def sha256(self) -> str:
        """The digest of what was written so far, in hexadecimal."""
        return self._digest.hexdigest()

    @contextmanager
    def entry(self, name: str) -> Iterator[EntryWriter]:
        """Add a file; what is written within the block is its content."""
        encoded, offset = name.encode(), self._place
        head = (_VERSION, _FLAGS, _DEFLATED, 0, _FIRST_DAY, 0, 0, 0, len(encoded), 0)
        self._put(b"PK\x03\x04" + struct.pack("<5H3L2H", *head) + encoded)
        writer, begun = EntryWriter(self._put), self._place
        yield writer
        writer.finish()
        entry = _Entry(encoded, writer.checksum, self._place - begun, writer.size, offset)
        self._put(b"PK\x07\x08" + struct.pack("<3L", entry.checksum, entry.packed, entry.size))
        self._entries.append(entry)

    def finish(self) -> None:
        """Write the directory; nothing can be added afterwards."""
        begun = self._place
        for entry in self._entries:
            self._put(_directory_record(entry))
        length, count = self._place - begun, len(self._entries)
        if begun > _FULL_32 or length > _FULL_32 or count > _FULL_16:
            record = (44, _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, count, count, length, begun)
            locator = b"PK\x06\x07" + struct.pack("<LQL", 0, self._place, 1)
            self._put(b"PK\x06\x06" + struct.pack("<Q2H2L4Q", *record) + locator)
        count = min(count, _FULL_16)
        ends = (0, 0, count, count, min(length, _FULL_32), min(begun, _FULL_32), 0)
        self._put(b"PK\x05\x06" + struct.pack("<4H2LH", *ends))

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._digest.update(data)
        self._place += len(data)


class EntryWriter:
    """Takes the content of one entry."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put
        self._deflate = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
        self.size = 0
        self.checksum = 0

    def write(self, data: bytes) -> None:
        """Add bytes to the entry."""
        self.size += len(data)
        self.checksum = isal_zlib.crc32(data, self.checksum)
        if packed := self._deflate.compress(data):
            self._put(packed)

    def finish(self) -> None:
        """Write what the compression still holds."""
        self._put(self._deflate.flush())


def _directory_record(entry: _Entry) -> bytes:
    extra, version, offset = b"", _VERSION, entry.offset
    if offset > _FULL_32:
        extra, version, offset = struct.pack("<2HQ", 1, 8, entry.offset), _VERSION_ZIP64, _FULL_32
    head = (version, version, _FLAGS, _DEFLATED, 0, _FIRST_DAY, entry.checksum, entry.packed, entry.size)
    tail = (len(entry.name), len(extra), 0, 0, 0, 0, offset)
    return b"PK\x01\x02" + struct.pack("<6H3L", *head) + struct.pack("<5H2L", *tail) + entry.name + extra
