"""Whether a backup at a site is the one the ledger knows, byte for byte: nothing else makes it good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from blocks.backup.errors import FileGone
from blocks.backup.site_names import PART
from tasks.backup import manifest as manifests
from tasks.backup.manifest import FILE, MOST_BYTES, Manifest, folder_of
from tasks.backup.opening import check, check_size
from tasks.backup.stream_errors import ManifestInvalid, ManifestMissing, SetIncomplete, SetStrange

if TYPE_CHECKING:
    from blocks.backup.protocol import Site
    from nakoming.records.backup_keys import BackupKeys


class LedgerEntry(Protocol):
    """What the ledger knows of a backup."""

    @property
    def customer(self) -> str:
        """Whose it is."""

    @property
    def set_id(self) -> str:
        """Its name."""

    @property
    def manifest_sha256(self) -> str | None:
        """Of the manifest's file; None while it is written, and where no ledger is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A good backup.

    Attributes:
        manifest: what it says.
        manifest_sha256: of its file.
        read_bytes: how many bytes of parts were read and compared.
    """

    manifest: Manifest
    manifest_sha256: str
    read_bytes: int


def read_manifest(site: Site, entry: LedgerEntry, keys: BackupKeys) -> tuple[Manifest, str]:
    """The manifest of a backup at a site, and the SHA-256 of its file; parts are not looked at.

    Raises:
        ManifestMissing: there is none.
        BackupError: it is not that of this backup; see `manifest.parsed`.
    """
    where = {"customer": entry.customer, "set_id": entry.set_id, "site": site.server()}
    file = bytearray()
    try:
        for block in site.read(f"{folder_of(entry.customer, entry.set_id)}/{FILE}"):
            file += block
            if len(file) > MOST_BYTES:
                raise ManifestInvalid(**where, reason=f"it has more than {MOST_BYTES} bytes")
    except FileGone as error:
        raise ManifestMissing(**where) from error
    whole = bytes(file)
    found = manifests.parsed(whole, keys, **where, sha256=entry.manifest_sha256)
    return found, manifests.sha256_of(whole)


def verified(site: Site, entry: LedgerEntry, keys: BackupKeys, *, parts: bool = True) -> Found:
    """Read a backup at a site and compare it with the ledger.

    Args:
        site: where it lies.
        entry: the ledger's.
        keys: whose signatures are trusted.
        parts: whether to read its parts in full; else only their names and sizes are compared.

    Raises:
        SetIncomplete: a part is not there; SetStrange: something else is.
        BackupError: the first thing that is not as it was kept.
    """
    manifest, sha256 = read_manifest(site, entry, keys)
    _check_names(site, manifest)
    read_bytes = 0
    if parts:
        for part in manifest.parts:
            read_bytes += check(site, f"{manifest.folder}/{part.name}", part)
    return Found(manifest=manifest, manifest_sha256=sha256, read_bytes=read_bytes)


def _check_names(site: Site, manifest: Manifest) -> None:
    # Unfinished files are left alone: a run that repeats the backup may be at work on them.
    where = {"customer": manifest.customer, "set_id": manifest.set_id, "site": site.server()}
    names = {f"{manifest.folder}/{part.name}": part for part in manifest.parts}
    there = {name: size for name, size in site.files(manifest.folder).items() if not name.endswith(PART)}
    missing = [name for name in names if name not in there]
    if missing:
        raise SetIncomplete(**where, missing=", ".join(missing))
    strange = sorted(set(there) - set(names) - {f"{manifest.folder}/{FILE}"})
    if strange:
        raise SetStrange(**where, strange=", ".join(strange[:5]))
    for name, part in names.items():
        check_size(site, name, part, there[name])
