"""Prefect's events as an alarm clock: something of our pool wants to run, or has to stop."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger, LoggerAdapter

    from prefect.events import Event

_PREFIX = "prefect.flow-run."
_CANCELLING = f"{_PREFIX}Cancelling"
# Every state of type SCHEDULED that the server gives a run which may be due now.
_DUE = tuple(
    f"{_PREFIX}{name}"
    for name in ("Scheduled", "Resuming", "AwaitingRetry", "AwaitingConcurrencySlot", "Late")
)
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_STEADY_SECONDS = 30.0
_SUBSCRIBED_SECONDS = 1.0


class WakeListener:
    """Listens to the server's events of one work pool, for as long as the worker lives.

    Polling goes on beside it, so a lost event costs time and nothing else.

    Args:
        work_pool_id: The pool.
        on_due: Called for each run that may be due, and after each (re)connection.
        on_cancelling: Called with the run that has to stop.
        logger: The worker's.
    """

    def __init__(
        self,
        work_pool_id: UUID,
        on_due: Callable[[], None],
        on_cancelling: Callable[[UUID], None],
        logger: Logger | LoggerAdapter[Any],
    ) -> None:
        self.connected = asyncio.Event()
        self._filter = EventFilter(
            event=EventNameFilter(name=[*_DUE, _CANCELLING]),
            any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{work_pool_id}"]),
        )
        self._on_due = on_due
        self._on_cancelling = on_cancelling
        self._logger = logger

    async def run(self) -> None:
        """Listen until cancelled; connect again after each loss, with growing pauses."""
        pause = _FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - whatever ends the stream, polling goes on and we return
                self._report(error)
            self.connected.clear()
            if clock() - begun > _STEADY_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads workers, guards nothing
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _report(self, error: Exception) -> None:
        self._logger.info(
            "No events from the Prefect server (%s: %s): runs start by polling until it is back",
            type(error).__name__,
            error,
        )

    async def _listen(self) -> None:
        # The subscriber's own reconnecting ends after a few attempts; ours does not.
        async with get_events_subscriber(filter=self._filter, reconnection_attempts=0) as events:
            self.connected.set()
            self._logger.info("Listening to the events of the work pool")
            self._on_due()
            # What became due between that poll and the server's taking note of us is in neither.
            asyncio.get_running_loop().call_later(_SUBSCRIBED_SECONDS, self._on_due)
            async for event in events:
                self._take(event)

    def _take(self, event: Event) -> None:
        if event.event != _CANCELLING:
            self._on_due()
            return
        self._on_cancelling(UUID(event.resource.id.removeprefix(_PREFIX)))
