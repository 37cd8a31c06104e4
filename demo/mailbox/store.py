"""Maildirs on disk: one per recipient, one for the vendor's notices; a mail taken is on disk."""

from __future__ import annotations

import itertools
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class StoredMail:
    """One mail as it lies on disk."""

    id: str
    raw: bytes


class Store:
    """All mail under one folder: `mail/<address>/` and `bounces/` (Maildirs), `pending/` (notices due)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sequence = itertools.count()
        _make_maildir(self.bounces)
        self.pending.mkdir(parents=True, exist_ok=True)

    @property
    def bounces(self) -> Path:
        """The Maildir with the notices about what the vendor sent."""
        return self._root / "bounces"

    @property
    def pending(self) -> Path:
        """Notices that stand to be delivered to `bounces` later."""
        return self._root / "pending"

    def mailbox(self, address: str) -> Path:
        """The Maildir of an address; the name on disk is the address, lower-case, odd signs as %HH."""
        return self._root / "mail" / quote(address.lower(), safe="@+")

    def deliver(self, address: str, raw: bytes) -> str:
        """Store a mail for an address and return its id; on disk when this returns."""
        folder = self.mailbox(address)
        _make_maildir(folder)
        return self._write(raw, folder / "tmp", folder / "new")

    def notify(self, raw: bytes) -> str:
        """Store a delivery notice for the vendor."""
        return self._write(raw, self.bounces / "tmp", self.bounces / "new")

    def notify_later(self, raw: bytes) -> str:
        """Keep a notice until `release`; it survives a crash of the server."""
        return self._write(raw, self.bounces / "tmp", self.pending)

    def release(self, name: str | None = None) -> None:
        """Deliver one pending notice, or all of them."""
        names = [name] if name else sorted(path.name for path in self.pending.iterdir())
        for each in names:
            source = self.pending / each
            if source.exists():
                source.replace(self.bounces / "new" / each)
        _sync(self.bounces / "new")

    def addresses(self) -> list[str]:
        """Everybody who ever got mail here."""
        folder = self._root / "mail"
        return sorted(unquote(path.name) for path in folder.iterdir()) if folder.exists() else []

    def messages(self, address: str) -> Iterator[StoredMail]:
        """The mails of an address, oldest first."""
        folder = self.mailbox(address)
        paths = [path for part in ("new", "cur") for path in (folder / part).glob("*")]
        for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            yield StoredMail(path.name.partition(":")[0], path.read_bytes())

    def message(self, address: str, name: str) -> StoredMail | None:
        """One mail, or None; the name is compared, never used as a path."""
        return next((mail for mail in self.messages(address) if mail.id == name), None)

    def _write(self, raw: bytes, draft: Path, final: Path) -> str:
        name = f"{next(self._sequence):06d}.{uuid.uuid4().hex}.mail"
        with (draft / name).open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        (draft / name).replace(final / name)
        _sync(final)
        return name


def _make_maildir(folder: Path) -> None:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)


def _sync(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
