"""Find a Python that Nakoming runs on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any, NamedTuple

from scripts.problems import NoPythonError, NoVenvError, UnfitPythonError

OLDEST = (3, 11)
NEWEST = (3, 14)
# The machine's own python3 first: it is the one its package manager looks after.
NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python3.14", "python")

_PROBE = """
import json, sys
try:
    import ensurepip, venv
    able = True
except ImportError:
    able = False
print(json.dumps({"version": list(sys.version_info[:3]), "able": able}))
"""


class Python(NamedTuple):
    """One interpreter: where it is, its version, and whether it can make an environment with pip in it."""

    path: str
    version: tuple[int, ...]
    able: bool

    @property
    def fits(self) -> bool:
        """Whether the version is one that the pins were compiled for."""
        return OLDEST <= self.version[:2] <= NEWEST

    @property
    def name(self) -> str:
        """The version in words."""
        return "Python " + ".".join(str(part) for part in self.version)


def find(asked: str = "") -> Python:
    """Return the Python that was asked for, or the first on this machine that fits.

    Raises:
        UnfitPythonError: the one asked for does not start, or has another version.
        NoPythonError: none fits.
        NoVenvError: the version is right and `venv` or `ensurepip` is missing.
    """
    return _asked(asked) if asked else _first()


def probe(path: str) -> Python | None:
    """Ask the interpreter itself; None when it is no interpreter or does not start."""
    try:
        run = subprocess.run(
            [path, "-I", "-c", _PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
        answer: Any = json.loads(run.stdout.decode())
        return Python(path, tuple(answer["version"]), bool(answer["able"]))
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return None


def _asked(asked: str) -> Python:
    python = probe(shutil.which(asked) or asked)
    if python is None:
        raise UnfitPythonError(asked=asked, found="not a Python that starts")
    if not python.fits:
        raise UnfitPythonError(asked=asked, found=python.name)
    return _with_venv(python)


def _first() -> Python:
    found: list[Python] = []
    for path in _candidates():
        python = probe(path)
        if python is not None:
            found.append(python)
            if python.fits and python.able:
                return python
    for python in found:
        if python.fits:
            return _with_venv(python)
    raise NoPythonError(found=", ".join(sorted({python.name for python in found})) or "no Python at all")


def _candidates() -> list[str]:
    paths = [sys.executable] + [shutil.which(name) or "" for name in NAMES]
    return list(dict.fromkeys(path for path in paths if path))


def _with_venv(python: Python) -> Python:
    if python.able:
        return python
    own = os.path.basename(python.path) in ("python", "python3")
    package = "python3-venv" if own else "python{}.{}-venv".format(*python.version[:2])
    raise NoVenvError(python="{} ({})".format(python.path, python.name), package=package)
