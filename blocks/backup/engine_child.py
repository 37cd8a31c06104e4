"""A program of the engine's own (pg_dump, pg_restore) or ours, as a child that never outlives us."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from typing import IO, TYPE_CHECKING, Final, Self

from blocks.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_PIPE_BYTES: Final = 1024 * 1024
_WORDS_KEPT: Final = 64 * 1024
_END_SECONDS: Final = 10.0


class Silent(Exception):  # its callers make the sentence of it
    """The child gave nothing for so long."""


class EngineChild:
    """A running child; one of its ends is a pipe of ours, what it complains about is kept in memory.

    It is killed when the block ends, and by the kernel when the thread that began it is gone; without a
    parent-death signal (no `setpriv`) it still ends at its next byte, for nobody holds the pipe's other end.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], *, takes: bool = False, also: Sequence[int] = ()
    ) -> None:
        """Begin it.

        Args:
            argv: the program, by its path, and its words; nothing secret, all users can see them.
            env: its whole environment.
            takes: we write into it; otherwise we read from it.
            also: descriptors it inherits.
        """
        # Memory, not a file: a server's complaint may quote a customer's row.
        self._complaints: IO[bytes] = _memory_file()
        self._ours = subprocess.PIPE
        self.process = subprocess.Popen(
            [*_lifeline(), *argv],
            stdin=subprocess.PIPE if takes else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if takes else subprocess.PIPE,
            stderr=self._complaints,
            env=dict(env),
            cwd="/",
            bufsize=0,
            pass_fds=also,
        )
        pipe = self.process.stdin if takes else self.process.stdout
        assert pipe is not None  # noqa: S101 (asked for above; said for the type checker)
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN)
        with suppress(OSError, AttributeError):  # smaller pipes are slower, and right
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def __enter__(self) -> Self:
        """Nothing more: it runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill what still runs, and wait for it."""
        if self.process.poll() is None:
            self.process.kill()
        with suppress(OSError):  # unsent bytes for a child that is gone
            self._pipe.close()
        self.process.wait(_END_SECONDS)
        self._complaints.close()

    def read(self, size: int, within: float) -> bytes:
        """The next bytes it gives; empty when it closed its end.

        Raises:
            Silent: it gave nothing within so many seconds.
        """
        if not self._poll.poll(within * 1000):
            raise Silent
        return os.read(self._pipe.fileno(), size)

    def write(self, block: bytes) -> None:
        """Give it all of a block.

        Raises:
            BrokenPipeError: it ended.
        """
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._pipe.fileno(), rest) :]

    def end(self, within: float) -> int:
        """Close our end and wait; its exit code, negative for the signal that ended it.

        Raises:
            Silent: it did not end within so many seconds.
        """
        with suppress(BrokenPipeError):
            self._pipe.close()
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired as error:
            raise Silent from error

    def complaint(self) -> str:
        """What it said was wrong, in one line, without secrets and without a row's own values."""
        size = os.fstat(self._complaints.fileno()).st_size
        kept = os.pread(self._complaints.fileno(), _WORDS_KEPT, max(0, size - _WORDS_KEPT))
        lines = [line.strip() for line in kept.decode(errors="replace").splitlines()]
        errors = [line for line in lines if any(mark in line for mark in ("error:", "fatal:", "FATAL:"))]
        told = " ".join(errors[:3]) or (lines[-1] if lines else "")
        return redacted(told or "it said nothing")

    def verdict(self, code: int) -> str:
        """How it ended, and its complaint."""
        ended = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        return f"{ended}: {self.complaint()}"


def clean_environment(**own: str) -> dict[str, str]:
    """The few variables a child needs, and its own; no PG* of ours reaches it."""
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    return kept | {"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | own


@cache
def _lifeline() -> tuple[str, ...]:
    # A function between fork and exec would be unsafe: we have threads. This program becomes the child.
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig=KILL") if setpriv else ()


def _memory_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("complaints"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)
