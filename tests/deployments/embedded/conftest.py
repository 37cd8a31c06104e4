"""The real system on free ports in a folder of the tests', started as a person starts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from deployments.embedded.home import Home
from deployments.embedded.watchman import marked
from tests.harness.processes import free_port
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

NAKOMING = str(Path(sys.executable).parent / "nakoming")
VARIABLES = ("NAKOMING_PORTAL_PORT", "NAKOMING_PREFECT_PORT", "NAKOMING_MAILBOX_PORT", "NAKOMING_SMTP_PORT")


def free_ports() -> dict[str, str]:
    """Variables that give each server a port of its own."""
    return {name: str(free_port()) for name in VARIABLES}


@dataclass
class Up:
    """A `nakoming up` of the tests."""

    home: Home
    ports: dict[str, str]
    process: subprocess.Popen[bytes]
    output: Path

    def port(self, name: str) -> int:
        """One of its ports, by the server's name in capitals."""
        return int(self.ports[f"NAKOMING_{name}_PORT"])

    @property
    def state(self) -> dict[str, Any]:
        """The state file as it is now."""
        try:
            found: dict[str, Any] = json.loads(self.home.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def services(self) -> dict[str, dict[str, Any]]:
        """Its processes by name; steps that are done are left out."""
        return {name: facts for name, facts in self.state["services"].items() if facts["pid"] is not None}

    def wait_until_ready(self) -> None:
        """Wait until everything answers; shows what it said when it ends instead."""

        def ready() -> bool:
            assert self.process.poll() is None, self.output.read_text()
            # A state file may be left of a system that was killed.
            return bool(self.state.get("ready")) and self.state["pid"] == self.process.pid

        wait_for(ready, 120)

    def living(self) -> list[str]:
        """The command lines of whatever carries the mark of this home."""
        lines = []
        for process in marked(lambda mark: mark.endswith(f":{self.home.path}")):
            with contextlib.suppress(psutil.Error):  # it ended since
                lines.append(" ".join(process.cmdline()))
        return lines


def environment(home: Path, ports: dict[str, str]) -> dict[str, str]:
    """A shell in which somebody works with a Prefect server of theirs."""
    mine = {
        "NAKOMING_HOME": str(home),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_HOME": "/nowhere",
    }
    return {**os.environ, **ports, **mine}


@contextlib.contextmanager
def up(folder: Path, *, ignoring_interrupts: bool = False) -> Iterator[Up]:
    """Start it; whatever happens, nothing is left when the block ends."""
    ports = free_ports()
    home = Home(folder / "var")
    output = folder / "output"
    # As a shell does for a command with `&`.
    before = [] if not ignoring_interrupts else ["env", "--ignore-signal=INT"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*before, NAKOMING, "up"],
            env=environment(home.path, ports),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    system = Up(home, ports, process, output)
    try:
        system.wait_until_ready()
        yield system
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
        wait_for(lambda: not system.living())


def run(home: Path, *words: str, ports: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        [NAKOMING, *words],
        env=environment(home, ports or free_ports()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
