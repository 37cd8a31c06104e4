"""The embedded system beside a program: the one that runs already, or one that ends with the program."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployments.embedded import system
from deployments.embedded.errors import SystemNotStartedError
from deployments.embedded.home import HOUSE, Home, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from deployments.embedded.options import Options
    from deployments.embedded.system import System
    from nakoming.settings import Settings

ASK_AGAIN_SECONDS = 0.1
END_SECONDS = 40.0


@contextmanager
def started(settings: Settings, options: Options) -> Iterator[System]:
    """Use the system that runs in this home, or start one for the length of the block.

    Its supervisor holds our end of a pipe: it also ends in good order when we are killed.

    Raises:
        SystemNotStartedError: the supervisor's own sentence went to standard error.
    """
    found = system.running(settings)
    if found is not None:
        yield found
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "deployments.embedded"],
        stdin=subprocess.PIPE,
        cwd=HOUSE,
        env=environment(Home.of(settings), settings, options),
        start_new_session=True,  # Ctrl-C is for us, and then we end it
    )
    try:
        yield _ready(process, settings)
    finally:
        _end(process)


@contextmanager
def noting_interrupts() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C besides raising it; gives whether there was one.

    Python drops an exception that is raised while an object is being destroyed: a Ctrl-C in that instant
    would be lost.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, before)


def stay(described: System, interrupted: Callable[[], bool]) -> None:
    """Return when the system has ended, or at Ctrl-C, also one that came before."""
    try:
        while not interrupted() and system.running(described.settings) is not None:
            time.sleep(ASK_AGAIN_SECONDS)
    except KeyboardInterrupt:
        return


def _ready(process: subprocess.Popen[bytes], settings: Settings) -> System:
    while (found := system.running(settings)) is None or found.pid != process.pid:
        if process.poll() is not None:
            raise SystemNotStartedError
        time.sleep(ASK_AGAIN_SECONDS)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its watchman ends the rest
        process.wait()
