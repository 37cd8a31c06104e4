"""SFTP as a stream needs it: many requests under way, the server's extensions, its status codes.

paramiko's own client is slow at reading in order and drops the extensions and the numbers of errors. Over
its channel this speaks the same protocol, with a dozen requests of up to 255 KB under way.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blocks.backup.sftp_channel import SftpChannel
from blocks.backup.sftp_packets import (
    ATTRS,
    CLOSE,
    DATA,
    EOF,
    EXTENDED,
    EXTENDED_REPLY,
    FSTAT,
    HANDLE,
    MKDIR,
    NAME,
    NO_SUCH_FILE,
    OPEN,
    OPENDIR,
    READ,
    READDIR,
    REALPATH,
    REMOVE,
    RENAME,
    RMDIR,
    STAT,
    STATUS,
    WRITE,
    SftpBroken,
    SftpStatus,
    attributes,
    check_status,
    entries,
    expect,
    number_at,
    numbers,
    reading,
    text_field,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import paramiko

_SAFE_BYTES: Final = 32 * 1024  # what every server takes
_MOST_BYTES: Final = 255 * 1024
_UNDER_WAY: Final = 12  # requests; with 255 KB each about 3 MB
_TO_READ: Final = struct.pack(">III", 0x01, 0, 0)
_TO_WRITE: Final = struct.pack(">III", 0x1A, 4, 0o600)  # write, create, truncate; for its owner alone


@dataclass(frozen=True, slots=True)
class Room:
    """What a file system of the server has."""

    free_bytes: int
    read_only: bool


class SftpClient:
    """Files over one channel; one thread at a time.

    Each method raises `SftpStatus` when the server refuses, `SftpBroken`, OSError or EOFError when the line
    or the protocol breaks; nothing is known then about what is there.

    Args:
        channel: of a session, nothing started in it yet.
        answer_within: seconds in which the server must take or give something.
    """

    def __init__(self, channel: paramiko.Channel, answer_within: float) -> None:
        self._line = SftpChannel(channel, answer_within)
        self._most_read = self._most_write = _SAFE_BYTES
        if self._can("limits"):
            _, read, write, _ = numbers(self._extended("limits"), 4)
            self._most_read = min(read or _SAFE_BYTES, _MOST_BYTES)
            self._most_write = min(write or _SAFE_BYTES, _MOST_BYTES)

    def close(self) -> None:
        """End the channel."""
        self._line.close()

    def write(self, path: str, blocks: Iterable[bytes]) -> tuple[int, int]:
        """Write a file anew, durably where the server can; returns the bytes sent and those it holds."""
        handle = self._handle(OPEN, text_field(path) + _TO_WRITE)
        waiting: deque[int] = deque()
        place = 0
        for piece in _pieces(blocks, self._most_write):
            head = handle + struct.pack(">QI", place, len(piece))
            waiting.append(self._line.ask(WRITE, head, piece))
            place += len(piece)
            if len(waiting) == _UNDER_WAY:
                self._await_ok(waiting.popleft())
        while waiting:
            self._await_ok(waiting.popleft())
        if self._can("fsync"):
            self._done(EXTENDED, text_field("fsync@openssh.com") + handle)
        held = self._size(FSTAT, handle)
        self._done(CLOSE, handle)
        return place, held

    def read(self, path: str) -> Iterator[bytes]:
        """The bytes of a file. Not read to its end, the channel is of no use any more."""
        handle = self._handle(OPEN, text_field(path) + _TO_READ)
        yield from _Reading(self._line, handle, self._most_read).blocks()
        self._done(CLOSE, handle)

    def size(self, path: str) -> int:
        """Size of a file in bytes."""
        return self._size(STAT, text_field(path))

    def has(self, path: str) -> bool:
        """Whether there is a file or folder of that name."""
        try:
            self.size(path)
        except SftpStatus as said:
            if said.status != NO_SUCH_FILE:
                raise
            return False
        return True

    def listing(self, path: str) -> list[tuple[str, bool, int]]:
        """What is in a folder: name, whether it is a folder itself, size."""
        handle = self._handle(OPENDIR, text_field(path))
        found: list[tuple[str, bool, int]] = []
        try:
            while True:
                kind, body = self._line.answer(self._line.ask(READDIR, handle))
                expect(kind, NAME)
                found += entries(body)
        except SftpStatus as said:
            if said.status != EOF:
                raise
        self._done(CLOSE, handle)
        return found

    def rename(self, source: str, target: str) -> None:
        """Give a file its name, in place of one that has it; in one step where the server can."""
        if self._can("posix-rename"):
            fields = text_field("posix-rename@openssh.com") + text_field(source) + text_field(target)
            self._done(EXTENDED, fields)
            return
        try:  # version 3 itself refuses to replace
            self.remove(target)
        except SftpStatus as said:
            if said.status != NO_SUCH_FILE:
                raise
        self._done(RENAME, text_field(source) + text_field(target))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._done(REMOVE, text_field(path))

    def make_folder(self, path: str) -> None:
        """Make a folder for its owner alone."""
        self._done(MKDIR, text_field(path) + struct.pack(">II", 4, 0o700))

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        self._done(RMDIR, text_field(path))

    def ping(self) -> None:
        """Have the server answer something."""
        self._line.answer(self._line.ask(REALPATH, text_field(".")))

    def room(self, path: str) -> Room | None:
        """What the file system has; None where the server cannot say."""
        if not self._can("statvfs"):
            return None
        self._line.settle()
        fields = numbers(self._extended("statvfs", text_field(path)), 11)
        return Room(free_bytes=fields[1] * fields[4], read_only=bool(fields[9] & 1))

    def _can(self, extension: str) -> bool:
        return f"{extension}@openssh.com" in self._line.extensions

    def _extended(self, extension: str, fields: bytes = b"") -> memoryview:
        number = self._line.ask(EXTENDED, text_field(f"{extension}@openssh.com") + fields)
        kind, body = self._line.answer(number)
        expect(kind, EXTENDED_REPLY)
        return body

    def _handle(self, kind: int, fields: bytes) -> bytes:
        answered, body = self._line.answer(self._line.ask(kind, fields))
        expect(answered, HANDLE)
        return bytes(body)  # it goes back as it came, its length before it

    def _size(self, kind: int, fields: bytes) -> int:
        answered, body = self._line.answer(self._line.ask(kind, fields))
        expect(answered, ATTRS)
        return attributes(body, 0)[1]

    def _done(self, kind: int, fields: bytes) -> None:
        self._await_ok(self._line.ask(kind, fields))

    def _await_ok(self, number: int) -> None:
        kind, _ = self._line.answer(number)
        expect(kind, STATUS)


class _Reading:
    # A file read in order with many requests under way; what an answer lacks is asked for again.

    def __init__(self, line: SftpChannel, handle: bytes, most: int) -> None:
        self._line = line
        self._handle = handle
        self._most = most
        self._asked: deque[tuple[int, int, int]] = deque()  # number, place, size
        self._early: dict[int, tuple[int, memoryview]] = {}

    def blocks(self) -> Iterator[bytes]:
        place = 0
        while True:
            while len(self._asked) < _UNDER_WAY:
                self._asked.append(self._ask(place, self._most))
                place += self._most
            number, at, size = self._asked.popleft()
            data = self._data(number)
            if data is None:
                break
            if not 0 < len(data) <= size:
                raise SftpBroken("it sends another number of bytes than it was asked for")
            if len(data) < size:
                self._asked.appendleft(self._ask(at + len(data), size - len(data)))
            yield data
        while self._asked:  # what was asked beyond the end
            if self._data(self._asked.popleft()[0]) is not None:
                raise SftpBroken("it sends bytes from behind the end")

    def _ask(self, place: int, size: int) -> tuple[int, int, int]:
        return self._line.ask(READ, reading(self._handle, place, size)), place, size

    def _data(self, number: int) -> bytes | None:
        while number not in self._early:
            kind, got, body = self._line.next_answer()
            self._early[got] = (kind, body)
        kind, body = self._early.pop(number)
        if kind == STATUS:
            try:
                check_status(body)
            except SftpStatus as said:
                if said.status == EOF:
                    return None
                raise
        expect(kind, DATA)
        if number_at(body, 0) != len(body) - 4:
            raise SftpBroken("the length of an answer is wrong")
        return bytes(body[4:])


def _pieces(blocks: Iterable[bytes], most: int) -> Iterator[memoryview]:
    for block in blocks:
        view = memoryview(block)
        for start in range(0, len(view), most):
            yield view[start : start + most]
