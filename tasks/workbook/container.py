"""A customer's ZIP file, opened with care: nothing is unpacked before its directory is within the limits.

What the directory says is not believed either: each part is unpacked in small pieces, and one that turns out
larger or other than declared is refused at that piece.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from tasks.workbook.errors import FileTooLarge, WorkbookLocked, WorkbookUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.workbook.limits import Limits

_PIECE = 1 << 16
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of Excel 97-2003, and of what a password locks
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_PART = b"PK\x01\x02"  # begins each entry of the directory
_HEAD = struct.Struct("<26x2H")  # of a local header: the lengths of name and extra field
_ENCRYPTED = 1


class Container:
    """The parts of a workbook.

    Args:
        file: Open for reading in binary, seekable.
        name: What messages call it.
        limits: What it may hold.

    Raises:
        FileTooLarge: it holds more.
        WorkbookLocked: it has a password.
        WorkbookUnreadable: it is no ZIP file, or a damaged one.
    """

    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        self.name = name
        self._file = file
        self._limits = limits
        self._refuse_other_forms()
        try:
            with ZipFile(file) as directory:
                self._entries = directory.infolist()
        except (BadZipFile, ValueError, NotImplementedError, OSError) as problem:
            raise self.unreadable("it is no ZIP file, or a damaged one") from problem
        self._check_directory()
        self._parts = {entry.filename.casefold(): entry for entry in self._entries}

    def __contains__(self, part: str) -> bool:
        return part.casefold() in self._parts

    def pieces(self, part: str, limit: int | None = None) -> Iterator[bytes]:
        """Unpack a part, piece by piece.

        Args:
            part: Its name; case does not matter, as in Office.
            limit: How large it may be; without it as large as it says, which is within the limits.

        Raises:
            FileTooLarge: it is larger than the limit.
            WorkbookUnreadable: it is not there, damaged, or not as large as it says.
        """
        entry = self._parts.get(part.casefold())
        if entry is None:
            raise self.unreadable(f"its part {part} is missing")
        if limit is not None and entry.file_size > limit:
            raise self.too_large(entry.file_size, f"bytes in its part {part}", limit)
        size = checksum = 0
        for piece in self._inflated(entry):
            size += len(piece)
            if size > entry.file_size:
                break
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if (size, checksum) != (entry.file_size, entry.CRC):
            raise self.unreadable(f"its part {part} is not what the directory says")

    def unreadable(self, reason: str) -> WorkbookUnreadable:
        """The error that says why this file cannot be read."""
        return WorkbookUnreadable(file=self.name, reason=reason)

    def _refuse_other_forms(self) -> None:
        size = self._file.seek(0, 2)
        if size > self._limits.file_bytes:
            raise self.too_large(size, "bytes", self._limits.file_bytes)
        self._file.seek(0)
        if self._file.read(len(_OLE)) != _OLE:
            # Counted before the directory is read: that alone takes half a kilobyte of memory a part.
            if (parts := _count(self._file, _PART)) > self._limits.entries:
                raise self.too_large(parts, "parts", self._limits.entries)
            return
        if _count(self._file, _LOCKED):
            raise WorkbookLocked(file=self.name)
        raise self.unreadable("it is a file of Excel 97-2003; save it as .xlsx")

    def _check_directory(self) -> None:
        limits, entries = self._limits, self._entries
        inflated = sum(entry.file_size for entry in entries)
        if inflated > limits.inflated_bytes:
            raise self.too_large(inflated, "bytes when it is unpacked", limits.inflated_bytes)
        packed = sum(entry.compress_size for entry in entries)
        if inflated > limits.ratio * max(packed, 1):
            raise self.too_large(
                inflated // max(packed, 1), "times its size when it is unpacked", limits.ratio
            )
        if any(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise WorkbookLocked(file=self.name)
        if len({entry.filename.casefold() for entry in entries}) < len(entries):
            raise self.unreadable("it has two parts of one name")

    def _inflated(self, entry: ZipInfo) -> Iterator[bytes]:
        if entry.compress_type == ZIP_STORED:
            yield from self._packed(entry)
            return
        if entry.compress_type != ZIP_DEFLATED:
            raise self.unreadable(f"its part {entry.filename} is packed in a way that Excel does not use")
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._packed(entry):
                pending = packed
                while pending and not inflate.eof:
                    yield inflate.decompress(pending, _PIECE)
                    pending = inflate.unconsumed_tail
            yield inflate.flush()
        except zlib.error as problem:
            raise self.unreadable(f"its part {entry.filename} is damaged") from problem

    def _packed(self, entry: ZipInfo) -> Iterator[bytes]:
        self._file.seek(entry.header_offset)
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise self.unreadable(f"its part {entry.filename} is cut off")
        place, left = self._file.tell() + sum(_HEAD.unpack(head)), entry.compress_size
        while left > 0:
            self._file.seek(place)  # several parts may be read in turn
            piece = self._file.read(min(left, _PIECE))
            if not piece:
                return
            place, left = place + len(piece), left - len(piece)
            yield piece

    def too_large(self, found: int, what: str, limit: int) -> FileTooLarge:
        """The error that says that this file holds too much."""
        return FileTooLarge(file=self.name, found=found, what=what, limit=limit)


def _count(file: BinaryIO, wanted: bytes) -> int:
    file.seek(0)
    found, before = 0, b""
    while piece := file.read(_PIECE):
        found += (before + piece).count(wanted)
        before = piece[-len(wanted) + 1 :]
    return found
