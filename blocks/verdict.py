"""How a command ended, in a file that outlives whoever started it: its exit code and a line end.

Only a command that ended by itself leaves one; what we ended, or lost, has no verdict.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def keep(file: Path, exit_code: int) -> None:
    """Keep an exit code (for a command on this machine its launcher has done so)."""
    with suppress(OSError):  # then nobody knows it but whoever started the command
        file.write_text(f"{exit_code}\n", encoding="ascii")


def read(file: Path) -> int | None:
    """The exit code that was kept; none when none was, or half of it."""
    try:
        text = file.read_text(encoding="ascii")
        return int(text) if text.endswith("\n") else None
    except (OSError, ValueError):
        return None
