"""Files at the sites that no backup of the ledger owns."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from nakoming.errors import NakomingError
from nakoming.records import agreements, backups
from tasks.backup.connections import site_of
from tasks.backup.manifest import folder_of
from tasks.backup.missed import backed_up
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from nakoming.records.store import Tx

MOST_FILES: Final = 1_000


@step(doubt=repeat("looking changes nothing"), timeout=timedelta(hours=1))
def unknown_files(work: Work) -> dict[str, list[str]]:
    """The files at each site that no backup of the ledger owns; a site that does not answer has none here."""
    with work.records.read() as tx:
        sites, known = _agreed(tx)
    found = {}
    for name in sites:
        try:
            files = site_of(name).files()
        except NakomingError:
            continue  # reading the backups there said so already
        strange = sorted(file for file in files if file.rpartition("/")[0] not in known)
        if strange:
            found[name] = strange[:MOST_FILES]
    return found


def _agreed(tx: Tx) -> tuple[list[str], set[str]]:
    """The sites, and the folders of all backups that are kept or being written."""
    customers = backed_up(tx)
    terms = [agreements.get(tx, each).backup for each in customers]
    sites = sorted({str(name) for each in terms for name in (each.first_site, each.second_site)})
    kept = {
        folder_of(each, entry.set_id)
        for each in agreements.customers(tx)
        for entry in backups.listed(tx, each)
    }
    return sites, kept
