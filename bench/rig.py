"""A whole system of its own for a benchmark: in a temporary folder, on free ports, ended afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.stamps import VARIABLE, Stamps
from deployments.embedded import system as embedded
from deployments.embedded.options import Options
from nakoming.records.store import Records
from nakoming.settings import Settings
from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployments.embedded.system import System

HOUSE = Path(__file__).parents[1]
START_SECONDS = 180.0
_PORTS = ("PORTAL", "PREFECT", "MAILBOX", "SMTP")
_FOREIGN = ("PREFECT_", "NAKOMING_")


@dataclass(frozen=True)
class Rig:
    """A running system and the instants its processes note."""

    system: System
    records: Records
    stamps: Stamps
    folder: Path


@contextmanager
def running_system() -> Iterator[Rig]:
    """Run the embedded system while the block lasts; Prefect in this process speaks to it."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        stamps = Stamps(folder / "stamps")
        before = dict(os.environ)
        _settle(folder)
        try:
            with (folder / "system.log").open("w") as log, _started(log.fileno()) as process:
                yield _rig(folder, stamps, process)
        finally:
            os.environ.clear()
            os.environ.update(before)


def _settle(folder: Path) -> None:
    """Let this process and its children know of this system only."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[name]
    ports = {f"NAKOMING_{name}_PORT": str(free_port()) for name in _PORTS}
    agreements = str(HOUSE / "agreements")
    os.environ |= ports | {"NAKOMING_HOME": str(folder / "home"), "NAKOMING_AGREEMENTS": agreements}
    os.environ[VARIABLE] = str(folder / "stamps")


@contextmanager
def _started(log: int) -> Iterator[subprocess.Popen[bytes]]:
    """The supervisor ends when its standard input does."""
    command = [sys.executable, "-m", "bench.stamped_system"]
    with subprocess.Popen(command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


def _rig(folder: Path, stamps: Stamps, process: subprocess.Popen[bytes]) -> Rig:
    settings = Settings()
    patience = time.monotonic() + START_SECONDS
    while (found := embedded.running(settings)) is None:
        said = (folder / "system.log").read_text(encoding="utf-8")
        assert process.poll() is None, f"the system ended: {said}"
        assert time.monotonic() < patience, f"the system did not start: {said}"
        time.sleep(0.1)
    Options.of()
    found.enter()
    os.environ[VARIABLE] = str(folder / "stamps")
    return Rig(found, Records.from_settings(found.settings, pooled=True), stamps, folder)
