"""What is done over one SSH connection: commands that die with it, files compared after they were sent."""

from __future__ import annotations

import hashlib
import secrets as random_source
import shlex
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import paramiko

from blocks.command_result import (
    CommandMissing,
    CommandNotExecutable,
    CommandResult,
    WorkingFolderMissing,
)
from blocks.kept_output import KeptOutput
from blocks.ssh_errors import (
    EnvironmentRefused,
    RemoteFileDiffers,
    RemoteFileMissing,
    RemoteShellRefused,
    SshConnectionLost,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from nakoming.errors import NakomingError

_WATCH: Final = Path(__file__).with_name("ssh_watch.sh")
_BEAT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 30  # without a beat for so long, the far side ends the command by itself
_MARGIN_SECONDS: Final = 10.0
_QUIET_SECONDS: Final = 1.0  # after the exit status: a daemon that kept the output open never closes it
_READ_SIZE: Final = 1 << 16
_CODES_BEFORE_START: Final = range(41, 45)


class SshSession:
    """An open connection; made by `blocks.ssh_connect.connect`.

    Args:
        transport: the connection, logged in.
        host: name and port for messages.
        port: see host.
    """

    def __init__(self, transport: paramiko.Transport, host: str, port: int) -> None:
        self._transport = transport
        self._host = host
        self._port = port

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: timedelta,
        env: Mapping[str, str],
        cwd: str,
        output_limit: int,
        grace: timedelta,
        secrets: Collection[str],
    ) -> CommandResult:
        """Run a command there; it is ended there when its time is up or this connection is gone.

        Raises:
            CommandMissing: there is no such program there; nothing has happened.
            CommandNotExecutable: it cannot be run; nothing has happened.
            WorkingFolderMissing: there is no such folder there; nothing has happened.
            SshConnectionLost: what the command did is in doubt.
        """
        mark = random_source.token_hex(16)
        words = [mark, str(max(1, round(grace.total_seconds()))), str(_SILENCE_SECONDS), cwd, *argv]
        begun = time.monotonic()
        reading = _Reading(mark.encode() + b"\n", KeptOutput(output_limit, secrets))
        try:
            channel = self._transport.open_session(timeout=_MARGIN_SECONDS)
            with channel:
                channel.set_combine_stderr(True)
                channel.exec_command(
                    shlex.join(["sh", "-c", _WATCH.read_text(encoding="utf-8"), "sh", *words])
                )
                channel.sendall(_variables(env, self._host))
                timed_out = _follow(channel, reading, begun + timeout.total_seconds(), grace)
                exit_code = channel.recv_exit_status() if channel.exit_status_ready() else -1
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost(argv[0]) from error
        if not reading.started:
            raise self._not_started(argv[0], cwd, exit_code, reading.text())
        if exit_code < 0:
            raise self._lost(argv[0])
        return CommandResult(
            program=argv[0],
            exit_code=exit_code,
            output=reading.text(),
            duration=timedelta(seconds=time.monotonic() - begun),
            timed_out=timed_out,
            limit=timeout,
        )

    def put(self, source: Path, remote: str) -> str:
        """Send a file, read it back, and give it its name only when both are equal; returns its SHA-256.

        Raises:
            RemoteFileDiffers: what was read back is something else; the file does not get its name.
            RemoteFileMissing: it cannot be written there.
        """
        part = f"{remote}.{random_source.token_hex(8)}.part"
        with self._sftp(remote, "written") as sftp:
            with source.open("rb") as content:
                expected = hashlib.file_digest(content, "sha256").hexdigest()
                content.seek(0)
                sftp.putfo(content, part, confirm=False)
            got = _remote_digest(sftp, part)
            if got != expected:
                sftp.remove(part)
                raise RemoteFileDiffers(path=remote, host=self._host, got=got, expected=expected)
            sftp.posix_rename(part, remote)
        return expected

    def make_folder(self, remote: str) -> None:
        """Make a folder there unless it is there."""
        with self._sftp(remote, "made") as sftp:
            try:
                sftp.stat(remote)
            except FileNotFoundError:
                sftp.mkdir(remote, 0o700)

    def sha256(self, remote: str) -> str:
        """Return the SHA-256 of a file there, as hexadecimal.

        Raises:
            RemoteFileMissing: it cannot be read.
        """
        with self._sftp(remote, "read") as sftp:
            return _remote_digest(sftp, remote)

    @contextmanager
    def files(self, answer_within: timedelta) -> Iterator[paramiko.SFTPClient]:
        """Open a client for files; its errors are the caller's to read.

        Args:
            answer_within: how long each answer may take.

        Raises:
            SshConnectionLost: the connection is gone, or the account has no SFTP.
        """
        try:
            client = paramiko.SFTPClient.from_transport(self._transport)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost("the opening of SFTP") from error
        if client is None:
            raise self._lost("the opening of SFTP")
        with client:
            channel = client.get_channel()
            if channel is not None:
                channel.settimeout(answer_within.total_seconds())
            yield client

    def open_channel(self, window_bytes: int) -> paramiko.Channel:
        """Open a bare channel, for what speaks its own protocol over it.

        Args:
            window_bytes: how much the other side may send before it is read.

        Raises:
            SshConnectionLost: the connection is gone.
        """
        try:
            return self._transport.open_session(window_size=window_bytes, timeout=_MARGIN_SECONDS)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost("the opening of a channel") from error

    @contextmanager
    def _sftp(self, path: str, done: str) -> Iterator[paramiko.SFTPClient]:
        try:
            client = paramiko.SFTPClient.from_transport(self._transport)
            if client is None:
                raise self._lost(path)
            with client:
                yield client
        except (EOFError, paramiko.SSHException) as error:
            raise self._lost(f"a transfer of {path}") from error
        except OSError as error:
            raise RemoteFileMissing(
                path=path, host=self._host, done=done, reason=error.strerror or str(error)
            ) from error

    def _lost(self, what: str) -> SshConnectionLost:
        return SshConnectionLost(host=self._host, port=self._port, what=what)

    def _not_started(self, program: str, cwd: str, exit_code: int, output: str) -> NakomingError:
        where = f" on {self._host}"
        if exit_code not in _CODES_BEFORE_START:
            if exit_code < 0:
                return self._lost(program)
            return RemoteShellRefused(
                host=self._host, what=program, exit_code=exit_code, output=output.strip()[-500:]
            )
        answers: dict[int, NakomingError] = {
            41: CommandMissing(program=program, where=where),
            42: CommandNotExecutable(program=program, where=where, reason="it is no executable file"),
            43: WorkingFolderMissing(program=program, folder=cwd, where=where),
            44: CommandMissing(program="setsid or timeout", where=where),
        }
        return answers[exit_code]


