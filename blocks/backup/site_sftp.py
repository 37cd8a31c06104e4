"""A site on another server, reached over SFTP with a pinned host key."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from prefect.blocks.core import Block
from pydantic import AfterValidator, Field, PrivateAttr

from blocks.backup.errors import SiteError, SiteUnreachable
from blocks.backup.site_errors import SiteKeptLess, SiteSettingInvalid
from blocks.backup.site_names import PART, checked, checked_any, checked_folder, name_to_try
from blocks.ssh_address import SshAddress
from blocks.ssh_errors import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from blocks.backup.sftp_client import SftpClient
    from blocks.backup.sftp_pool import SftpPool

_NO_SUCH_FILE: Final = 2


def _checked_root(given: str) -> str:
    if not given or not given.isprintable() or ".." in given.split("/"):
        raise SiteSettingInvalid(reason=f"{given!r} is no folder", allowed="a path without ..")
    return given.rstrip("/") or "/"


class SftpSite(SshAddress, Block):
    """A folder on another server, reached over SFTP, that keeps backups.

    Connections are kept for a minute and used again. Every answer of the server has a time-out.

    Example:
        List what a stored site holds:
        ```python
        from blocks.backup.site_sftp import SftpSite

        site = SftpSite.load("BLOCK_NAME")
        site.files()
        ```
    """

    _block_type_name = "Backup SFTP Site"
    _block_type_slug = "backup-sftp-site"

    folder: Annotated[str, AfterValidator(_checked_root)] = Field(
        description="Folder there that keeps the backups; it must be there."
    )
    answer_timeout: timedelta = Field(
        default=timedelta(seconds=60), gt=timedelta(0), description="How long each answer of it may take."
    )
    _pool: "SftpPool | None" = PrivateAttr(default=None)

    def server(self) -> str:
        """The machine, told apart by its key too: two names of one machine show the same key."""
        return f"{self.host} {fingerprint(self.host_key)}"

    def store(self, name: str, blocks: Iterable[bytes]) -> int:
        """Keep a file, as `Site.store` says.

        SFTP has no request that makes a folder durable; the rename is as durable as the server makes it.
        """
        final = self._path(checked(name))
        part = final + PART
        try:
            with self._client(f"keeping {name}") as client:
                self._make_folders(client, name)
                sent, held = client.write(part, blocks)
                if sent == held:
                    client.rename(part, final)
                    held = client.size(final)
        except SiteUnreachable:
            raise
        except BaseException:
            self._leave_nothing(part)
            raise
        if held != sent:
            raise SiteKeptLess(site=self._site, name=name, held=held, sent=sent)
        return sent

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, as `Site.read` says."""
        path = self._path(checked_any(name))
        with self._client(f"reading {name}", name) as client:
            yield from client.read(path)

    def files(self, folder: str = "") -> dict[str, int]:
        """Every file with its size, as `Site.files` says."""
        found: dict[str, int] = {}
        with self._client("listing") as client:
            folders = [checked_folder(folder)]
            while folders:
                at = folders.pop()
                for each, is_folder, size in self._listing(client, at):
                    path = f"{at}/{each}".lstrip("/")
                    if is_folder:
                        folders.append(path)
                    else:
                        found[path] = size
        return found

    def remove(self, name: str) -> bool:
        """Remove a file, as `Site.remove` says."""
        from blocks.backup.sftp_packets import SftpStatus  # with paramiko, which is heavy

        with self._client(f"removing {name}") as client:
            try:
                client.remove(self._path(checked_any(name)))
            except SftpStatus as said:
                if said.status == _NO_SUCH_FILE:
                    return False
                raise
            with suppress(SftpStatus):  # a folder that is not empty stays
                for folder in reversed(_folders(name)):
                    client.remove_folder(self._path(folder))
        return True

    def free(self) -> int | None:
        """Bytes that are free for us, where the server can say."""
        with self._client("asking for free space") as client:
            room = client.room(self.folder)
        return None if room is None else room.free_bytes

    def check(self) -> tuple[str, ...]:
        """Write, read back and remove a file; returns what was found, one sentence each.

        Raises:
            BackupError: the first thing that is wrong.
        """
        name = name_to_try()
        self.store(name, [b"x"])
        list(self.read(name))
        self.remove(name)
        return (
            f"{self.host}:{self.port} shows the pinned key {fingerprint(self.host_key)}.",
            f"{self.username} can write {self.folder} there.",
        )

    def close(self) -> None:
        """End the connections that are kept."""
        if self._pool is not None:
            self._pool.close()

    @property
    def _site(self) -> str:
        return f"{self.host}:{self.port}:{self.folder}"

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}" if name else self.folder

    def _client(self, doing: str, name: str = "") -> AbstractContextManager[SftpClient]:
        from blocks.backup.sftp_pool import SftpPool  # here: paramiko takes a third of a second

        if self._pool is None:
            self._pool = SftpPool()
        return self._pool.client(self, self._site, doing, name)

    def _make_folders(self, client: SftpClient, name: str) -> None:
        from blocks.backup.sftp_packets import SftpStatus

        missing = []
        for folder in reversed(_folders(name)):
            if client.has(self._path(folder)):
                break
            missing.append(folder)
        for folder in reversed(missing):
            try:
                client.make_folder(self._path(folder))
            except SftpStatus:
                if not client.has(self._path(folder)):  # else another part of the set was first
                    raise

    def _listing(self, client: SftpClient, folder: str) -> list[tuple[str, bool, int]]:
        from blocks.backup.sftp_packets import SftpStatus

        try:
            return client.listing(self._path(folder))
        except SftpStatus as said:
            if folder and said.status == _NO_SUCH_FILE:
                return []
            raise

    def _leave_nothing(self, part: str) -> None:
        # What stays when this fails too is replaced by the next attempt.
        with suppress(SiteError), self._client("clearing up") as client:
            client.remove(part)


def _folders(name: str) -> list[str]:
    words = name.split("/")[:-1]
    return ["/".join(words[: count + 1]) for count in range(len(words))]
