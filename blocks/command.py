"""Run a command of the vendor: no shell, bounded output, a time-out, and never longer than we live.

Used by the blocks that build, test and deploy (S-2.6.3). The command runs under `blocks.command_launcher`,
which ends it and everything it started as soon as this process dies, whatever it dies of. It may be called
from any thread. Only a process that deliberately left for a session of its own (a daemon, such as the service
just installed) outlives the command; anything else that is left when the command has ended is ended too.
"""

from __future__ import annotations

import errno
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.command_result import (
    CommandLost,
    CommandMissing,
    CommandNotExecutable,
    CommandResult,
    WorkingFolderMissing,
)
from blocks.kept_output import KeptOutput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from nakoming.errors import NakomingError

INHERITED = ("PATH", "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LOGNAME", "TMPDIR", "TZ", "USER")
DEFAULT_OUTPUT_LIMIT = 256 * 1024
DEFAULT_GRACE = timedelta(seconds=10)
_LAUNCHER = Path(__file__).with_name("command_launcher.py")
_READ_SIZE = 1 << 16
_LAST_READ = 1 << 20  # a daemon that kept our pipe may write for ever: what a pipe can hold is read, no more
_MARGIN_SECONDS = 10.0  # beyond the grace period, for the launcher to report


def run_command(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: timedelta,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output_limit: int = DEFAULT_OUTPUT_LIMIT,
    grace: timedelta = DEFAULT_GRACE,
    secrets: Collection[str] = (),
    verdict: Path | None = None,
) -> CommandResult:
    """Run a command to its end, or to its time-out, and return how it ended.

    Args:
        argv: the program and its arguments; no shell sees them. A program without a slash is sought on PATH.
        timeout: after this long every process of the command gets SIGTERM.
        env: variables given beside the few that are inherited (see `INHERITED`).
        cwd: the folder to run in; ours when left out.
        output_limit: bytes of output kept: the first half and the last half.
        grace: from SIGTERM to SIGKILL.
        secrets: texts replaced in the kept output.
        verdict: a file for the exit code (see `blocks.verdict`), written as soon as the command has ended by
            itself: also when we are killed at that instant.

    Raises:
        CommandMissing: there is no such program; nothing has happened.
        CommandNotExecutable: it cannot be run; nothing has happened.
        WorkingFolderMissing: there is no such folder; nothing has happened.
        CommandLost: the launcher was killed; what the command did is in doubt.
    """
    words = [os.fspath(word) for word in argv]
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(env or {})
    order = {
        "argv": [find_program(words[0], environment, cwd), *words[1:]],
        "env": environment,
        "cwd": _folder(words[0], cwd),
        "grace": grace.total_seconds(),
        "parent": os.getpid(),
        "verdict": os.fspath(verdict.absolute()) if verdict else None,
    }
    begun = time.monotonic()
    with _launched(order) as run:
        run.follow(begun + timeout.total_seconds(), KeptOutput(output_limit, secrets))
    if run.failure is not None:
        raise _not_started(words[0], run.failure)
    if run.exit_code is None:
        raise CommandLost(program=words[0])
    return CommandResult(
        program=words[0],
        exit_code=run.exit_code,
        output=run.output,
        duration=timedelta(seconds=time.monotonic() - begun),
        timed_out=run.timed_out,
        limit=timeout,
    )


