"""The signal that ends a worker, whoever started it."""

from __future__ import annotations

import asyncio
import signal

# Asked when this module is imported: afterwards Prefect's command has put a handler of its own there.
_INTERRUPTS_ARE_IGNORED = signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def end_on_termination() -> None:
    """Let SIGTERM end the task that calls this, where Prefect's way of doing so cannot work.

    Prefect turns SIGTERM into SIGINT, and what a shell's script started with `&` or `nohup` ignores that one:
    the worker would go on for ever.
    """
    task = asyncio.current_task()
    if _INTERRUPTS_ARE_IGNORED and task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
