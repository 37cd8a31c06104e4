"""The checks of the house, as functions of a folder, so that each can be shown a damaged one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE_LINES = 320
"""The design says about 300; a module a little over it is no reason to cut where nothing ends."""
TEST_LINES = 600
"""Tests are read one at a time, and tables of damaged samples are long."""

# In pieces, so that this file does not name what it forbids.
_SERVERS = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "--index" + "-url",
    "--find" + "-links",
    "--extra" + "-index",
)
_MACHINE = re.compile(r"(?<![\w.<{}/-])/(?:root|work|home/[a-z]\w*)/")
_LOCKS = re.compile(
    r"(?:^|/)(?:uv|poetry|pdm|pixi|conda)[.-]?lock|(?:^|/)(?:Pipfile|package|yarn|pnpm)[-.]?lock[\w.]*$"
)
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def tool(folder: Path, *command: str) -> str:
    """Run a checking tool of the environment in a folder; return its complaint, "" when content."""
    run = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if run.returncode == 0 else f"{' '.join(command)}:\n{run.stdout}"


def tracked(folder: Path) -> list[str]:
    """Return the paths that git would put into a clone."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],  # noqa: S607 - git is wherever this machine keeps it
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (folder / name).is_file()]


def oversized(folder: Path, names: list[str]) -> Iterator[str]:
    """Yield modules that are too long, and those named for having no subject."""
    for name in names:
        if name.endswith(".py"):
            lines = len((folder / name).read_text(encoding="utf-8").splitlines())
            most = TEST_LINES if name.startswith("tests/") else MODULE_LINES
            if lines > most:
                yield f"{name}: {lines} lines, {most} at most: part of it is a module of its own"
            if name.rpartition("/")[2] in {"utils.py", "util.py", "helpers.py", "misc.py"}:
                yield f"{name}: a module is named for its subject"


def strays(folder: Path, names: list[str]) -> Iterator[str]:
    """Yield lock files, addresses of package servers, and paths of the machine it was written on."""
    for name in names:
        if _LOCKS.search(name):
            yield f"{name}: the pins are requirements/*.txt; lock files name a package server"
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or another binary file holds no settings
        for number, line in enumerate(text.splitlines(), 1):
            if any(server in line for server in _SERVERS):
                yield f"{name}:{number}: names a package server: {line.strip()[:100]}"
            if _MACHINE.search(line):
                yield f"{name}:{number}: names a path of one machine: {line.strip()[:100]}"


def pins(text: str) -> dict[str, list[tuple[str, str]]]:
    """Read a compiled file: name to its (version, marker) pairs."""
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in _entries(text):
        head, _, marker = entry.split("--hash")[0].strip().partition(";")
        name, _, version = head.strip().partition("==")
        found.setdefault(_normal(name), []).append((version.strip(), marker.strip()))
    return found


def unpinned(text: str) -> Iterator[str]:
    """Yield entries of a compiled file without an exact version, or without the hash of a file."""
    for entry in _entries(text):
        if entry.startswith("-"):
            yield f"{entry}: an option in a compiled file"
        elif "==" not in entry.partition(";")[0]:
            yield f"{entry}: no exact version"
        elif not _HASH.search(entry):
            yield f"{entry.partition(' --hash')[0]}: no hash"


def names(text: str) -> set[str]:
    """Return the package names of a written (`.in`) list."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {_normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in lines if line and not line.startswith("-")}


def specifiers(text: str) -> set[str]:
    """Return the entries of a written list as they stand, without blanks."""
    lines = (line.partition("#")[0].replace(" ", "") for line in text.splitlines())
    return {line for line in lines if line and not line.startswith("-")}


def _entries(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line and not line.startswith("#")]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).strip().lower()
