"""Sends dumps while the n-th call of a kind fails; run with the faulty calls loaded before the C library.

Prints one JSON line for each attempt: what `send` said, what lies there, whether the read-back takes it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.backup.errors import BackupError
from nakoming.records.backup_keys import BackupKeys
from tasks.backup.opening import check
from tasks.backup.stream import Sent, send
from tests.tasks.backup.kept_sets import BytesDump, NoisyBytes, two_sites

if TYPE_CHECKING:
    from blocks.backup.site_folder import FolderSite

NAME = "acme/2026-11-23-000001/database.age"
FAULTS = {
    "write EIO": ("write", errno.EIO),
    "write ENOSPC": ("write", errno.ENOSPC),
    "write lost": ("write", 0),
    "fsync EIO": ("fsync", errno.EIO),
    "rename EIO": ("rename", errno.EIO),
    "rename lost": ("rename", 0),
}
MOST = 30
SIZE = 2_500_000


def main(folder: Path) -> None:
    """Every fault at its first, second, … call until there is no such call."""
    calls = ctypes.CDLL(os.environ["LD_PRELOAD"])
    keys = BackupKeys(folder / "keys")
    for fault, (call, number) in FAULTS.items():
        for before in (False, True):
            for nth in range(1, MOST):
                place = folder / f"{call}-{number}-{nth}-{before}"
                place.mkdir()
                found = _attempt(calls, place, keys, (call, number, nth), before=before)
                line = json.dumps({"fault": fault, "nth": nth, "before": before} | found)
                print(line, flush=True)  # noqa: T201 - our parent reads it
                if not found["happened"]:
                    break


def _attempt(
    calls: Any, folder: Path, keys: BackupKeys, fault: tuple[str, int, int], *, before: bool
) -> dict[str, Any]:
    first, second = two_sites(folder)
    recipient = keys.recipient("acme")
    if before:
        assert not send(NAME, BytesDump(b"older"), recipient, (first, second)).failed
    call, number, nth = fault
    calls.faulty_arm(call.encode(), b"/second/", nth, number)
    sent = send(NAME, BytesDump(NoisyBytes().take(SIZE)), recipient, (first, second))
    happened = bool(calls.faulty_happened())
    calls.faulty_arm(b"", b"", 0, 0)
    found = {
        "happened": happened,
        "failed": type(sent.failed.get(1)).__name__ if 1 in sent.failed else None,
        "first": _taken(first, sent),
        "good": 1 not in sent.failed and _taken(second, sent),
        "files": second.files(),
        "whole": sent.bytes,
    }
    again = send(NAME, BytesDump(NoisyBytes().take(SIZE)), recipient, (first, second))
    return found | {"again": not again.failed and _taken(second, again), "left": list(second.files())}


def _taken(site: FolderSite, sent: Sent) -> bool:
    try:
        return check(site, NAME, sent) == sent.bytes
    except BackupError:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
