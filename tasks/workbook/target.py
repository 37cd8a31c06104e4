"""Where a workbook goes: a stream, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BUFFER = 1 << 20


@contextmanager
def opened(target: str | os.PathLike[str] | BinaryIO) -> Iterator[Callable[[bytes], object]]:
    """Give what takes the bytes.

    A file appears under its name when the block ends well, durable, and replaces one that was there; else
    nothing of it stays. A stream is written to as the bytes come, and neither closed nor sought in.
    """
    if not isinstance(target, str | os.PathLike):
        yield target.write
        return
    path = Path(target)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with beside.open("xb", buffering=_BUFFER) as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _keep_name(path.parent)


def _keep_name(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
