"""Who holds a lease: a process, named so that a dead holder can be recognised at once on its own host.

Nothing in the name moves when somebody sets the clock: a living holder must never be called dead.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

import psutil

_PROC = Path("/proc")
_FIRST_NAMESPACE = "4026531836"  # of a machine itself, not of a container on it (a constant of Linux)
_GONE = {"Z", "X", "x"}
_START = 19  # of the fields behind the name in /proc/<pid>/stat: the start in clock ticks since the boot


@cache
def _host() -> str:
    """This machine: its name alone is often not its own."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii")[:8]
    except (OSError, ValueError):
        machine = "0"
    return f"{socket.gethostname()}-{machine.strip()}"


@cache
def _boot() -> str:
    """This boot and its space of process numbers: a container's numbers say nothing about its host's."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return "0.0"


def _started(pid: int) -> str | None:
    """When a process started, as its name tells it; none when it runs no more."""
    try:
        if not (_PROC / "self/stat").exists():
            return f"{psutil.Process(pid).create_time():.2f}"
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        state, *rest = fields.rpartition(")")[2].split()
        return None if state in _GONE else rest[_START - 1]
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None


def this_process() -> str:
    """The name of the running process: host, boot, process and the instant of its start."""
    return f"{_host()}/{_boot()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Whether that holder certainly runs no more: its host is this one, and its process is gone.

    A holder on another host, in another container, or with a name of another form is never called dead; its
    lease runs out instead.
    """
    host, _, rest = owner.partition("/")
    boot, _, process = rest.partition("/")
    pid, _, started = process.partition("/")
    if host != _host() or not pid.isdecimal() or not started:
        return False
    if boot != _boot():
        # A machine that booted again kept no process; of two containers nobody knows.
        return boot.endswith(f".{_FIRST_NAMESPACE}") and _boot().endswith(f".{_FIRST_NAMESPACE}")
    return _started(int(pid)) != started