def find_program(program: str, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """Return the absolute path of a program as `run_command` would find it.

    Raises:
        CommandMissing: there is no such program.
        WorkingFolderMissing: there is no such folder.
    """
    _folder(program, cwd)
    if "/" not in program:
        found = shutil.which(program, path=env.get("PATH", os.environ.get("PATH", os.defpath)))
        if found is None:
            raise CommandMissing(program=program, where=" on PATH")
        return os.path.abspath(found)  # noqa: PTH100 (links stay: a virtual environment's python is one)
    path = (cwd or Path()) / program
    if not path.exists():
        raise CommandMissing(program=program, where="")
    return str(path.absolute())


def _folder(program: str, cwd: Path | None) -> str:
    folder = (cwd or Path()).absolute()
    if not folder.is_dir() or not os.access(folder, os.X_OK):
        raise WorkingFolderMissing(program=program, folder=str(folder), where="")
    return str(folder)


def _not_started(program: str, number: int) -> NakomingError:
    if number == errno.ENOENT:
        reason = "the interpreter that its first line names does not exist"
    elif number == errno.ENOEXEC:
        reason = "it is neither a program nor a script whose first line names an interpreter (#!…)"
    else:
        reason = os.strerror(number)
    return CommandNotExecutable(program=program, where="", reason=reason)


class _Run:
    """One command under its launcher, seen from our side."""

    def __init__(
        self, launcher: subprocess.Popen[bytes], output_fd: int, status_fd: int, patience: float
    ) -> None:
        self.launcher = launcher
        self.output = ""
        self.timed_out = False
        self.leader: int | None = None
        self.failure: int | None = None
        self.exit_code: int | None = None
        self._output_fd = output_fd
        self._status_fd = status_fd
        self.patience = patience
        self._status = b""

    def follow(self, until: float, kept: KeptOutput) -> None:
        """Read until the launcher is done; end the command when the instant `until` (monotonic) has come."""
        poll = select.poll()
        poll.register(self._output_fd, select.POLLIN)
        poll.register(self._status_fd, select.POLLIN)
        done = False
        while not done:
            for descriptor, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000 + 1):
                if descriptor == self._status_fd:
                    done = not self._read_status()
                elif not self._read_output(kept):
                    poll.unregister(self._output_fd)
            if time.monotonic() >= until and not done:
                done = self.timed_out  # the launcher itself does not answer any more
                self.timed_out = True
                self.cut_lifeline()
                until += self.patience
        self._drain(kept)
        self.output = kept.text()

    def cut_lifeline(self) -> None:
        """Tell the launcher to end the command; harmless when it has ended."""
        if self.launcher.stdin is not None:
            with suppress(BrokenPipeError):
                self.launcher.stdin.close()

    def _read_status(self) -> bool:
        chunk = os.read(self._status_fd, 4096)
        self._status += chunk
        *lines, self._status = self._status.split(b"\n")
        for line in lines:
            word, number = line.split()
            field = {b"started": "leader", b"failed": "failure", b"ended": "exit_code"}[word]
            setattr(self, field, int(number))
        return bool(chunk)

    def _read_output(self, kept: KeptOutput) -> bytes:
        chunk = os.read(self._output_fd, _READ_SIZE)
        kept.feed(chunk)
        return chunk

    def _drain(self, kept: KeptOutput) -> None:
        os.set_blocking(self._output_fd, False)
        taken = 0
        with suppress(BlockingIOError):
            while taken < _LAST_READ and (chunk := self._read_output(kept)):
                taken += len(chunk)


@contextmanager
def _launched(order: Mapping[str, Any]) -> Iterator[_Run]:
    output_fd, output_writer = os.pipe()
    status_fd, status_writer = os.pipe()
    try:
        try:
            launcher = _spawn(output_writer, status_writer)
        finally:
            os.close(output_writer)
            os.close(status_writer)
        run = _Run(launcher, output_fd, status_fd, order["grace"] + _MARGIN_SECONDS)
        try:
            _give_order(launcher, order)
            yield run
        finally:
            _end(run)
    finally:
        os.close(output_fd)
        os.close(status_fd)


def _spawn(output_writer: int, status_writer: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", str(_LAUNCHER), str(status_writer)],
        stdin=subprocess.PIPE,
        stdout=output_writer,
        stderr=output_writer,
        pass_fds=(status_writer,),
        start_new_session=True,  # a Ctrl-C in our terminal reaches us; we decide what becomes of the command
        env={},
        bufsize=0,
    )


def _give_order(launcher: subprocess.Popen[bytes], order: Mapping[str, Any]) -> None:
    if launcher.stdin is None:
        raise CommandLost(program=order["argv"][0])
    remaining = memoryview(json.dumps(order).encode() + b"\n")
    with suppress(
        BrokenPipeError
    ):  # the launcher was killed: its status says nothing, and that is what is reported
        while remaining:
            remaining = remaining[launcher.stdin.write(remaining) :]


def _end(run: _Run) -> None:
    # Whatever the reason we leave for (an exception in this thread too), nothing may stay behind.
    run.cut_lifeline()
    try:
        run.launcher.wait(run.patience)
    except subprocess.TimeoutExpired:
        run.launcher.kill()
        run.launcher.wait()
    if run.exit_code is None and run.leader is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(run.leader, signal.SIGKILL)
