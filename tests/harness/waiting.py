"""Wait for a condition instead of for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_for(condition: Callable[[], Any], within_seconds: float = 60.0) -> Any:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: not within the time; a machine that is busy gets a generous one.
    """
    deadline = time.monotonic() + within_seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within_seconds} s"
        time.sleep(0.02)
    return answer
