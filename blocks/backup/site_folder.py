"""A site that is a folder: a second disk, or a folder mounted from another server."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prefect.blocks.core import Block
from pydantic import Field

from blocks.backup.errors import FileGone, SiteUnreachable
from blocks.backup.protocol import BLOCK_BYTES
from blocks.backup.site_errors import speaking
from blocks.backup.site_names import PART, checked, checked_any, checked_folder, name_to_try
from nakoming.records.key_files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FLUSH_BYTES: Final = 64 * BLOCK_BYTES


class FolderSite(Block):
    """A folder that keeps backups: on another disk, or mounted from another server.

    Example:
        List what a stored site holds:
        ```python
        from blocks.backup.site_folder import FolderSite

        site = FolderSite.load("BLOCK_NAME")
        site.files()
        ```
    """

    _block_type_name = "Backup Folder Site"
    _block_type_slug = "backup-folder-site"

    folder: Path = Field(description="Folder that keeps the backups; it must be there.")
    machine: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name of the machine whose disk it is; of a mounted folder, the machine it comes from.",
    )
    mount: Path | None = Field(
        default=None,
        description="Mount point without which nothing is written or read, so that no local disk stands in.",
    )

    def server(self) -> str:
        """The machine whose disk it is."""
        return self.machine

    def store(self, name: str, blocks: Iterable[bytes]) -> int:
        """Keep a file, as `Site.store` says."""
        final = self._root(f"keeping {name}") / checked(name)
        part = final.with_name(final.name + PART)
        with speaking(self._site, f"keeping {name}"):
            self._make_folder(final.parent)
            try:
                size = _write(part, blocks)
                part.rename(final)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
            sync_folder(final.parent)
        return size

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, as `Site.read` says."""
        path = self._root(f"reading {name}") / checked_any(name)
        with speaking(self._site, f"reading {name}"):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise FileGone(name=name, site=self._site) from error
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
                _forget(descriptor)
                while block := file.read(BLOCK_BYTES):
                    yield block

    def files(self, folder: str = "") -> dict[str, int]:
        """Every file with its size, as `Site.files` says."""
        root = self._root("listing")
        found: dict[str, int] = {}
        with speaking(self._site, "listing"):
            for path in (root / checked_folder(folder)).rglob("*"):
                with suppress(FileNotFoundError):  # removed by another run meanwhile
                    if path.is_file():
                        found[path.relative_to(root).as_posix()] = path.stat().st_size
        return found

    def remove(self, name: str) -> bool:
        """Remove a file, as `Site.remove` says."""
        root = self._root(f"removing {name}")
        path = root / checked_any(name)
        with speaking(self._site, f"removing {name}"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            sync_folder(path.parent)
            for above in path.relative_to(root).parents:
                if not above.name or any((root / above).iterdir()):
                    break
                (root / above).rmdir()
                sync_folder((root / above).parent)
        return True

    def free(self) -> int | None:
        """Bytes that are free for us."""
        root = self._root("asking for free space")
        with speaking(self._site, "asking for free space"):
            return shutil.disk_usage(root).free

    def check(self) -> tuple[str, ...]:
        """Write, read back and remove a file; returns what was found, one sentence each.

        Raises:
            BackupError: the first thing that is wrong.
        """
        name = name_to_try()
        self.store(name, [b"x"])
        list(self.read(name))
        self.remove(name)
        return (f"{self._site} can be written and has {self.free() or 0:,} bytes free.",)

    @property
    def _site(self) -> str:
        return f"{self.machine}:{self.folder}"

    def _root(self, doing: str) -> Path:
        if self.mount is not None and not os.path.ismount(self.mount):
            raise SiteUnreachable(site=self._site, doing=doing, reason=f"{self.mount} is not mounted")
        if not self.folder.is_dir():
            raise SiteUnreachable(site=self._site, doing=doing, reason=f"there is no folder {self.folder}")
        return self.folder

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            with suppress(FileExistsError):  # another part of the set was first
                each.mkdir(mode=0o700)
            sync_folder(each.parent)


def _write(path: Path, blocks: Iterable[bytes]) -> int:
    # O_TRUNC replaces what an earlier attempt left. Written out as it grows: no long wait at the end.
    size = flushed = 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as file:  # noqa: PTH123 - Path.open has no mode bits
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[file.write(view) or 0 :]
            size += len(block)
            if size - flushed >= _FLUSH_BYTES:
                os.fdatasync(file.fileno())
                flushed = size
        os.fsync(file.fileno())
    return size


def _forget(descriptor: int) -> None:
    # What was just written would else come from memory, and a bad medium would look good.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
