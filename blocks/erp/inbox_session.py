"""What is done in an inbox over one connection: list, fetch, answer, move; each may be done again."""

from __future__ import annotations

import errno
import hashlib
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import paramiko

from blocks.erp.errors import (
    InboxFileChanged,
    InboxFileMissing,
    InboxFileTooLarge,
    InboxLost,
    InboxNameRefused,
    InboxReadOnly,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

SUFFIXES: Final = (".xlsx", ".xlsm", ".csv")
"""Of what is fetched. All else is left alone, and named by `strange`."""
_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload")
_OF_THIS_MACHINE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}
_READ_SIZE: Final = 1 << 18
_DIGEST_SIGNS: Final = 16


@dataclass(frozen=True, slots=True)
class InboxFile:
    """A file as it was listed.

    Attributes:
        name: without a folder.
        size: in bytes.
        modified: seconds since 1970, by the clock of that machine.
    """

    name: str
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Folders:
    """Paths on that machine: where files come in, where answers and processed files go."""

    inbox: str
    answers: str
    processed: str


class InboxSession:
    """An open connection to an inbox; made by `ErpInbox.connect`.

    Args:
        client: of SFTP.
        where: machine and folder, for messages.
        folders: see there.
        most_bytes: largest file that is fetched.
        rest: waits as long as a file must rest.
    """

    def __init__(
        self,
        client: paramiko.SFTPClient,
        where: str,
        folders: Folders,
        most_bytes: int,
        rest: Callable[[], object],
    ) -> None:
        self._client = client
        self._where = where
        self._folders = folders
        self._most_bytes = most_bytes
        self._rest = rest

    def listing(self) -> list[InboxFile]:
        """The files that may be fetched when they rest: Excel and CSV, named plainly and not `.part`."""
        with self._reading(self._folders.inbox, "listed"):
            found = [_seen(each) for each in self._client.listdir_attr(self._folders.inbox) if _is_file(each)]
        return sorted((each for each in found if _is_wanted(each.name)), key=lambda each: each.name)

    def strange(self) -> list[str]:
        """The names of files that are left alone though they look finished."""
        with self._reading(self._folders.inbox, "listed"):
            names = [
                each.filename for each in self._client.listdir_attr(self._folders.inbox) if _is_file(each)
            ]
        return sorted(each for each in names if not _is_wanted(each) and not _is_unfinished(each))

    def arrived(self, before: Collection[InboxFile] | None = None) -> list[InboxFile]:
        """The files that rest: size and time are the same in two listings.

        Args:
            before: an earlier listing, such as the last run's; without it two are made now, a rest apart.
        """
        if before is None:
            before = self.listing()
            if not before:
                return []
            self._rest()
        earlier = set(before)
        return [each for each in self.listing() if each in earlier]

    def fetch(self, file: InboxFile, into: Path) -> str:
        """Bring a file here, whole and unchanged since it was listed, or not at all; returns its SHA-256.

        Args:
            file: as `arrived` gave it.
            into: the file here; one that is there is replaced.

        Raises:
            InboxFileChanged: it is another file now, or grew while it was read.
            InboxFileTooLarge: nothing of it was read.
        """
        remote = self._path(self._folders.inbox, file.name)
        if file.size > self._most_bytes:
            raise InboxFileTooLarge(where=self._where, path=remote, size=file.size, most=self._most_bytes)
        part = into.with_name(f"{into.name}.part")
        try:
            with part.open("wb") as out, self._reading(remote, "read"):
                digest = self._copied(file, remote, out.write)
            part.replace(into)
        finally:
            part.unlink(missing_ok=True)
        return digest

    def _copied(self, file: InboxFile, remote: str, write: Callable[[bytes], object]) -> str:
        digest, size = hashlib.sha256(), 0
        with self._client.open(remote, "rb") as source:
            source.prefetch(file.size)
            while block := source.read(_READ_SIZE):
                size += len(block)
                if size > file.size:
                    break
                digest.update(block)
                write(block)
        now = self._client.stat(remote)
        if (size, now.st_size, int(now.st_mtime or 0)) != (file.size, file.size, file.modified):
            raise InboxFileChanged(where=self._where, path=remote)
        return digest.hexdigest()

    def acknowledge(self, file: InboxFile, text: str, *, digest: str) -> str:
        """Put an answer to a content beside the inbox, whole or not at all; returns its path.

        The name holds the digest: the file of tomorrow with the same name has an answer of its own. The same
        answer again changes nothing; another one replaces it.

        Raises:
            InboxReadOnly: the account may not write there.
        """
        remote = self._path(self._folders.answers, file.name, behind=f".{digest[:_DIGEST_SIGNS]}.txt")
        content = text.encode()
        if self._holds(remote, content):
            return remote
        with self._writing(remote, "written"):
            self._make_folder(self._folders.answers)
            with self._client.open(f"{remote}.part", "wb") as out:
                out.write(content)
            self._client.posix_rename(f"{remote}.part", remote)
        if not self._holds(remote, content):
            raise InboxFileChanged(where=self._where, path=remote)
        return remote

    def move(self, file: InboxFile, *, digest: str) -> str:
        """Move a file away when its content is the one that was fetched; returns its new path.

        What was moved already stays moved. A file that took its name meanwhile goes back to the inbox.

        Raises:
            InboxFileChanged: there is another content under that name; it stays in the inbox.
            InboxFileMissing: it is neither here nor there.
            InboxReadOnly: the account may not write there.
        """
        source = self._path(self._folders.inbox, file.name)
        target = self._path(self._folders.processed, file.name, before=f"{digest[:_DIGEST_SIGNS]}-")
        with self._writing(target, "written"):
            self._make_folder(self._folders.processed)
        if self._digest(source) != digest:
            if self._digest(target) == digest:
                return target
            if self._digest(source) is None:
                raise InboxFileMissing(where=self._where, path=source, done="moved", reason="it is not there")
            raise InboxFileChanged(where=self._where, path=source)
        with self._writing(source, "moved"):
            self._client.posix_rename(source, target)
        if self._digest(target) != digest:  # replaced in the instant between
            with self._writing(target, "moved back"):
                self._client.posix_rename(target, source)
            raise InboxFileChanged(where=self._where, path=source)
        return target

    def make_folders(self) -> None:
        """Make the folders for answers and processed files unless they are there.

        Raises:
            InboxReadOnly: the account may not write there.
        """
        for folder in (self._folders.answers, self._folders.processed):
            with self._writing(folder, "made"):
                self._make_folder(folder)

    def _make_folder(self, folder: str) -> None:
        try:
            self._client.stat(folder)
        except FileNotFoundError:
            self._client.mkdir(folder, 0o770)

    def _holds(self, remote: str, content: bytes) -> bool:
        return self._digest(remote) == hashlib.sha256(content).hexdigest()

    def _digest(self, remote: str) -> str | None:
        digest = hashlib.sha256()
        try:
            with self._reading(remote, "read"), self._client.open(remote, "rb") as source:
                source.prefetch()
                while block := source.read(_READ_SIZE):
                    digest.update(block)
        except InboxFileMissing as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        return digest.hexdigest()

    def _path(self, folder: str, name: str, *, before: str = "", behind: str = "") -> str:
        if not _is_plain(name):
            raise InboxNameRefused(where=self._where, name=name)
        return str(PurePosixPath(folder, f"{before}{name}{behind}"))

    @contextmanager
    def _reading(self, path: str, done: str) -> Iterator[None]:
        with self._connected(path, done):
            try:
                yield
            except (FileNotFoundError, PermissionError) as error:
                raise InboxFileMissing(
                    where=self._where, path=path, done=done, reason=error.strerror or str(error)
                ) from error

    @contextmanager
    def _writing(self, path: str, done: str) -> Iterator[None]:
        with self._connected(path, done):
            try:
                yield
            except FileNotFoundError as error:
                raise InboxFileMissing(
                    where=self._where, path=path, done=done, reason=error.strerror or str(error)
                ) from error
            except OSError as error:
                # SFTP has one answer to a read-only file system, a full one and a quota: "Failure".
                if not self._is_connected():
                    raise
                reason = error.strerror or str(error)
                raise InboxReadOnly(where=self._where, path=path, done=done, reason=reason) from error

    @contextmanager
    def _connected(self, path: str, done: str) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError, paramiko.SSHException) as error:
            if isinstance(error, OSError) and error.errno in _OF_THIS_MACHINE:
                raise
            reason = str(error) or "the connection was closed"
            raise InboxLost(where=self._where, path=path, done=done, reason=reason) from error

    def _is_connected(self) -> bool:
        channel = self._client.get_channel()
        return channel is not None and not channel.closed


def _seen(attributes: paramiko.SFTPAttributes) -> InboxFile:
    return InboxFile(attributes.filename, attributes.st_size or 0, int(attributes.st_mtime or 0))


def _is_file(attributes: paramiko.SFTPAttributes) -> bool:
    # A link could lead anywhere on that machine, or to a file that never rests.
    return stat.S_ISREG(attributes.st_mode or 0)


def _is_plain(name: str) -> bool:
    return bool(name) and name not in {".", ".."} and "/" not in name and name.isprintable()


def _is_unfinished(name: str) -> bool:
    # Excel keeps ~$name.xlsx beside a workbook that somebody has open.
    return name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED)


def _is_wanted(name: str) -> bool:
    return _is_plain(name) and not _is_unfinished(name) and name.lower().endswith(SUFFIXES)
