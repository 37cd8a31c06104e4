"""The block of a folder where backups of documents are restored, tried and dropped."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Final, Literal

from prefect.blocks.core import Block

from blocks.backup.errors import DumpFailed, RestoreDamaged, RestoreFailed
from blocks.backup.facts_folder import FolderCount, this_machine_now
from blocks.backup.folder_walk import walk
from blocks.backup.scratch_folders import ScratchFolders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from blocks.backup.protocol import Facts

_COPY_BYTES: Final = 1024 * 1024


class FolderScratch(ScratchFolders, Block):
    """A folder where documents are restored, each backup in a folder of its own, and dropped (S-2.4.6).

    Example:
        Drop what a drill left behind:
        ```python
        from blocks.backup.scratch_folder import FolderScratch

        scratch = FolderScratch.load("BLOCK_NAME")
        print(scratch.drop("nakoming_scratch_acme"))
        ```
    """

    _block_type_name = "Backup Scratch Folder"
    _block_type_slug = "backup-scratch-folder"

    @property
    def engine(self) -> Literal["folder"]:
        """The kind of dump it takes."""
        return "folder"

    def restore(self, name: str, dump: Iterable[bytes], live: frozenset[str]) -> None:
        """Unpack a tar stream; see `blocks.backup.protocol.Scratch`.

        Raises:
            LiveNameRefused: the name is one of `live`, or not one of a scratch.
            RestoreFailed: the folder cannot be written, or the stream is damaged or not whole.
        """
        with self.made(name, live) as place:
            blocks = _Blocks(iter(dump))
            try:
                with tarfile.open(
                    fileobj=blocks, mode="r|", errorlevel=2, bufsize=_COPY_BYTES, errors="surrogateescape"
                ) as tar:
                    _unpack(tar, place)
                    end = tar.offset + 2 * tarfile.BLOCKSIZE
            except tarfile.TarError as error:
                raise RestoreFailed(what="the dump", name=name, reason=str(error)) from error
            blocks.read_to_end()
            # tarfile takes a damaged header for the end of all.
            if not blocks.ended_well or blocks.given != end:
                raise RestoreFailed(what="the dump", name=name, reason="the stream is not whole")

    def facts(self, name: str) -> Facts:
        """Count it, as the dump did."""
        count = FolderCount()
        try:
            for entry in walk(self.place(name)):
                digests: list[bytes] = []
                if entry.kind == "file":
                    for _ in entry.read(digests.append):
                        pass
                content = digests[0] if digests else entry.target.encode("utf-8", "surrogateescape")
                size = entry.seen.st_size if entry.kind == "file" else 0
                count.add(entry.path, entry.kind, size, content)
        except DumpFailed as error:
            raise RestoreDamaged(name=name, reason=error.data["reason"]) from error
        return count.facts(this_machine_now())

    def check(self, name: str | None = None) -> tuple[str, ...]:
        """Read every file.

        Args:
            name: the scratch; without one the folder is tried (for `nakoming check`).

        Returns:
            what was found good, one sentence each.

        Raises:
            RestoreDamaged: a file cannot be read.
        """
        if name is None:
            return self.tried()
        return (f"All {self.facts(name).total_rows} files of {name} were read.",)


class _Blocks(io.RawIOBase):
    # The stream as tarfile wants it; remembers whether it ended with the zeros that end a tar.
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""
        self._tail = b""
        self.given = 0

    @property
    def ended_well(self) -> bool:
        return len(self._tail) == 2 * tarfile.BLOCKSIZE and not any(self._tail)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        given, self._rest = self._rest[:size], self._rest[size:]
        self.given += len(given)
        self._tail = (self._tail + given)[-2 * tarfile.BLOCKSIZE :]
        return given

    def read_to_end(self) -> None:
        while self.read(_COPY_BYTES):
            pass


def _unpack(tar: tarfile.TarFile, place: Path) -> None:
    for member in tar:
        # Nothing outside, nothing through a link, no owner: a link itself is made as it was, and leads where
        # it did; whoever counts or reads here never follows one.
        if member.issym():
            safe = tarfile.tar_filter(member, str(place))
            (place / safe.name).symlink_to(safe.linkname)
        elif member.isfile() or member.isdir():
            tar.extract(member, place, filter="data")
        else:
            raise tarfile.ExtractError(f"{member.name} is neither a file nor a folder nor a link")
