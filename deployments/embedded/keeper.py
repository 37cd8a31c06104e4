"""Keeps one process running: starts it, sees it answer, and starts it again when it ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from typing import TYPE_CHECKING

from deployments.embedded.errors import ServiceNotStartedError
from deployments.embedded.home import HOUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from deployments.embedded.services import Service

BACK_OFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
DEATHS = 5
WITHIN_SECONDS = 60.0
START_SECONDS = 90.0
ASK_AGAIN_SECONDS = 0.1
SETTLED_SECONDS = 1.0
"""A process without an address counts as ready when it has lived this long."""
_SHOWN = 300


class Keeper:
    """One service and its process.

    Attributes:
        ready: set when it has answered for the first time (a step: when it ended well).
        up: set while it answers (a step: for good).
        needs: the keepers of what it stands on; it starts, and starts again, when they are up.
        condition: `waiting`, `starting`, `ready`, `done`, `failed`, `restarting` or `failing`.
    """

    def __init__(
        self, service: Service, environment: Mapping[str, str], log: Path, say: Callable[[str], None]
    ) -> None:
        self.service = service
        self.ready = asyncio.Event()
        self.up = asyncio.Event()
        self.needs: list[Keeper] = []
        self.condition = "waiting"
        self.restarts = 0
        self.process: asyncio.subprocess.Process | None = None
        self.changed: Callable[[], None] = lambda: None
        self._environment = {**environment, **service.environment}
        self._log = log
        self._say = say
        self._deaths: deque[float] = deque(maxlen=DEATHS)

    @property
    def pid(self) -> int | None:
        """Of the process that lives now."""
        return self.process.pid if self.process and self.process.returncode is None else None

    async def keep(self) -> None:
        """Run the service until cancelled; a step until it ended.

        Raises:
            ServiceNotStartedError: it does not get ready for the first time.
        """
        while True:
            for need in self.needs:
                await need.up.wait()
            code = await self._live()
            if not self.service.once:
                self.up.clear()
            if self.service.once:
                self._ended_step(code)
                return
            await self._pause(code)
            self.restarts += 1

    async def _live(self) -> int:
        """Start it and return its exit code."""
        self._is("starting")
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.service.command,
                cwd=HOUSE,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which then ends all in good order
            )
        self.changed()
        asking = asyncio.create_task(self._see_it_answer())
        try:
            return await self._end_of(self.process, asking)
        finally:
            asking.cancel()

    async def _end_of(self, process: asyncio.subprocess.Process, asking: asyncio.Task[None]) -> int:
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ending, asking}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                asking.result()  # raises what kept it from starting
            return await ending
        finally:
            ending.cancel()

    async def _see_it_answer(self) -> None:
        if self.service.once:
            await asyncio.Event().wait()
        if self.service.make_probe is None:
            await asyncio.sleep(SETTLED_SECONDS)
        else:
            probe = self.service.make_probe()
            patience = time.monotonic() + START_SECONDS
            while not await probe():
                if time.monotonic() > patience and not self.ready.is_set():
                    raise self._not_started(f"it did not answer within {START_SECONDS:g} seconds")
                await asyncio.sleep(ASK_AGAIN_SECONDS)
        if self.restarts:
            self._say(f"The {self.service.title} runs again.")
        self._is("ready")
        self.ready.set()
        self.up.set()

    def _ended_step(self, code: int) -> None:
        if code != 0:
            failure = self._not_started(self._last_line() or _how(code))
            if not self.service.optional:
                raise failure
            self._say(str(failure))
        self._is("failed" if code else "done")
        self.ready.set()
        self.up.set()

    async def _pause(self, code: int) -> None:
        """Wait before the next start, longer each time it dies within the minute."""
        now = time.monotonic()
        self._deaths.append(now)
        recent = sum(1 for death in self._deaths if now - death < WITHIN_SECONDS)
        if recent == DEATHS:
            if not self.ready.is_set():
                raise self._not_started(self._last_line() or _how(code))
            self._is("failing")
            self._say(
                f"The {self.service.title} ended {DEATHS} times within a minute ({_how(code)}) and is tried"
                f" again every {BACK_OFF_SECONDS[-1]:g} seconds; its log is {self._log}."
            )
        else:
            self._is("restarting")
            self._say(f"The {self.service.title} ended ({_how(code)}) and is started again.")
        await asyncio.sleep(BACK_OFF_SECONDS[recent if recent == DEATHS else recent - 1])

    def _not_started(self, reason: str) -> ServiceNotStartedError:
        return ServiceNotStartedError(service=self.service.title, reason=reason.rstrip("."), log=self._log)

    def _last_line(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text[-4000:].splitlines() if line.strip()]
        return lines[-1][:_SHOWN] if lines else ""

    def _is(self, condition: str) -> None:
        self.condition = condition
        self.changed()


def _how(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