class _Reading:
    """Output from the mark on; a login shell may have said things before it."""

    def __init__(self, mark: bytes, kept: KeptOutput) -> None:
        self.started = False
        self._mark = mark
        self._before = b""
        self._kept = kept

    def feed(self, chunk: bytes) -> None:
        if self.started:
            self._kept.feed(chunk)
            return
        self._before = (self._before + chunk)[-_READ_SIZE * 2 :]
        _, mark, rest = self._before.partition(self._mark)
        if mark:
            self.started = True
            self._kept.feed(rest)

    def text(self) -> str:
        return self._kept.text() if self.started else self._before.decode(errors="backslashreplace")


def _variables(env: Mapping[str, str], host: str) -> bytes:
    for name, value in env.items():
        if not name.isidentifier() or not name.isascii() or any(sign in value for sign in "\n\r\0"):
            raise EnvironmentRefused(name=name, host=host)
    return "".join(f"{name}={value}\n" for name, value in env.items()).encode() + b"\n"


def _follow(channel: paramiko.Channel, reading: _Reading, until: float, grace: timedelta) -> bool:
    # Reads to the end and sends beats; returns whether the time was up.
    channel.settimeout(0.2)
    if _read_until(channel, reading, until, _BEAT_SECONDS):
        return False
    channel.shutdown_write()
    if not _read_until(channel, reading, time.monotonic() + grace.total_seconds() + _MARGIN_SECONDS, None):
        raise EOFError  # the far side does not answer any more
    return True


def _read_until(
    channel: paramiko.Channel, reading: _Reading, until: float, beat_seconds: float | None
) -> bool:
    # Returns whether the command ended by then.
    last_beat = last_data = time.monotonic()
    while (now := time.monotonic()) < until or channel.exit_status_ready():
        chunk = _receive(channel)
        if chunk == b"":
            # The output may end before the status comes; a broken connection counts as a status too.
            return channel.status_event.wait(max(0.0, until - now))
        if chunk:
            last_data = now
            reading.feed(chunk)
        elif channel.exit_status_ready() and now - last_data > _QUIET_SECONDS:
            return True
        if beat_seconds is not None and now - last_beat > beat_seconds:
            channel.sendall(b"\n")
            last_beat = now
    return False


def _receive(channel: paramiko.Channel) -> bytes | None:
    try:
        return channel.recv(_READ_SIZE)
    except TimeoutError:
        return None


def _remote_digest(sftp: paramiko.SFTPClient, remote: str) -> str:
    digest = hashlib.sha256()
    with sftp.open(remote, "rb") as file:
        file.prefetch()
        while chunk := file.read(1 << 18):
            digest.update(chunk)
    return digest.hexdigest()
