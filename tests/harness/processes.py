"""Start a server for the tests, wait until it answers, and be sure that it ends."""

from __future__ import annotations

import contextlib
import pwd
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


class ServerNotStartedError(AssertionError):
    """A server the tests need did not answer; the end of its log says why."""

    def __init__(self, what: str, log: Path) -> None:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        super().__init__(f"{what} did not start; its log ends with:\n{tail}")


def free_port() -> int:
    """Return a loopback port that is free at this instant."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    answers: Callable[[], bool],
    env: Mapping[str, str],
    user: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
    within_seconds: float = 60.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block lasts; it also ends when this process is killed.

    Args:
        command: the server, in the foreground.
        log: where its output goes.
        answers: asked every 50 ms until it says yes.
        env: the whole environment of the server.
        user: whom it runs as, when that is another than we are.
        stop: the signal that ends it.
        within_seconds: how long it may take to answer, and to end.

    Raises:
        ServerNotStartedError: it ended, or did not answer in time.
    """
    with log.open("ab") as output:
        server = subprocess.Popen(
            [*setpriv("--pdeathsig=KILL", user=user), *command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
        )
    try:
        _wait(server, answers, within_seconds, " ".join(command[:3]), log)
        yield server
    finally:
        _end(server, stop, within_seconds)


def setpriv(*options: str, user: str | None) -> list[str]:
    """Return the words before a command that run it as that user; both in one step.

    The kernel forgets the parent-death signal when a process changes its user afterwards.
    """
    if user is not None:
        entry = pwd.getpwnam(user)
        options = (*options, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
    return ["setpriv", *options] if options else []


def _wait(
    server: subprocess.Popen[bytes], answers: Callable[[], bool], within_seconds: float, what: str, log: Path
) -> None:
    deadline = time.monotonic() + within_seconds
    while not answers():
        if server.poll() is not None or time.monotonic() > deadline:
            raise ServerNotStartedError(what, log)
        time.sleep(0.05)


def _end(server: subprocess.Popen[bytes], stop: signal.Signals, within_seconds: float) -> None:
    if server.poll() is None:
        server.send_signal(stop)
    try:
        server.wait(within_seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
