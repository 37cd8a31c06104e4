"""Small whole backups at real folders, for tests to damage."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from blocks.backup.protocol import Facts
from blocks.backup.site_folder import FolderSite
from nakoming.records.backup_keys import BackupKeys
from tasks.backup.manifest import FILE, Manifest, part_of, sha256_of, signed
from tasks.backup.opening import opened
from tasks.backup.stream import send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
FACTS = Facts(engine="sqlite", taken_at=AT, rows={"main.a": 7}, checksums={"main.a": "x"})


class BytesDump:
    """A dump of given bytes, in pieces of uneven size."""

    def __init__(self, content: bytes, piece: int = 70_001) -> None:
        self._file = io.BytesIO(content)
        self._piece = piece

    def read(self, size: int = 1 << 20, /) -> bytes:
        return self._file.read(min(size, self._piece))

    def facts(self) -> Facts:
        return FACTS


class NoisyBytes:
    """Bytes that hardly pack."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same ones each time

    def take(self, size: int) -> bytes:
        return self._random.randbytes(size)


@dataclass(frozen=True)
class Entry:
    """What the ledger would know."""

    customer: str
    set_id: str
    manifest_sha256: str | None


@dataclass(frozen=True)
class Kept:
    """A backup at two sites."""

    sites: tuple[FolderSite, FolderSite]
    keys: BackupKeys
    entry: Entry
    manifest: Manifest
    content: bytes

    @property
    def part(self) -> Path:
        return self.part_at(0)

    def part_at(self, place: int) -> Path:
        return self.sites[place].folder / self.name

    @property
    def name(self) -> str:
        return f"{self.manifest.folder}/database.age"

    @property
    def manifest_path(self) -> Path:
        return self.sites[0].folder / self.manifest.folder / FILE

    def restored(self, place: int = 0) -> Iterator[bytes]:
        identity = self.keys.identity(self.manifest.key_id)
        return opened(self.sites[place], self.name, self.manifest.parts[0], identity, self.manifest.key_id)


def two_sites(folder: Path) -> tuple[FolderSite, FolderSite]:
    for name in ("first", "second"):
        (folder / name).mkdir(exist_ok=True)
    return (
        FolderSite(folder=folder / "first", machine="one.example"),
        FolderSite(folder=folder / "second", machine="two.example"),
    )


def keep(folder: Path, customer: str = "acme", sequence: int = 1, size: int = 200_000) -> Kept:
    sites, keys = two_sites(folder), BackupKeys(folder / "keys")
    content = NoisyBytes(sequence).take(size)
    set_id = f"2026-11-23-{sequence:06}"
    recipient = keys.recipient(customer)
    sent = send(f"{customer}/{set_id}/database.age", BytesDump(content), recipient, sites)
    assert not sent.failed
    manifest = Manifest(
        customer=customer,
        set_id=set_id,
        sequence=sequence,
        night_on=date(2026, 11, 23),
        parts=(part_of("database.age", sent),),
        key_id=recipient.key_id,
        made_at=AT,
    )
    file = signed(manifest, keys)
    for site in sites:
        site.store(f"{customer}/{set_id}/{FILE}", [file])
    return Kept(sites, keys, Entry(customer, set_id, sha256_of(file)), manifest, content)
