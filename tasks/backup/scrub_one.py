"""Each kept backup of one customer, read in full at both sites; a damaged copy is made good again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict

from nakoming.errors import NakomingError
from nakoming.records import agreements, backups
from nakoming.records.backup_keys import BackupKeys
from nakoming.records.backups import SetState
from tasks.backup import limits
from tasks.backup.connections import site_of
from tasks.backup.drill_errors import is_of_the_set
from tasks.backup.manifest import FILE
from tasks.backup.opening import check
from tasks.backup.stream import copy
from tasks.backup.stream_errors import SetStrange
from tasks.backup.verifying import read_manifest, verified
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from blocks.backup.protocol import Site
    from nakoming.records.backups import BackupEntry

PATIENCE: Final = timedelta(minutes=30)
TIMEOUT: Final = timedelta(hours=12)
Found = Literal["good", "repaired", "damaged", "unknown"]


class Copy(BaseModel):
    """What was found of one backup at one site.

    Attributes:
        site: which.
        found: good; repaired: it was damaged, and is good now; damaged: it is; unknown: it was not read.
        said: what is wrong, or was; empty for what is good.
    """

    model_config = ConfigDict(frozen=True)

    site: str
    found: Found
    said: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it is now what it should be."""
        return self.found in {"good", "repaired"}


class Scrubbed(BaseModel):
    """What was found of one backup.

    Attributes:
        set_id: which.
        copies: at both sites.
        strange: files in its folders that are not its own.
    """

    model_config = ConfigDict(frozen=True)

    set_id: str
    copies: tuple[Copy, ...]
    strange: tuple[str, ...] = ()

    @property
    def good(self) -> bool | None:
        """Whether it can be restored from a site; None: nobody knows, for one was not read."""
        if any(each.is_whole for each in self.copies):
            return True
        return None if any(each.found == "unknown" for each in self.copies) else False

    @property
    def needs_a_look(self) -> bool:
        """Whether a person should look."""
        return any(each.found != "good" for each in self.copies) or bool(self.strange)

    @property
    def said(self) -> str:
        """All of it in one line."""
        return "; ".join(
            f"{each.site}: {each.found}{f' ({each.said})' if each.said else ''}" for each in self.copies
        )


@step(
    doubt=repeat("reading changes nothing, and a repair writes the same bytes again"),
    timeout=TIMEOUT,
)
def scrub_customer(work: Work, *, customer: str) -> list[Scrubbed]:
    """Read every kept backup of a customer at both sites; a damaged copy is repaired from a good one.

    Never raises for what is wrong with one backup: the others are read too.
    """
    with work.records.read() as tx:
        terms = agreements.get(tx, customer).backup
        entries = backups.listed(tx, customer, (SetState.VERIFIED,))
    names = [str(terms.first_site), str(terms.second_site)]
    return [] if not terms.is_made else [_scrubbed(work, entry, names) for entry in entries]


def _scrubbed(work: Work, entry: BackupEntry, names: list[str]) -> Scrubbed:
    keys = BackupKeys(work.records.keys.folder)
    strange: list[str] = []
    copies = [_read(work, entry, keys, name, strange) for name in names]
    for number, each in enumerate(copies):
        other = copies[1 - number]
        if each.found == "damaged" and other.is_whole:
            copies[number] = _repaired(work, entry, keys, each, other.site)
    if _is_gone(work, entry):  # the history deleted it meanwhile: nothing is wrong
        copies = [Copy(site=name, found="good") for name in names]
    return Scrubbed(set_id=entry.set_id, copies=tuple(copies), strange=tuple(strange))


def _is_gone(work: Work, entry: BackupEntry) -> bool:
    with work.records.read() as tx:
        return backups.get(tx, entry.customer, entry.set_id).state is not SetState.VERIFIED


def _read(work: Work, entry: BackupEntry, keys: BackupKeys, name: str, strange: list[str]) -> Copy:
    """Read one copy in full."""
    try:
        site = site_of(name)
        with limits.places(work, {f"backup/site/{site.server()}": limits.PER_SITE}, patience=PATIENCE):
            strange += read_in_full(site, entry, keys)
    except NakomingError as error:
        return Copy(site=name, found="damaged" if is_of_the_set(error) else "unknown", said=str(error))
    return Copy(site=name, found="good")


def read_in_full(site: Site, entry: BackupEntry, keys: BackupKeys) -> list[str]:
    """Compare a copy with the ledger, byte for byte; files that are not its own, in words.

    Raises:
        BackupError: the first thing that is not as it was kept.
    """
    try:
        verified(site, entry, keys)
    except SetStrange as more:
        manifest, _ = read_manifest(site, entry, keys)
        for part in manifest.parts:
            check(site, f"{manifest.folder}/{part.name}", part)
        return [str(more)]
    return []


def _repaired(work: Work, entry: BackupEntry, keys: BackupKeys, damaged: Copy, good: str) -> Copy:
    """Copy it from the good site, the manifest last, and read it back."""
    try:
        source, target = site_of(good), site_of(damaged.site)
        wanted = {f"backup/site/{site.server()}": limits.PER_SITE for site in (source, target)}
        with limits.places(work, wanted, patience=PATIENCE):
            manifest, _ = read_manifest(source, entry, keys)
            for part in manifest.parts:
                name = f"{manifest.folder}/{part.name}"
                copy(name, part, source, target)
            name = f"{manifest.folder}/{FILE}"
            target.store(name, [b"".join(source.read(name))])
            read_in_full(target, entry, keys)
    except NakomingError as error:
        said = f"{damaged.said} It could not be repaired: {error}"
        return Copy(site=damaged.site, found="damaged", said=said)
    return Copy(site=damaged.site, found="repaired", said=f"{damaged.said} It was copied from {good}.")
