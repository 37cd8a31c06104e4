"""Decides where a process dies, notes it, and kills it: SIGKILL, to itself, at that very instant."""

from __future__ import annotations

import json
import os
import signal
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.faults.boundaries import AFTER, BEFORE, COMMAND, DURING, INTENT, OUTCOME, SERVER, Boundary

if TYPE_CHECKING:
    from pathlib import Path

Mode = Literal["none", "once", "both"]
"""No cut at all; each boundary in one of its phases; each in all of them."""


@dataclass(frozen=True)
class Journal:
    """What the processes of a play passed and where they were cut: JSON lines, outside of every database."""

    path: Path

    def note(self, event: str, process: str, boundary: Boundary, phase: str = "") -> None:
        """Append a line; a killed process loses nothing of it."""
        named = {"kind": boundary.kind, "name": boundary.name, "phase": phase}
        self._append({"event": event, "process": process, **named, "pid": os.getpid()})

    def _append(self, line: dict[str, Any]) -> None:
        line |= {"at": time.monotonic(), "cpu": time.process_time()}  # one clock for all processes
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)

    def note_death(self, process: str, pid: int | None, status: int) -> None:
        """Append what the one that started a process saw of its end."""
        self._append({"event": "died", "process": process, "pid": pid, "status": status})

    def lines(self) -> list[dict[str, Any]]:
        """All lines, in the order in which they were written."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


@dataclass
class Cutter:
    """Kills this process at the first boundary that was not cut before.

    Attributes:
        journal: of the play.
        process: the name of this kind of process.
        mode: which phases of a boundary are cut.
        only: cut only boundaries whose names begin so; empty: all.
        spared: what an earlier play has cut, with the process first.
    """

    journal: Journal
    process: str
    mode: Mode
    only: tuple[str, ...] = ()
    spared: frozenset[tuple[str, str, str, str]] = frozenset()
    _cut: set[tuple[str, str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._cut = {
            (line["kind"], line["name"], line["phase"])
            for line in self.journal.lines()
            if line["event"] == "cut" and line["process"] == self.process
        }

    def at(self, boundary: Boundary, phase: str) -> None:
        """Note what was passed; die here when it is this boundary's turn."""
        if self._is_wanted(boundary, phase):
            self.journal.note("cut", self.process, boundary, phase)
            os.kill(os.getpid(), signal.SIGKILL)
        if phase in phases(boundary, "both"):
            self.journal.note("passed", self.process, boundary, phase)

    def _is_wanted(self, boundary: Boundary, phase: str) -> bool:
        if phase not in phases(boundary, self.mode) or (*boundary, phase) in self._cut:
            return False
        if (self.process, *boundary, phase) in self.spared:
            return False
        return not self.only or boundary.name.startswith(self.only)


def phases(boundary: Boundary, mode: Mode) -> tuple[str, ...]:
    """Where a boundary is cut; of its two sides once the more dangerous one, or else either by its name."""
    if mode == "none":
        return ()
    only = {SERVER: AFTER, COMMAND: DURING}.get(boundary.kind)
    if only is not None:
        return (only,)
    if mode == "both":
        return (BEFORE, AFTER)
    # An intent: nothing was done, and it must be thought possible. An outcome: all was done, known to nobody.
    either = (BEFORE, AFTER)[zlib.crc32("/".join(boundary).encode()) % 2]
    return ({INTENT: AFTER, OUTCOME: BEFORE}.get(boundary.kind, either),)
