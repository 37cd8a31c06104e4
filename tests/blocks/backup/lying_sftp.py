"""An SFTP server of paramiko's in this process that does something else than it says."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import SFTPAttributes
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_EOF, SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK

from blocks.backup.site_sftp import SftpSite

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_SECONDS = 20.0
_KEY = paramiko.ECDSAKey.generate()


@dataclass
class Liar:
    """What the server does; changed while it runs.

    Attributes:
        root: the folder that it keeps files in.
        lie: what it does; "" is the truth. See `LIES` and `HANGS`.
        place: of the byte it is about.
        only: files whose names end so; every other is treated well.
    """

    root: Path
    lie: str = ""
    place: int = 70_000
    only: str = ""
    port: int = 0
    hangs: threading.Event = field(default_factory=threading.Event)
    older: dict[str, bytes] = field(default_factory=dict)
    pretended: dict[str, int] = field(default_factory=dict)

    def tells(self, lie: str, path: str = "") -> bool:
        """Whether this is what it does to this file now."""
        return self.lie == lie and path.removesuffix(".part").endswith(self.only)

    def hang(self, lie: str) -> None:
        """Do nothing for long, when it hangs here."""
        if self.lie == lie:
            self.hangs.wait(HANG_SECONDS)

    def site(self, **changes: object) -> SftpSite:
        """The block that reaches it."""
        given: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": "backup",
            "host_key": f"{_KEY.get_name()} {_KEY.get_base64()}",
            "password": "env:NAKOMING_TEST_SFTP_PASSWORD",
            "folder": str(self.root),
            "connect_timeout": 1,
            "answer_timeout": 1,
        }
        return SftpSite.model_validate(given | changes)


LIES = (
    "flips a bit on write",
    "writes less",
    "keeps nothing",
    "keeps nothing and tells a size",
    "keeps the older file",
    "gives the older file",
    "gives a flipped bit",
    "gives less",
    "gives more",
    "tells a smaller size",
    "tells a larger size",
    "loses the rename",
    "is full",
    "is full at the end",
)
HANGS = ("hangs at login", "hangs at opening", "hangs at writing", "hangs at reading", "hangs at closing")


class _Handle(paramiko.SFTPHandle):
    def __init__(self, liar: Liar, path: str, flags: int) -> None:
        super().__init__(flags)
        self._liar = liar
        self._path = path
        self._writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        thrown_away = liar.tells("keeps the older file", path) and self._writes
        path += ".thrown-away" if thrown_away else ""
        self._descriptor = os.open(path, flags | (os.O_CREAT if self._writes else 0), 0o600)
        if thrown_away:
            Path(path).unlink()

    def close(self) -> None:
        self._liar.hang("hangs at closing")
        os.close(self._descriptor)

    def read(self, offset: int, length: int) -> Any:
        self._liar.hang("hangs at reading")
        liar, path = self._liar, self._path
        if liar.tells("gives the older file", path):
            return liar.older.get(path, b"")[offset : offset + length] or SFTP_EOF
        data = bytearray(os.pread(self._descriptor, length, offset))
        size = os.fstat(self._descriptor).st_size
        if liar.tells("gives less", path):
            data = data[: max(0, size - 1 - offset)]
        if liar.tells("gives more", path) and offset + length > size and offset <= size:
            data += b"\0"
        if liar.tells("gives a flipped bit", path):
            _flip(data, min(liar.place, size - 1) - offset)
        return bytes(data) or SFTP_EOF

    def write(self, offset: int, data: Any) -> int:
        self._liar.hang("hangs at writing")
        liar, path, taken = self._liar, self._path, bytearray(data)
        end = offset + len(data)
        if liar.tells("is full", path) and end > liar.place:
            return SFTP_FAILURE
        if liar.tells("flips a bit on write", path):
            _flip(taken, (liar.place if end > liar.place else 0) - offset)
        if liar.tells("writes less", path):
            taken = taken[: len(taken) // 2]
        if liar.lie.startswith("keeps nothing") and liar.tells(liar.lie, path):
            liar.pretended[path] = max(liar.pretended.get(path, 0), end)
            return SFTP_OK
        os.pwrite(self._descriptor, taken, offset)
        return SFTP_OK

    def stat(self) -> Any:
        if self._liar.tells("is full at the end", self._path):
            return SFTP_FAILURE
        found = SFTPAttributes.from_stat(os.fstat(self._descriptor))
        return _told(self._liar, self._path, found)


def _flip(data: bytearray, at: int) -> None:
    if 0 <= at < len(data):
        data[at] ^= 0x10


def _told(liar: Liar, path: str, found: SFTPAttributes) -> SFTPAttributes:
    size = found.st_size or 0
    if liar.tells("tells a smaller size", path):
        found.st_size = size // 2
    if liar.tells("tells a larger size", path):
        found.st_size = size + 1
    if liar.tells("keeps nothing and tells a size", path):
        found.st_size = liar.pretended.get(path, liar.pretended.get(f"{path}.part", size))
    return found


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, liar: Liar) -> None:
        super().__init__(server)
        self._liar = liar

    def open(self, path: str, flags: int, attr: Any) -> Any:
        del attr
        self._liar.hang("hangs at opening")
        try:
            return _Handle(self._liar, path, flags)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def list_folder(self, path: str) -> Any:
        try:
            paths = list(Path(path).iterdir())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return [
            _told(self._liar, str(each), SFTPAttributes.from_stat(each.stat(), each.name)) for each in paths
        ]

    def stat(self, path: str) -> Any:
        if (
            self._liar.tells("keeps nothing and tells a size", path)
            and f"{path}.part" in self._liar.pretended
        ):
            found = SFTPAttributes()
            found.st_size, found.st_mode = 0, 0o100600
            return _told(self._liar, path, found)
        try:
            return _told(self._liar, path, SFTPAttributes.from_stat(Path(path).stat()))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def remove(self, path: str) -> int:
        if not self._liar.lie:  # for the day on which the older file is given instead of the newer
            with suppress(OSError):
                self._liar.older[path] = Path(path).read_bytes()
        if self._liar.tells("keeps the older file", path) or self._liar.tells("loses the rename", path):
            return SFTP_OK
        return _done(os.remove, path)

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._liar.tells("keeps the older file", newpath):
            return SFTP_OK
        if any(
            map(self._liar.tells, ("loses the rename", "keeps nothing and tells a size"), (newpath, newpath))
        ):
            return _done(os.remove, oldpath)
        return _done(os.rename, oldpath, newpath)

    def mkdir(self, path: str, attr: Any) -> int:
        del attr
        return _done(os.mkdir, path, 0o700)

    def rmdir(self, path: str) -> int:
        return _done(os.rmdir, path)


def _done(work: Any, *given: Any) -> int:
    try:
        work(*given)
    except FileNotFoundError:
        return SFTP_NO_SUCH_FILE
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno or 0)
    return SFTP_OK


class _Door(paramiko.ServerInterface):
    def __init__(self, liar: Liar) -> None:
        self._liar = liar

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        del username, password
        self._liar.hang("hangs at login")
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return OPEN_SUCCEEDED


@contextmanager
def lying(root: Path, lie: str = "") -> Iterator[Liar]:
    """Run one on a free port of the loopback while the block lasts."""
    root.mkdir(parents=True, exist_ok=True)
    os.environ["NAKOMING_TEST_SFTP_PASSWORD"] = "welcome"
    liar = Liar(root, lie)
    listener = socket.create_server(("127.0.0.1", 0))
    liar.port = listener.getsockname()[1]
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listener.accept()[0])
                transports.append(transport)
                transport.add_server_key(_KEY)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, liar)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=_Door(liar), event=threading.Event())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield liar
    finally:
        liar.hangs.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for transport in transports:
            transport.close()
        del os.environ["NAKOMING_TEST_SFTP_PASSWORD"]
