"""An ERP and a Suite whose exchange is killed at random instants and begun again at once, to its end."""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults import exchange_child
from tests.faults.exchange_child import BEGUN, COMMITTED, ENDED

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from tests.faults.exchange_child import Order

_FORKS = multiprocessing.get_context("forkserver")
_PRELOADED = ["tests.faults.exchange_child", "data_contracts.drift", "psycopg", "tests.faults.street_play"]
_MOST_SECONDS = 120.0
_COMMIT_SECONDS = 0.05
"""About so long after one commit comes the next."""


@dataclass
class Killing:
    """Who kills, and how long it took after each kill until something more was committed.

    Attributes:
        order: what each process is told.
        kills: how many there are to be.
        commits: how many there would be if nobody were killed, about; kills are spread over them.
        seed: of the instants.
    """

    order: Order
    kills: int
    commits: int
    seed: int
    recoveries: list[float] = field(default_factory=list)
    _killed_at: list[float] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many kills there were."""
        return len(self.recoveries) + len(self._killed_at)

    def run(self) -> None:
        """Begin one process after the other until one comes to its end.

        Raises:
            AssertionError: one ended by itself before its work was done, or did nothing for too long.
        """
        _FORKS.set_forkserver_preload(_PRELOADED)
        chance = random.Random(self.seed)  # noqa: S311 - a kill needs no secret instant
        share = max(1, self.commits * 4 // 5 // self.kills)
        while True:
            commits = chance.randint(0, 2 * share) if self.done < self.kills else None
            if self._one(commits, chance.uniform(0, _COMMIT_SECONDS)):
                return

    def _one(self, commits: int | None, later: float) -> bool:
        """Whether it came to its end; else it was killed, `later` seconds after so many commits."""
        ours, its = _FORKS.Pipe(duplex=False)
        child = _FORKS.Process(target=exchange_child.run, args=(self.order, its))
        child.start()
        its.close()
        try:
            return self._followed(child, ours, commits, later)
        finally:
            child.kill()
            child.join(30)
            ours.close()

    def _followed(
        self, child: ForkServerProcess, pipe: Connection, commits: int | None, later: float
    ) -> bool:
        said = _next(pipe)
        assert said == BEGUN, "the exchange did not begin"
        seen = 0
        while commits is None or seen < commits:
            said = _next(pipe)
            if said == ENDED or (said is None and self.order.damage):
                return True  # one that is broken may well stop itself
            assert said == COMMITTED, "the exchange ended by itself"
            self._went_on()
            seen += 1
        if self._said_later(pipe, time.monotonic() + later):
            return True
        child.kill()
        self._killed_at.append(
            time.monotonic()
        )  # an earlier kill's recovery goes on if nothing was committed
        return False

    def _said_later(self, pipe: Connection, until: float) -> bool:
        """Listen until an instant; whether the end was heard."""
        while pipe.poll(max(0.0, until - time.monotonic())):
            said = _next(pipe)
            if said == ENDED or (said is None and self.order.damage):
                return True
            assert said == COMMITTED, "the exchange ended by itself"
            self._went_on()
        return False

    def _went_on(self) -> None:
        now = time.monotonic()
        self.recoveries += [now - each for each in self._killed_at]
        self._killed_at.clear()


def _next(pipe: Connection) -> bytes | None:
    assert pipe.poll(_MOST_SECONDS), f"nothing was committed for {_MOST_SECONDS} seconds"
    try:
        return pipe.recv_bytes()
    except EOFError:
        return None
