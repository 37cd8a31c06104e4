"""A circuit breaker as plain data: an ERP that fails again and again is left alone for a while.

Nothing here holds state or reads a clock: its user keeps the breaker, one a connection, and gives the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

THRESHOLD: Final = 3
"""Failures in a row until it opens."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
_MOST_DOUBLINGS: Final = 10  # the longest pause is reached long before; a greater power has no use


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed until `THRESHOLD` failures in a row; then open until an instant, twice as long each time.

    When that instant has come one try is allowed: its success closes the breaker, its failure opens it again.

    Attributes:
        failures: in a row, up to now.
        open_until: aware; None when it is closed.
    """

    failures: int = 0
    open_until: datetime | None = None

    def allows(self, now: datetime) -> bool:
        """Whether the ERP may be tried now."""
        return self.open_until is None or now >= self.open_until

    def after_failure(self, now: datetime) -> Breaker:
        """The breaker after one more failure."""
        failures = self.failures + 1
        if failures < THRESHOLD:
            return Breaker(failures)
        doublings = min(failures - THRESHOLD, _MOST_DOUBLINGS)
        return Breaker(failures, now + min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE))

    def after_success(self) -> Breaker:
        """Closed, and all failures forgotten."""
        return Breaker()

    def opens(self, now: datetime) -> bool:
        """Whether one more failure would open it for the first time: then, and only then, tell somebody."""
        return self.open_until is None and self.after_failure(now).open_until is not None
