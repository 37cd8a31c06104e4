"""Instants that several processes of one machine note in one file, all by the same clock.

CLOCK_MONOTONIC is the machine's, so instants of different processes can be compared. A line is one write to a
file opened for appending, which the kernel keeps whole.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "NAKOMING_BENCH_STAMPS"


def mark(stage: str) -> None:
    """Note that this stage is reached now; nothing without the variable that names the file."""
    if VARIABLE in os.environ:
        os.write(_file(os.environ[VARIABLE], os.getpid()), f"{time.monotonic_ns()} {stage}\n".encode())


@cache
def _file(path: str, pid: int) -> int:
    """Open once a process: a forked child opens its own."""
    del pid
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


class Stamps:
    """The file, as the benchmark that reads it sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0
        path.touch()

    def forget(self) -> None:
        """Leave out all that was noted until now."""
        self._seen = self._path.stat().st_size

    def read(self) -> dict[str, float]:
        """The first instant of each stage since then, in seconds."""
        with self._path.open("rb") as file:
            file.seek(self._seen)
            lines = file.read().decode().splitlines()
        found: dict[str, float] = {}
        for line in lines:
            instant, _, stage = line.partition(" ")
            found.setdefault(stage, int(instant) / 1e9)
        return found
