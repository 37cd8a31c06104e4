"""A site that is an object store, or whatever else fsspec reaches."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from pydantic import Field

from blocks.backup.errors import FileGone
from blocks.backup.protocol import BLOCK_BYTES
from blocks.backup.site_errors import SiteKeptLess, SiteSettingInvalid, speaking
from blocks.backup.site_names import PART, checked, checked_any, checked_folder, name_to_try
from blocks.secrets import SecretReference, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ObjectSite(Block):
    """A bucket or folder, reached through fsspec, that keeps backups.

    Example:
        List what a stored site holds:
        ```python
        from blocks.backup.site_object import ObjectSite

        site = ObjectSite.load("BLOCK_NAME")
        site.files()
        ```
    """

    _block_type_name = "Backup Object Site"
    _block_type_slug = "backup-object-site"

    protocol: str = Field(min_length=1, description="Kind of store, as fsspec names it: s3, abfs, gcs, file.")
    folder: str = Field(min_length=1, description="Bucket and folder in the store that keep the backups.")
    machine: str = Field(min_length=1, description="Name of the store's server or region, to tell it apart.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec is told besides, such as time-outs; no secrets."
    )
    hidden_options: dict[str, SecretReference] = Field(
        default_factory=dict, description="Options that are secret: where each lies, env:NAME or file:path."
    )
    direct: bool = Field(
        default=False,
        description="Whether the store shows an object only when it is whole; if not, it is renamed then.",
    )

    def server(self) -> str:
        """The store's server."""
        return self.machine

    def store(self, name: str, blocks: Iterable[bytes]) -> int:
        """Keep a file, as `Site.store` says."""
        final = self._path(checked(name))
        fs = self._open_store()
        with speaking(self._site, f"keeping {name}"):
            fs.makedirs(final.rpartition("/")[0], exist_ok=True)
            if self.direct:
                size = self._store_direct(fs, final, blocks)
            else:
                size = self._store_renamed(fs, final, blocks)
            held = fs.size(final)
        if held != size:
            raise SiteKeptLess(site=self._site, name=name, held=held, sent=size)
        return size

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, as `Site.read` says."""
        path = self._path(checked_any(name))
        fs = self._open_store()
        with speaking(self._site, f"reading {name}"):
            try:
                file = fs.open(path, "rb", block_size=4 * BLOCK_BYTES, cache_type="readahead")
            except (FileNotFoundError, NotADirectoryError) as error:
                raise FileGone(name=name, site=self._site) from error
            with file:
                while block := file.read(BLOCK_BYTES):
                    yield bytes(block)

    def files(self, folder: str = "") -> dict[str, int]:
        """Every file with its size, as `Site.files` says."""
        root = self._path(checked_folder(folder))
        fs = self._open_store()
        with speaking(self._site, "listing"):
            fs.invalidate_cache()
            if not fs.exists(root):
                return {}
            found = fs.find(root, detail=True)
        base = str(fs._strip_protocol(self.folder)).rstrip("/") + "/"  # noqa: SLF001 - fsspec's own way to a plain path
        return {path.removeprefix(base): int(entry["size"] or 0) for path, entry in found.items()}

    def remove(self, name: str) -> bool:
        """Remove a file, as `Site.remove` says."""
        path = self._path(checked_any(name))
        fs = self._open_store()
        with speaking(self._site, f"removing {name}"):
            fs.invalidate_cache()
            if not fs.exists(path):
                return False
            fs.rm_file(path)
            self._remove_empty(fs, name)
            return True

    def free(self) -> int | None:
        """An object store cannot say."""
        return None

    def check(self) -> tuple[str, ...]:
        """Write, read back and remove a file; returns what was found, one sentence each.

        Raises:
            NakomingError: the first thing that is wrong.
        """
        name = name_to_try()
        self.store(name, [b"x"])
        list(self.read(name))
        self.remove(name)
        return (f"{self._site} can be written and read.",)

    @property
    def _site(self) -> str:
        return f"{self.machine}:{self.folder}"

    def _path(self, name: str) -> str:
        return f"{self.folder.rstrip('/')}/{name}".rstrip("/")

    def _open_store(self) -> Any:
        import fsspec  # here: most flows need none of it

        hidden = {name: resolve(reference) for name, reference in self.hidden_options.items()}
        try:
            return fsspec.filesystem(self.protocol, **self.options, **hidden)
        except (ImportError, ValueError, TypeError) as error:
            allowed = "a protocol of fsspec whose package is installed, and its options"
            raise SiteSettingInvalid(reason=str(error).rstrip("."), allowed=allowed) from error

    def _store_renamed(self, fs: Any, final: str, blocks: Iterable[bytes]) -> int:
        part = final + PART
        try:
            with fs.open(part, "wb") as file:
                size = _copy(file, blocks)
                _make_durable(file)
            if fs.exists(final):
                fs.rm_file(final)
            fs.mv(part, final)
        except BaseException:
            with suppress(OSError):
                fs.rm_file(part)
            raise
        return size

    def _store_direct(self, fs: Any, final: str, blocks: Iterable[bytes]) -> int:
        file = fs.open(final, "wb", autocommit=False)
        try:
            size = _copy(file, blocks)
            file.close()
            file.commit()
        except BaseException:
            with suppress(OSError):
                file.discard()
            raise
        return size

    def _remove_empty(self, fs: Any, name: str) -> None:
        # Stores without folders have none to remove, and say so.
        folder = name.rpartition("/")[0]
        with suppress(OSError, NotImplementedError):
            while folder and not fs.ls(self._path(folder), detail=False):
                fs.rmdir(self._path(folder))
                folder = folder.rpartition("/")[0]


def _copy(file: Any, blocks: Iterable[bytes]) -> int:
    size = 0
    for block in blocks:
        written = file.write(block)
        if written is not None and written != len(block):
            msg = f"{written} of {len(block)} bytes were taken"
            raise OSError(msg)
        size += len(block)
    return size


def _make_durable(file: Any) -> None:
    # Only files of this machine have a number; a store answers for its own durability.
    file.flush()
    try:
        number = file.fileno()
    except (OSError, AttributeError):
        return
    os.fsync(number)
