"""The block of a customer's folder of documents that is backed up."""

from __future__ import annotations

import os
import socket
import tarfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from prefect.blocks.core import Block
from pydantic import Field

from blocks.backup.errors import FactsTooEarly, SourceUnreachable
from blocks.backup.facts_folder import FolderCount, this_machine_now
from blocks.backup.folder_walk import walk
from blocks.backup.protocol import BLOCK_BYTES, Facts
from blocks.backup.scratch_name import without_scratches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime

    from blocks.backup.folder_walk import Entry

_KINDS: Final = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}
_ENCODING: Final = "utf-8"
_UNKNOWN: Final = "surrogateescape"  # names that are no UTF-8 come back as they were


class FolderSource(Block):
    """A customer's folder of documents, as a tar stream in a fixed order (S-2.4.2).

    A folder has no snapshot: a file that comes or goes meanwhile is in it or not, and one that changes while
    it is read ends the dump, which is then begun anew. Links are kept as links and never followed.

    Example:
        Read a dump of a stored connection to its end:
        ```python
        from blocks.backup.source_folder import FolderSource

        source = FolderSource.load("BLOCK_NAME")
        with source.dump() as dump:
            while block := dump.read():
                print(len(block))
            print(dump.facts().total_rows)
        ```
    """

    _block_type_name = "Backup Source Folder"
    _block_type_slug = "backup-source-folder"

    folder: Path = Field(description="The folder, on this machine or mounted there.")

    @property
    def engine(self) -> Literal["folder"]:
        """Its kind."""
        return "folder"

    def server(self) -> str:
        """This machine."""
        return socket.gethostname().casefold()

    def names(self) -> frozenset[str]:
        """What lies beside it, but for what only a scratch may be called."""
        try:
            found = {each.name for each in self.folder.parent.iterdir()}
        except OSError as error:
            raise self._unreachable(error) from error
        return without_scratches(found, self.folder.name)

    def size(self) -> int:
        """Bytes of all files."""
        self._there()
        return sum(each.seen.st_size for each in walk(self.folder) if each.kind == "file")

    @contextmanager
    def dump(self) -> Iterator[FolderDump]:
        """Begin a dump.

        Raises:
            SourceUnreachable: the folder is not there.
        """
        self._there()
        dump = FolderDump(self.folder, this_machine_now())
        with closing(dump):
            yield dump

    def check(self) -> tuple[str, ...]:
        """Look into it, and return what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        self._there()
        return (f"{self.folder} can be read.",)

    def _there(self) -> None:
        try:
            with os.scandir(self.folder) as found:
                next(found, None)
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> SourceUnreachable:
        return SourceUnreachable(what=str(self.folder), reason=error.strerror or "it cannot be read")


class FolderDump:
    """See `blocks.backup.protocol.Dump`."""

    def __init__(self, folder: Path, taken_at: datetime) -> None:
        self._what = str(folder)
        self._taken_at = taken_at
        self._count = FolderCount()
        self._blocks = _tar(folder, self._count)
        self._rest = bytearray()
        self._whole = False

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes of the tar stream; small files travel together."""
        while not self._whole and len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                self._whole = True
            else:
                self._rest += block
        given = bytes(self._rest[:size])
        del self._rest[:size]
        return given

    def facts(self) -> Facts:
        """What was put into the stream."""
        if not self._whole or self._rest:
            raise FactsTooEarly(what=self._what)
        return self._count.facts(self._taken_at)

    def close(self) -> None:
        """End the walk wherever it is."""
        self._blocks.close()


def _tar(folder: Path, count: FolderCount) -> Generator[bytes, None, None]:
    for entry in walk(folder):
        yield _header(entry)
        if entry.kind != "file":
            count.add(entry.path, entry.kind, content=os.fsencode(entry.target))
            continue
        digests: list[bytes] = []
        yield from entry.read(digests.append)
        yield b"\0" * (-entry.seen.st_size % tarfile.BLOCKSIZE)
        count.add(entry.path, "file", entry.seen.st_size, digests[0])
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type = _KINDS[entry.kind]
    info.size = entry.seen.st_size if entry.kind == "file" else 0
    info.mode = entry.seen.st_mode & 0o777
    info.mtime = int(entry.seen.st_mtime)
    info.linkname = entry.target
    return info.tobuf(tarfile.PAX_FORMAT, _ENCODING, _UNKNOWN)
