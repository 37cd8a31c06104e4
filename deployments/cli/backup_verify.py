"""Reads a backup at its sites and compares it with the ledger, now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.cli import prefect_server, printing
from deployments.cli.backup_errors import BackupDeleted
from nakoming.errors import NakomingError
from nakoming.records import agreements, backups
from nakoming.records.backup_keys import BackupKeys
from nakoming.records.backups import SetState
from tasks.backup import verifying
from tasks.backup.connections import site_of
from tasks.backup.errors import NoBackupAgreed
from tasks.installation import records

if TYPE_CHECKING:
    from nakoming.records.backups import BackupEntry


@dataclass(frozen=True, kw_only=True)
class Copy:
    """What was found at a site: the bytes that were read, or what is wrong."""

    site: str
    good: bool
    read_bytes: int
    said: str


def verified(customer: str, set_id: str, site: str | None, *, as_json: bool) -> bool:
    """Read it at one site or at both; whether all that was read is good.

    Raises:
        UnknownAgreement: there is no such customer.
        UnknownBackup: there is no such backup.
        BackupDeleted: there is nothing to read, or not yet.
        NoBackupAgreed: the agreement names no sites.
        PrefectUnknown: there is no server that knows the sites.
    """
    with records().read() as tx:
        terms = agreements.get(tx, customer).backup
        entry = backups.get(tx, customer, set_id)
    if entry.state != SetState.VERIFIED:
        raise BackupDeleted(set_id=set_id, customer=customer, state=entry.state)
    if not terms.is_made:
        raise NoBackupAgreed(customer=customer)
    named = {"first": str(terms.first_site), "second": str(terms.second_site)}
    prefect_server.enter()
    found = [_read(entry, name) for place, name in named.items() if site in {None, place}]
    if as_json:
        printing.emit(found)
    else:
        for each in found:
            printing.line(f"{each.site}: {each.said}")
    return all(each.good for each in found)


def _read(entry: BackupEntry, name: str) -> Copy:
    try:
        good = verifying.verified(site_of(name), entry, BackupKeys(records().keys.folder))
    except NakomingError as wrong:
        return Copy(site=name, good=False, read_bytes=0, said=f"{wrong} [{wrong.code}]")
    said = f"good; {good.read_bytes} bytes were read and are those of the ledger."
    return Copy(site=name, good=True, read_bytes=good.read_bytes, said=said)
