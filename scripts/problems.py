"""What may go wrong while the environment is made, each as one sentence that says what to do.

These stand beside `nakoming.errors` because nothing of the house is installed yet when they are raised.
"""

from __future__ import annotations

from typing import Any


class SetUpError(Exception):
    """Something a person can put right; `template` is filled with the keyword arguments."""

    template = "{reason}"
    code = "NK8000"
    exit_status = 1

    def __init__(self, **data: Any) -> None:
        self.data = data
        super().__init__(self.template.format(**data))


class NoPythonError(SetUpError):
    """No Python of a supported version is on this machine."""

    template = (
        "Nakoming needs Python 3.11, 3.12, 3.13 or 3.14; found {found}. Install one of them "
        "(on Debian: apt-get install python3 python3-venv) or name it: make env PYTHON=/path/to/python3.12"
    )
    code = "NK8001"


class UnfitPythonError(SetUpError):
    """The Python that was asked for cannot be used."""

    template = "PYTHON={asked} is {found}; Nakoming needs Python 3.11, 3.12, 3.13 or 3.14: name another one."
    code = "NK8002"


class NoVenvError(SetUpError):
    """Debian ships `venv` and `ensurepip` in a package of their own."""

    template = (
        "{python} has no venv module with pip: install it (on Debian: apt-get install {package}), then again."
    )
    code = "NK8003"


class DiskFullError(SetUpError):
    """There is no room for the environment."""

    template = (
        "The disk of {path} has {free_mb} MB free and this needs {needed_mb} MB: free some space, then again."
    )
    code = "NK8004"


class NoNetworkError(SetUpError):
    """The packages could not be fetched."""

    template = (
        "The packages cannot be fetched: no package server answers ({detail}). "
        "Check the network or pip's own settings (pip config list), then again."
    )
    code = "NK8005"


class WrongHashError(SetUpError):
    """A fetched file is not the file that was pinned."""

    template = (
        "A fetched package is not the one that was pinned in {files} ({detail}); nothing of it is installed. "
        "Empty pip's store (pip cache purge) and try again; if it stays, do not trust the package server."
    )
    code = "NK8006"


class InstallError(SetUpError):
    """Pip gave up for a reason of its own."""

    template = "pip could not install {files}: {detail}. All it said stands in {log}."
    code = "NK8007"


class VenvError(SetUpError):
    """The environment's folder could not be made."""

    template = "{python} could not make {path}: {detail}. Remove that folder (make clean), then again."
    code = "NK8008"


class NoCompilerError(SetUpError):
    """`make requirements` needs uv."""

    template = (
        "Pins are compiled with uv, which is not on the PATH: install it, "
        "or name it: make requirements UV=/path/to/uv"
    )
    code = "NK8009"


class AptError(SetUpError):
    """Debian's package manager failed."""

    template = "apt-get could not install what the tests need ({detail}). By hand: {command}"
    code = "NK8010"
