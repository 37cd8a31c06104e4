"""The whole embedded system under random kills while the demo's request goes from its form to production."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from demo import environments
from demo.mailbox.store import Store
from demo.play import script
from nakoming.records import cases, evidence_check, steps
from nakoming.records.store import Records
from nakoming.settings import Settings
from tests.faults.outside import picture
from tests.faults.report import Entry, recovery
from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.cases import Case
    from tests.faults.outside import Damage, Picture

NAKOMING = Path(sys.executable).with_name("nakoming")
PROCESSES = ("worker", "prefect", "flow")
"""Of the embedded system, by their names in its state; `flow` is whichever process holds the case."""

_PLAY_SECONDS = 900.0
_LOOK_SECONDS = 0.02
_WAIT_SECONDS = 2.5  # at most, between a recovery and the next kill


@dataclass
class SystemPlay:
    """A demo in a home folder of its own."""

    home: Path
    seed: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        names = ("PORTAL", "PREFECT", "MAILBOX", "SMTP")
        ports = {f"NAKOMING_{name}_PORT": str(free_port()) for name in names}
        self._environment = {**os.environ, **ports, "NAKOMING_HOME": str(self.home)}
        self._chance = random.Random(self.seed)  # noqa: S311 - a kill needs no secret instant
        self._output = self.home.with_suffix(".output")

    @property
    def said(self) -> str:
        """What the demo and the supervisor printed."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def run(self, *, kill: bool) -> None:
        """Play to the end; kill one process after the other meanwhile, at random instants.

        Raises:
            AssertionError: the demo did not end well.
        """
        with self._output.open("wb") as output:
            demo = subprocess.Popen(
                [NAKOMING, "demo", "--no-wait"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            if kill:
                self._kill_until_the_end(demo)
            status = demo.wait(_PLAY_SECONDS)
        finally:
            if demo.poll() is None:
                demo.send_signal(signal.SIGINT)
                demo.wait(60)
        assert status == 0, self.said[-4000:]

    def _kill_until_the_end(self, demo: subprocess.Popen[bytes]) -> None:
        while self._finished() == 0:  # the case is under way
            assert demo.poll() is None, self.said[-4000:]
            time.sleep(_LOOK_SECONDS)
        number = self.seed
        while not self._is_closed():
            assert demo.poll() is None, self.said[-4000:]
            process = PROCESSES[number % len(PROCESSES)]
            if self._kill(process, demo):
                number += 1

    def _kill(self, process: str, demo: subprocess.Popen[bytes]) -> bool:
        """Kill it at a random instant, wait until the case has gone on; whether it was there to be killed."""
        time.sleep(self._chance.uniform(0, _WAIT_SECONDS) if process != "flow" else 0)
        pid = self._pid(process)
        if pid is None or self._is_closed():
            time.sleep(_LOOK_SECONDS)
            return False
        if process == "flow":
            time.sleep(self._chance.uniform(0, 0.3))  # somewhere in its work, if it works so long
        before = self._finished()
        if not _kill_for_certain(pid):
            return False
        killed_at = time.monotonic()
        while self._finished() == before and not self._is_closed():
            assert demo.poll() is None, self.said[-4000:]
            time.sleep(_LOOK_SECONDS)
        self.recoveries[process].append(time.monotonic() - killed_at)
        return True

    def _pid(self, process: str) -> int | None:
        if process == "flow":
            case = self._case()
            return int(case.lease_owner.split("/")[2]) if case and case.lease_owner else None
        with contextlib.suppress(FileNotFoundError, KeyError):
            state: dict[str, Any] = json.loads((self.home / "embedded.json").read_text(encoding="utf-8"))
            service = state["services"][process]
            return int(service["pid"]) if service["pid"] and service["state"] == "ready" else None
        return None

    @contextlib.contextmanager
    def records(self) -> Iterator[Records]:
        """Its records, for the length of the block."""
        opened = Records.from_settings(Settings(home=self.home))
        try:
            yield opened
        finally:
            opened.engine.dispose()

    def _case(self) -> Case | None:
        if not (self.home / "records.sqlite").exists():
            return None
        with self.records() as records, contextlib.suppress(Exception), records.read() as tx:
            return cases.find(tx, "rfc", script.CUSTOMER, script.read_request()["reference"])
        return None

    def _finished(self) -> int:
        """How many steps of the case are finished: what is counted as progress."""
        case = self._case()
        if case is None:
            return 0
        with self.records() as records, records.read() as tx:
            return sum(step.finished_at is not None for step in steps.listed(tx, case.id))

    def _is_closed(self) -> bool:
        case = self._case()
        return case is not None and case.state == cases.State.CLOSED

    def picture(self) -> Picture:
        """What the play left in the world."""
        root = self.home / "demo"
        environments.start_all(root)
        try:
            return picture(root, script.CUSTOMER, Store(self.home / "mail"))
        finally:
            environments.stop_all(root)

    def findings(self) -> list[str]:
        """What is wrong with the evidence."""
        with self.records() as records:
            return [finding.text for finding in evidence_check.verify(records) if finding.is_damage]


def _kill_for_certain(pid: int) -> bool:
    """SIGKILL, and be sure that it is gone; false when it was gone before."""
    try:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.wait(30)
    return True


def entries(plays: list[SystemPlay], damages: list[Damage]) -> list[Entry]:
    """What is to be reported: nobody can say whose kill it was, so each process answers for all damage."""
    lost = sum(len(damage.lost) for damage in damages)
    doubled = sum(len(damage.doubled) for damage in damages)
    found = []
    for process in PROCESSES:
        took = [seconds for play in plays for seconds in play.recoveries[process]]
        found.append(
            Entry(
                play="the demo, killed at random",
                process=process,
                boundaries=0,
                cut=len(took),
                never_cut=[],
                lost=lost,
                doubled=doubled,
                mail_window=0,
                **recovery(took),
            )
        )
    return found
