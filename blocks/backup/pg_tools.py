"""Where PostgreSQL's own programs lie on this machine, and which of them fit a server."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from blocks.backup.errors import ToolMissing

if TYPE_CHECKING:
    from pathlib import Path

_PLACES: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")
_ALLOWED: Final = "a version as new as the server's or newer; name its folder in tools_folder"


class Tool(NamedTuple):
    """A program and its version."""

    path: str
    major: int
    version: str


def tool_for(name: str, server: int, what: str, folder: Path | None = None) -> Tool:
    """The program for a server: of the server's own major version where there is one, else the next newer.

    Args:
        name: `pg_dump` or `pg_restore`.
        server: the server's major version.
        what: who needs it, for the sentence.
        folder: the only place to look; without it the usual ones.

    Raises:
        ToolMissing: there is none, or only older ones.
    """
    found = sorted({tool for path in _paths(name, folder) if (tool := _tool(path)) is not None}, key=_age)
    fitting = [tool for tool in found if tool.major >= server]
    if fitting:
        return fitting[0]
    where = f"in {folder}" if folder else "on this machine"
    reason = (
        f"which is only there as version {found[-1].version}: older than the server's {server}"
        if found
        else f"which is not {where}"
    )
    raise ToolMissing(what=what, tool=f"{name} {server}", reason=reason, allowed=_ALLOWED)


def _age(tool: Tool) -> tuple[int, str]:
    return tool.major, tool.path


def _paths(name: str, folder: Path | None) -> list[str]:
    if folder is not None:
        return [str(folder / name)]
    usual = [f"{place}/{name}" for pattern in _PLACES for place in glob.glob(pattern)]  # noqa: PTH207 (absolute patterns)
    # Debian's own /usr/bin/pg_dump is a script that chooses one of them: only where there are none.
    return usual or [path for path in [shutil.which(name)] if path]


def _tool(path: str) -> Tool | None:
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116 (paths are texts here)
    except OSError:
        return None
    return _asked(path, changed)


@lru_cache(maxsize=32)
def _asked(path: str, changed: int) -> Tool | None:
    del changed  # a program that was replaced is asked anew
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said.stdout)
    return Tool(path, int(match[1]), match[1] + match[2]) if match else None
