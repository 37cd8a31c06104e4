"""Connections to a site over SFTP, kept for a while, and what their errors mean."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import paramiko

from blocks.backup.errors import (
    FileGone,
    SiteError,
    SiteFailed,
    SiteFull,
    SiteReadOnly,
    SiteUnreachable,
)
from blocks.backup.sftp_client import SftpClient
from blocks.backup.sftp_packets import (
    FAILURE,
    NO_SPACE,
    NO_SUCH_FILE,
    PERMISSION_DENIED,
    QUOTA,
    WRITE_PROTECT,
    SftpBroken,
    SftpStatus,
)
from blocks.backup.site_errors import SiteKeyChanged, SiteLoginRefused
from blocks.ssh_errors import (
    HostKeyChanged,
    SshConnectionLost,
    SshKeyInvalid,
    SshLoginRefused,
    SshUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blocks.backup.site_sftp import SftpSite

_KEEP_SECONDS: Final = 60.0
_WINDOW_BYTES: Final = 1 << 22
_NO_ROOM_BYTES: Final = 1 << 20
_BROKEN: Final = (SftpBroken, SshConnectionLost, SshUnreachable, OSError, EOFError, paramiko.SSHException)
_KINDS: Final[dict[type[Exception], type[SiteError]]] = {
    HostKeyChanged: SiteKeyChanged,
    SshLoginRefused: SiteLoginRefused,
    SshKeyInvalid: SiteLoginRefused,
}
_STATUSES: Final[dict[int, type[SiteError]]] = {
    PERMISSION_DENIED: SiteReadOnly,
    WRITE_PROTECT: SiteReadOnly,
    NO_SPACE: SiteFull,
    QUOTA: SiteFull,
}
_ERRORS: Final = (*_BROKEN, SftpStatus, HostKeyChanged, SshLoginRefused, SshKeyInvalid)


class SftpPool:
    """The connections of one site that nobody uses just now; a copy of it starts with none."""

    def __init__(self) -> None:
        self._idle: list[tuple[float, ExitStack, SftpClient]] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[SftpPool], tuple[()]]:
        """Blocks are copied and sent to other processes; connections are not."""
        return SftpPool, ()

    @contextmanager
    def client(self, site: SftpSite, where: str, doing: str, name: str) -> Iterator[SftpClient]:
        """A connection for the block; kept only when all went well, for else something is still to come.

        Raises:
            SiteError: what went wrong, by its meaning.
        """
        client: SftpClient | None = None
        with ExitStack() as stack:
            try:
                client = self._kept(stack) or _opened(site, stack)
                yield client
            except _ERRORS as error:
                raise _meaning(error, site, client, where=where, doing=doing, name=name) from error
            with self._lock:
                self._idle.append((time.monotonic(), stack.pop_all(), client))

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, stack, _ in idle:
            stack.close()

    def _kept(self, stack: ExitStack) -> SftpClient | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, kept, client = self._idle.pop()
            if time.monotonic() - since < _KEEP_SECONDS:
                with suppress(*_ERRORS):
                    client.ping()
                    stack.push(kept)
                    return client
            kept.close()


def _opened(site: SftpSite, stack: ExitStack) -> SftpClient:
    session = stack.enter_context(site.session())
    channel = session.open_channel(_WINDOW_BYTES)
    client = SftpClient(channel, site.answer_timeout.total_seconds())
    stack.callback(client.close)
    return client


def _meaning(
    error: Exception, site: SftpSite, client: SftpClient | None, *, where: str, doing: str, name: str
) -> SiteError:
    if isinstance(error, SftpStatus) and error.status == NO_SUCH_FILE and name:
        return FileGone(name=name, site=where)
    kind = next((kind for given, kind in _KINDS.items() if isinstance(error, given)), SiteUnreachable)
    if isinstance(error, SftpStatus):
        kind = _STATUSES.get(error.status, SiteFailed)
        if error.status == FAILURE and client is not None:
            kind = _asked_why(client, site.folder)
    return kind(site=where, doing=doing, reason=_said(error))


def _asked_why(client: SftpClient, folder: str) -> type[SiteError]:
    # OpenSSH says "failure" for a full and for a read-only disk alike; what the disk says tells which.
    try:
        room = client.room(folder)
    except _ERRORS:
        return SiteFailed
    if room is not None and room.read_only:
        return SiteReadOnly
    if room is not None and room.free_bytes < _NO_ROOM_BYTES:
        return SiteFull
    return SiteFailed


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, EOFError):
        return "the connection was closed"
    return str(error).rstrip(".") or type(error).__name__
