"""What a folder of documents holds: files and bytes per top folder, checksums of names and contents."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from blocks.backup.facts_sqlite import machine_millis
from blocks.backup.protocol import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = "."
"""Stands for what lies in the folder itself."""


class FolderCount:
    """Adds up what was read, in the order of the walk, so dump and scratch count alike."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self._digests: dict[str, hashlib._Hash] = {}

    def add(self, path: str, kind: str, size: int = 0, content: bytes = b"") -> None:
        """Take one entry.

        Args:
            path: below the folder, with `/`.
            kind: `file`, `folder` or `link`.
            size: bytes of a file.
            content: the digest of a file, the target of a link.
        """
        top, _, rest = path.partition("/")
        if not rest and kind != "folder":
            top = TOP
        self._files[top] = self._files.get(top, 0) + (kind != "folder")
        self._bytes[top] = self._bytes.get(top, 0) + size
        digest = self._digests.setdefault(top, hashlib.sha256())
        for part in (path.encode("utf-8", "surrogateescape"), kind.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)

    def facts(self, taken_at: datetime) -> Facts:
        """Files per top folder; bytes stand before the digest."""
        sums = {
            top: f"{self._bytes[top]} bytes {digest.hexdigest()}" for top, digest in self._digests.items()
        }
        return Facts(engine="folder", taken_at=taken_at, rows=self._in_order(), checksums=sums)

    def _in_order(self) -> Mapping[str, int]:
        return dict(sorted(self._files.items()))


def this_machine_now() -> datetime:
    """The instant by this machine's clock, as SQLite tells it for the other sources."""
    with closing(sqlite3.connect(":memory:")) as connection:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=machine_millis(connection))
