"""Starts the processes of the embedded system, keeps them running, and ends them in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
import uuid
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from deployments.embedded.home import HOUSE, MARK, environment
from deployments.embedded.keeper import Keeper
from deployments.embedded.services import Service, services
from deployments.embedded.system import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployments.embedded.system import System
    from nakoming.settings import Settings

GRACE_SECONDS = 8.0
LOG_BYTES = 10_000_000
HOUSEKEEPING_SECONDS = 5.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_logger = logging.getLogger("nakoming.embedded")


class Supervisor:
    """All processes of one system, for the length of `run`."""

    def __init__(self, system: System, settings: Settings, say: Callable[[str], None]) -> None:
        self.system = system
        self.home = system.home
        self._say_to_person = say
        self._mark = self.home.mark(uuid.uuid4().hex[:12])
        self._environment = environment(self.home, settings, system.options) | {MARK: self._mark}
        self._state = State(pid=os.getpid(), options=system.options.model_dump())
        self._stopping = asyncio.Event()
        self._impatient = asyncio.Event()
        self._keepers = {each.name: self._keeper(each) for each in services(system)}
        for keeper in self._keepers.values():
            keeper.needs = [self._keepers[name] for name in keeper.service.after]
        self._watchman: asyncio.subprocess.Process | None = None

    def stop(self) -> None:
        """Begin to end; asked a second time, without grace."""
        (self._impatient if self._stopping.is_set() else self._stopping).set()

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Run until a stop signal; everything has ended when this returns or raises.

        Raises:
            ServiceNotStartedError: a process cannot be started.
        """
        for number in _STOP_SIGNALS:  # also restores what a shell's `&` made ignored
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        self._write_state()
        watching = asyncio.create_task(self._keep_watchman())
        try:
            await self._until_stopped(on_ready)
        finally:
            self._stopping.set()
            await self._end_all()
            watching.cancel()
            await self._dismiss_watchman()
            self.home.state_file.unlink(missing_ok=True)

    async def _until_stopped(self, on_ready: Callable[[], None]) -> None:
        kept = [keeper.keep() for keeper in self._keepers.values()]
        tasks = [
            asyncio.create_task(each) for each in (*kept, self._housekeeping(), self._announce(on_ready))
        ]
        stop = asyncio.create_task(self._until_asked())
        try:
            # A task that ends well is a step; one that fails ends the system.
            pending = {*tasks, stop}
            while not stop.done() and pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (*tasks, stop):
                task.cancel()
            await asyncio.gather(*tasks, stop, return_exceptions=True)

    async def _until_asked(self) -> None:
        await self._stopping.wait()

    async def _until_impatient(self, waits: list[asyncio.Task[None]]) -> None:
        """Until all have ended, or the person asks a second time."""
        asked = asyncio.create_task(self._until_asked_again())
        pending = set(waits)
        while pending and not asked.done():
            _, pending = await asyncio.wait({*pending, asked}, return_when=asyncio.FIRST_COMPLETED)
            pending.discard(asked)
        asked.cancel()

    async def _until_asked_again(self) -> None:
        await self._impatient.wait()

    async def _announce(self, on_ready: Callable[[], None]) -> None:
        for keeper in self._keepers.values():
            await keeper.ready.wait()
        self._state.ready = True
        self._write_state()
        on_ready()

    # Ending

    async def _end_all(self) -> None:
        """First what works, then what it stands on; what lives after the grace is killed."""
        living = [keeper for keeper in self._keepers.values() if keeper.pid is not None]
        await self._end([keeper for keeper in living if not keeper.service.lasts])
        await self._end([keeper for keeper in living if keeper.service.lasts])

    async def _end(self, keepers: list[Keeper]) -> None:
        for keeper in keepers:
            _signal(keeper, signal.SIGTERM)
        waits = [asyncio.create_task(_wait(keeper)) for keeper in keepers]
        impatient = asyncio.create_task(self._until_impatient(waits))
        await asyncio.wait([impatient], timeout=GRACE_SECONDS)
        impatient.cancel()
        for keeper in keepers:
            _signal(keeper, signal.SIGKILL)
        await asyncio.gather(*waits)

    # The watchman

    async def _keep_watchman(self) -> None:
        while True:
            with (self.home.logs / "watchman.log").open("ab") as log:
                self._watchman = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "deployments.embedded.watchman", self._mark, str(self.home.demo)),
                    cwd=HOUSE,
                    env=self._environment,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self._write_state()
            await self._watchman.wait()

    async def _dismiss_watchman(self) -> None:
        """End its lifeline: it ends whatever our processes left behind, and then itself."""
        watchman_process = self._watchman
        if watchman_process is None or watchman_process.stdin is None:
            return
        watchman_process.stdin.close()
        await watchman_process.wait()

    # Telling

    def _keeper(self, service: Service) -> Keeper:
        keeper = Keeper(service, self._environment, self.home.logs / f"{service.name}.log", self._say)
        keeper.changed = self._write_state
        return keeper

    def _say(self, sentence: str) -> None:
        _logger.warning(sentence)
        self._say_to_person(sentence)

    def _write_state(self) -> None:
        self._state.services = {
            name: {"pid": keeper.pid, "state": keeper.condition, "restarts": keeper.restarts}
            for name, keeper in self._keepers.items()
        }
        if self._watchman is not None:
            self._state.services["watchman"] = {
                "pid": self._watchman.pid,
                "state": "ready",
                "restarts": 0,
            }
        with suppress(OSError):  # a full disk must not end what runs
            self._state.write(self.home)

    async def _housekeeping(self) -> None:
        while True:
            for log in self.home.logs.glob("*.log"):
                with suppress(OSError):
                    bound(log)
            await asyncio.sleep(HOUSEKEEPING_SECONDS)


def bound(log: Path, limit: int = LOG_BYTES) -> None:
    """Keep a log and the one before it: its writers hold it open, so it is copied and cut, not renamed.

    What is written between the copy and the cut is lost, which a log of processes can bear.
    """
    if log.stat().st_size > limit:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def log_to(home_logs: Path) -> None:
    """Note what the supervisor says, with the time, in `supervisor.log`."""
    handler = RotatingFileHandler(home_logs / "supervisor.log", maxBytes=1_000_000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _logger.addHandler(handler)
    _logger.propagate = False


async def _wait(keeper: Keeper) -> None:
    if keeper.process is not None:
        await keeper.process.wait()


def _signal(keeper: Keeper, number: signal.Signals) -> None:
    """To the process group for force, so that nothing of it stays; to the process itself for a request."""
    pid = keeper.pid
    if pid is None:
        return
    with suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
