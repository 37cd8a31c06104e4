"""Who holds a lease: a process, named so that a dead holder can be recognised at once on its own host."""

from __future__ import annotations

import os
import socket
from functools import cache

import psutil


@cache
def _boot() -> int:
    return int(psutil.boot_time())


def this_process() -> str:
    """The name of the running process: host, boot, process and the instant of its start."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}/{_boot()}/{os.getpid()}/{started:.2f}"


def is_dead(owner: str) -> bool:
    """Whether that holder certainly runs no more: its host is this one, and its process is gone.

    A holder on another host is never called dead; its lease runs out instead.
    """
    host, boot, pid, started = owner.rsplit("/", 3)
    if host != socket.gethostname():
        return False
    # Boot times wander by a second when the clock is corrected.
    if abs(int(boot) - _boot()) > 60:  # noqa: PLR2004 - one minute, see above
        return True
    try:
        process = psutil.Process(int(pid))
        alive = process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
        return not alive or f"{process.create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True
