"""Children die with their parent, whatever kills it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 1.0
# Looked up before any fork: loading a library in a fresh child costs a millisecond.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Arrange that this process is killed when its parent ends.

    Args:
        parent: Process id of the parent at the time of the fork; when it is the parent no more, this process
            ends at once, for the signal asked for now would never come.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    else:  # pragma: no cover - other systems have no parent-death signal
        threading.Thread(target=_watch, args=(parent,), daemon=True, name="lifeline").start()


def _watch(parent: int) -> None:  # pragma: no cover - see above
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)
