"""What runs beside the worker for as long as it lives, in a thread of its own.

The product starts its reconciler so in every worker: whichever machine dies, another one heals what it left.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from deployments.warm.after_exit import named

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger, LoggerAdapter

COMPANION_VARIABLE = "NAKOMING_WARM_COMPANION"
"""Environment variable with the dotted name of a function that starts it and returns what ends it."""


def start(logger: Logger | LoggerAdapter[Any]) -> Callable[[], object]:
    """Start the companion that the environment names; what this returns ends it.

    A companion that cannot start keeps no run from working: it is logged.

    Raises:
        HookNameError: the name cannot be imported, or is not callable.
    """
    name = os.environ.get(COMPANION_VARIABLE)
    if not name:
        return nothing
    begin: Callable[..., Any] = named(name, COMPANION_VARIABLE)
    try:
        end = begin()
    except Exception:
        logger.exception("%s could not be started beside the worker", name)
        return nothing
    return end if callable(end) else nothing


def nothing() -> None:
    """There is nothing to end."""
