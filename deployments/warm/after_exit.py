"""What runs in the worker after each child's exit.

A decision may land between a flow's look at its records and the moment it is Suspended; its Resume then
fails, for the run is not yet paused. The product's hook looks again when the child is gone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from deployments.warm.errors import HookNameError

if TYPE_CHECKING:
    from logging import Logger, LoggerAdapter
    from uuid import UUID

AFTER_EXIT_VARIABLE = "NAKOMING_WARM_AFTER_EXIT"
"""Environment variable with the dotted name of the hook."""

AfterExit = Callable[["UUID", int], object]
"""Takes the flow run's id and the exit code of its process (negative: the signal); its result is not used."""


def named(name: str, variable: str = AFTER_EXIT_VARIABLE) -> AfterExit:
    """Import the hook.

    Args:
        name: `package.module.function`.
        variable: where the name stands, for the error.

    Raises:
        HookNameError: It cannot be imported, or is not callable.
    """
    module, _, attribute = name.rpartition(".")
    try:
        hook: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise HookNameError(variable=variable, value=name, reason=error) from error
    if not callable(hook):
        raise HookNameError(variable=variable, value=name, reason="it is not callable")
    return hook  # type: ignore[no-any-return]  # checked to be callable; its signature shows when it is called


async def call(
    hook: AfterExit, flow_run_id: UUID, exit_code: int, logger: Logger | LoggerAdapter[Any]
) -> None:
    """Call the hook in a thread of its own; whatever it raises is logged and hurts no run."""
    try:
        await to_thread.run_sync(hook, flow_run_id, exit_code, abandon_on_cancel=True)
    except Exception:
        logger.exception("The hook after the exit of flow run %s failed", flow_run_id)
