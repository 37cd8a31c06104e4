"""Walks a folder in a fixed order without ever following a link, and reads its files whole or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from blocks.backup.errors import DumpFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the folder.

    Attributes:
        path: below the folder, with `/`.
        kind: what it is.
        seen: as it was when the walk came by.
        target: of a link.
        folder: open folder it lies in, as long as the walk stands there.
        what: the source, for sentences.
    """

    path: str
    kind: Literal["file", "folder", "link"]
    seen: os.stat_result
    target: str
    folder: int
    what: str

    def read(self, take: Callable[[bytes], object]) -> Iterator[bytes]:
        """The bytes of a file, all of them; its SHA-256 is taken at the end.

        Raises:
            DumpFailed: it changed meanwhile, is gone, or cannot be read; named.
        """
        digest = hashlib.sha256()
        try:
            # O_NOFOLLOW: a link put in its place leads nowhere.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self.path.rpartition("/")[2], flags, dir_fd=self.folder)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                left = self._unchanged(os.fstat(descriptor))
                while left:
                    block = file.read(min(left, READ_BYTES))
                    if not block:
                        raise self.failed("became shorter while it was read")
                    left -= len(block)
                    digest.update(block)
                    yield block
                self._unchanged(os.fstat(descriptor))
            self._unchanged(os.stat(self.path.rpartition("/")[2], dir_fd=self.folder, follow_symlinks=False))
        except OSError as error:
            raise self.failed(f"cannot be read: {error.strerror}") from error
        take(digest.digest())

    def failed(self, reason: str) -> DumpFailed:
        """A sentence that names this entry."""
        return DumpFailed(what=self.what, reason=f"{self.path} {reason}")

    def _unchanged(self, now: os.stat_result) -> int:
        if _identity(now) != _identity(self.seen):
            raise self.failed("changed while it was read")
        return now.st_size


def walk(root: Path) -> Iterator[Entry]:
    """Each entry below a folder, sorted by name, folders before what is in them.

    Raises:
        DumpFailed: something cannot be read, or is no file, folder or link.
    """
    what = str(root)

    def failed(error: OSError) -> None:
        named = error.filename if isinstance(error.filename, str) else "a folder"
        raise DumpFailed(what=what, reason=f"{named} cannot be read: {error.strerror}") from error

    for base, folders, files, descriptor in os.fwalk(root, onerror=failed, follow_symlinks=False):
        folders.sort()
        below = os.path.relpath(base, root)
        prefix = "" if below == "." else f"{below}/"
        for name in sorted([*folders, *files]):
            try:
                yield _entry(prefix + name, name, descriptor, what)
            except OSError as error:
                reason = f"{prefix}{name} cannot be read: {error.strerror}"
                raise DumpFailed(what=what, reason=reason) from error


def _entry(path: str, name: str, folder: int, what: str) -> Entry:
    seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISREG(seen.st_mode):
        return Entry(path, "file", seen, "", folder, what)
    if stat.S_ISDIR(seen.st_mode):
        return Entry(path, "folder", seen, "", folder, what)
    if stat.S_ISLNK(seen.st_mode):
        return Entry(path, "link", seen, os.readlink(name, dir_fd=folder), folder, what)
    raise DumpFailed(what=what, reason=f"{path} is neither a file nor a folder nor a link")


def _identity(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, stat.S_IFMT(seen.st_mode), seen.st_size, seen.st_mtime_ns
