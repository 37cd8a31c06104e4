"""Packets of SFTP version 3: their numbers, and how fields are put together and taken apart."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

INIT, VERSION, OPEN, CLOSE, READ, WRITE, FSTAT = 1, 2, 3, 4, 5, 6, 8
OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME = 11, 12, 13, 14, 15, 16, 17, 18
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED, EXTENDED_REPLY = 101, 102, 103, 104, 105, 200, 201
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE = 0, 1, 2, 3, 4
WRITE_PROTECT, NO_SPACE, QUOTA = 12, 14, 15  # of later versions; some servers send them all the same
_FOLDER_BITS: Final = 0o040000
_KIND_BITS: Final = 0o170000


class SftpStatus(Exception):
    """The server answered with another status than OK.

    Attributes:
        status: its number.
        text: what it said.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"{text.rstrip('.') or 'failure'} (status {status})")


class SftpBroken(Exception):
    """The connection is gone, or what came over it is not SFTP."""


def text_field(text: str) -> bytes:
    """A text with its length before it."""
    encoded = text.encode()
    return len(encoded).to_bytes(4, "big") + encoded


def taken(body: memoryview, at: int) -> tuple[bytes, int]:
    """The text at a place, and where it ends."""
    size = number_at(body, at)
    if at + 4 + size > len(body):
        raise SftpBroken("an answer is too short")
    return bytes(body[at + 4 : at + 4 + size]), at + 4 + size


def number_at(body: memoryview, at: int, size: int = 4) -> int:
    """The number at a place."""
    if at + size > len(body):
        raise SftpBroken("an answer is too short")
    return int.from_bytes(body[at : at + size], "big")


def names_of_pairs(body: memoryview) -> Iterator[str]:
    """The names of the extensions a server offers."""
    at = 0
    while at < len(body):
        name, at = taken(body, at)
        _, at = taken(body, at)
        yield name.decode(errors="replace")


def check_status(body: memoryview) -> None:
    """See that a status is OK.

    Raises:
        SftpStatus: it is another one.
    """
    status = number_at(body, 0)
    if status != OK:
        text = taken(body, 4)[0] if len(body) > 4 else b""  # noqa: PLR2004 - some servers leave the text out
        raise SftpStatus(status, text.decode(errors="replace"))


def expect(kind: int, wanted: int) -> None:
    """See that an answer is of the kind that is due."""
    if kind != wanted:
        raise SftpBroken(f"it answers with {kind} where {wanted} is due")


def numbers(body: memoryview, count: int) -> tuple[int, ...]:
    """So many numbers of eight bytes."""
    return tuple(number_at(body, 8 * place, 8) for place in range(count))


def attributes(body: memoryview, at: int) -> tuple[int, int, int]:
    """Where the attributes at a place end, the size in them (-1: not said) and the mode."""
    flags = number_at(body, at)
    at, size, mode = at + 4, -1, 0
    if flags & 1:
        size, at = number_at(body, at, 8), at + 8
    at += 8 if flags & 2 else 0
    if flags & 4:
        mode, at = number_at(body, at), at + 4
    at += 8 if flags & 8 else 0
    if flags & 0x80000000:
        count, at = number_at(body, at), at + 4
        for _ in range(2 * count):
            _, at = taken(body, at)
    return at, size, mode


def entries(body: memoryview) -> Iterator[tuple[str, bool, int]]:
    """What a folder's listing holds: name, whether it is a folder, size."""
    at = 4
    for _ in range(number_at(body, 0)):
        name, at = taken(body, at)
        _, at = taken(body, at)
        at, size, mode = attributes(body, at)
        if name not in {b".", b".."}:
            yield name.decode(errors="replace"), mode & _KIND_BITS == _FOLDER_BITS, size


def reading(handle: bytes, place: int, size: int) -> bytes:
    """The body of a request to read."""
    return handle + struct.pack(">QI", place, size)
