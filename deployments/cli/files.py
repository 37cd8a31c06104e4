"""Files that a person names on the command line: read whole, or refused in one sentence."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

from deployments.cli.errors import FileExistsAlready, FileNotWritten, FileUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def content_of(path: Path, limit: int) -> bytes:
    """The bytes of a file, and one more than `limit` at the most: enough to see that it is too large.

    Raises:
        FileUnreadable: it is not there, is no file, or may not be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as failed:
        reason = (failed.strerror or str(failed)).lower()
        raise FileUnreadable(file=path, reason=reason) from failed


def write_new(path: Path, content: Iterable[bytes]) -> None:
    """Write a file that only its owner may read, piece by piece; an existing one is never touched.

    Raises:
        FileExistsAlready: there is a file of that name.
        FileNotWritten: the folder is missing, may not be written, or is full.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as failed:
        raise FileExistsAlready(file=path) from failed
    except OSError as failed:
        raise FileNotWritten(file=path, reason=(failed.strerror or str(failed)).lower()) from failed
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(content)
    except OSError as failed:
        path.unlink(missing_ok=True)
        raise FileNotWritten(file=path, reason=(failed.strerror or str(failed)).lower()) from failed
    except BaseException:
        path.unlink(missing_ok=True)  # what was written is not known to be right
        raise


def login() -> str:
    """Who works at this terminal, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
