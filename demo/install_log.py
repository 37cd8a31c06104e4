"""The log of what the deploy script did, outside every environment: `ROOT/install.log`, JSON lines.

A line stands for a switch that happened (`installed`, `rolled back`) or a request that found it done
(`unchanged`). A switch killed before its line was written gets it from the next deployment, so each switch
stands there exactly once, and whoever counts from outside counts right. Lines are numbered; no clock is read.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from demo.environment_folder import EnvironmentFolder

Result = Literal["installed", "rolled back", "unchanged"]

LOG = "install.log"
SWITCHES = {"installed", "rolled back"}


def read_log(root: Path) -> list[dict[str, Any]]:
    """All lines: sequence, action, result, customer, environment, sha256."""
    path = root / LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def note(environment: EnvironmentFolder, action: str, result: Result) -> None:
    """Append a line about the current release, durably."""
    line = {
        "action": action,
        "result": result,
        "customer": environment.customer,
        "environment": environment.name,
        "sha256": environment.linked("current"),
    }
    root = environment.root
    descriptor = os.open(root / LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # deployments of other environments write here too
        numbered = {"sequence": len(read_log(root)) + 1, **line}
        os.write(descriptor, json.dumps(numbered).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def note_switch(environment: EnvironmentFolder, action: str, result: Result) -> None:
    """Append a line when the newest switch in the log is not the one to the current release."""
    switches = [
        line["sha256"]
        for line in read_log(environment.root)
        if line["result"] in SWITCHES
        and (line["customer"], line["environment"]) == (environment.customer, environment.name)
    ]
    if switches[-1:] != [environment.linked("current")]:
        note(environment, action, result)
