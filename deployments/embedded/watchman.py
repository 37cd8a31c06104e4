"""Ends every process of a system whose supervisor is gone.

`python -m deployments.embedded.watchman MARK DEMO`, DEMO being the folder of the demo's environments.

Standard input is the lifeline: nothing is ever written to it, and its end means that the supervisor has ended
or was killed. Whatever carries the mark in its environment is then asked to end, and killed after the grace;
so are flow runs and others that a service started and lost, and the demo's Suites, which carry no mark.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from deployments.embedded.home import MARK
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE_SECONDS = 8.0
LOOK_AGAIN_SECONDS = 0.05
FOR_EVER = float("inf")


def marked(matches: Callable[[str], bool]) -> list[psutil.Process]:
    """The living processes of this user whose mark matches; ourselves left out."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            if mark and matches(mark) and process.pid != os.getpid() and _lives(process):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it ended meanwhile, or belongs to another user and so is none of ours
    return found


def end_all(matches: Callable[[str], bool], grace_seconds: float = GRACE_SECONDS) -> None:
    """End them in good order, and by force after the grace; returns when none is left."""
    kill_at = time.monotonic() + grace_seconds
    asked: set[int] = set()
    while processes := marked(matches):
        by_force = time.monotonic() > kill_at
        for process in processes:
            if by_force or process.pid not in asked:
                asked.add(process.pid)
                _send(process, signal.SIGKILL if by_force else signal.SIGTERM)
        time.sleep(LOOK_AGAIN_SECONDS)


def end_left_over(home: Path) -> None:
    """End what an earlier system of this home left, whoever was killed first."""
    end_all(lambda mark: mark.partition(":")[2] == str(home))


def stop_suites(demo: Path) -> None:
    """Stop the demo's environments; what is installed stays."""
    if not (demo / "environments").is_dir():
        return
    from demo.environments import stop_all  # only where there are any

    with suppress(NakomingError):  # each says so in its own log; the others are stopped
        stop_all(demo)


def _lives(process: psutil.Process) -> bool:
    return bool(process.status() != psutil.STATUS_ZOMBIE)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def main() -> int:
    """Wait for the end of the lifeline, then end the rest."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The watchman is marked too, so that an earlier one is ended; the mark is this run's.
    mark = sys.argv[1]
    while os.read(0, 1):
        pass
    end_all(lambda found: found == mark)
    stop_suites(Path(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
