"""The newest off-site backup of one customer, restored to prove it (S-2.4.7, S-2.1.3d)."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from nakoming.errors import NakomingError
from nakoming.records import agreements, backups
from nakoming.records.backup_keys import BackupKeys
from nakoming.records.backups import SetState
from nakoming.records.errors import ResourceBusy
from tasks.backup import limits
from tasks.backup.connections import scratch_of, site_of, source_of
from tasks.backup.drill_errors import FactsDiffer, SetGone, is_of_the_set
from tasks.backup.drill_scratch import drop_left, live_names, scratch_for, scratch_name
from tasks.backup.missed import backed_up
from tasks.backup.opening import opened
from tasks.backup.verifying import read_manifest
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from blocks.backup.protocol import Facts, Scratch, Site
    from nakoming.agreement.backup_terms import Backup
    from nakoming.records.backups import BackupEntry
    from nakoming.records.store import Records
    from tasks.backup.manifest import Manifest, Part

PATIENCE: Final = timedelta(minutes=10)
TIMEOUT: Final = timedelta(hours=4)
PER_SCRATCH: Final = 2
_MOST_TABLES: Final = 5
_NOBODY_LEFT: Final = "its agreement names no backup any more"
_NOTHING_YET: Final = "there is no verified backup yet"
_logger = logging.getLogger(__name__)


class Drilled(BaseModel):
    """How one restore went.

    Attributes:
        customer: whose backup.
        set_id: which; None: there is none.
        taken_at: when its data were taken.
        site: the site it was read from.
        good: whether it is what it should be; None: it could not be tried, and nothing is known.
        said: what was compared and found good, or the reason.
        rto: how long it took from asking the site to the end of the checks.
    """

    model_config = ConfigDict(frozen=True)

    customer: str
    set_id: str | None = None
    taken_at: datetime | None = None
    site: str = ""
    good: bool | None = None
    said: str
    rto: timedelta | None = None


@step(
    doubt=repeat("what an earlier attempt left is dropped before it is restored again"),
    timeout=TIMEOUT,
)
def drill_customer(work: Work, *, customer: str) -> Drilled:
    """Restore a customer's newest backup from the second site, compare it with its manifest, drop it.

    Never raises for what is wrong with one customer: the others' drills go on.
    """
    with work.records.read() as tx:
        terms, entry = agreements.get(tx, customer).backup, backups.newest_verified(tx, customer)
    if not terms.is_made:
        return Drilled(customer=customer, said=_NOBODY_LEFT)
    if entry is None:
        return Drilled(customer=customer, said=_NOTHING_YET)
    known = Drilled(
        customer=customer,
        set_id=entry.set_id,
        taken_at=entry.taken_at,
        site=str(terms.second_site),
        said="",
    )
    try:
        said, rto = _tried(work, customer, terms, entry)
    except Exception as error:  # noqa: BLE001 - whatever it was: the others go on, and it is told
        return known.model_copy(update=_failure(work.records, entry, error))
    return known.model_copy(update={"good": True, "said": said, "rto": rto})


def _failure(records: Records, entry: BackupEntry, error: Exception) -> dict[str, object]:
    """Whether the backup is bad or could not be tried, and why."""
    with records.read() as tx:
        if backups.get(tx, entry.customer, entry.set_id).state is not SetState.VERIFIED:
            error = SetGone(set_id=entry.set_id, customer=entry.customer)
    said = (
        f"{error} [{error.code}]" if isinstance(error, NakomingError) else f"{type(error).__name__}: {error}"
    )
    return {"good": False if is_of_the_set(error) else None, "said": said}


def _tried(work: Work, customer: str, terms: Backup, entry: BackupEntry) -> tuple[str, timedelta]:
    """Restore every part and check it; what was found good, and how long it took."""
    site = site_of(str(terms.second_site))
    wanted = {f"backup/site/{site.server()}": limits.PER_SITE, _place(customer): 1}
    with limits.places(work, wanted, patience=PATIENCE):
        drop_left(customer, terms)
        live = live_names(work.records)
        started = time.monotonic()
        keys = BackupKeys(work.records.keys.folder)
        manifest, _ = read_manifest(site, entry, keys)
        trial = _Trial(site, manifest, keys, live)
        found = [trial.of(part, scratch_for(customer, terms, part)) for part in manifest.parts]
        rto = timedelta(seconds=time.monotonic() - started)
    return " ".join([*found, *_beside_live(terms)]), rto


def _place(customer: str) -> str:
    return f"backup/drill/{customer}"


def _beside_live(terms: Backup) -> list[str]:
    """Say so when the restore was tried on the server of the live database."""
    try:
        live, tried = source_of(str(terms.database)).server(), scratch_of(str(terms.scratch)).server()
    except NakomingError:
        return []  # the source's block is gone: a restore works without it
    return [f"It was tried on {live}, the live server."] if live == tried else []


class _Trial:
    # One backup at one site; each part is restored, compared, checked and dropped in turn.

    def __init__(self, site: Site, manifest: Manifest, keys: BackupKeys, live: frozenset[str]) -> None:
        self._site = site
        self._manifest = manifest
        self._identity = keys.identity(manifest.key_id)
        self._live = live
        self._name = scratch_name(manifest.customer)

    def of(self, part: Part, scratch: Scratch) -> str:
        """Restore a part and compare it; what was found good."""
        file = f"{self._manifest.folder}/{part.name}"
        dump = opened(self._site, file, part, self._identity, self._manifest.key_id)
        try:
            with closing(dump):
                scratch.restore(self._name, dump, self._live)
            require_equal(file, part.facts.rows, part.facts.checksums, scratch.facts(self._name))
            said = scratch.check(self._name)
        finally:
            _drop(scratch, self._name)
        rows = sum(part.facts.rows.values())
        return f"{part.name}: {rows} rows of {len(part.facts.rows)} tables are equal. {' '.join(said)}"


def _drop(scratch: Scratch, name: str) -> None:
    # What cannot be dropped now is dropped before the next drill; the reason it failed for is what counts.
    try:
        scratch.drop(name)
    except Exception as error:  # noqa: BLE001 - see above
        _logger.warning("%s could not be dropped: %s", name, error)


def require_equal(what: str, rows: Mapping[str, int], checksums: Mapping[str, str], found: Facts) -> None:
    """Compare what was restored with what was dumped, table by table.

    Raises:
        FactsDiffer: it is another; the first few tables are named.
    """
    differing = [
        *(
            f"{table} has {found.rows.get(table, 'no')} rows, not {count}"
            for table, count in _other(rows, found.rows)
        ),
        *(f"{table} is there and was not dumped" for table in sorted(found.rows.keys() - rows.keys())),
    ]
    counted = {table for table in rows if found.rows.get(table) != rows[table]}
    names = sorted(checksums.keys() | found.checksums.keys())
    differing += [
        f"{name} has other values"
        for name in names
        if checksums.get(name) != found.checksums.get(name) and name not in counted
    ]
    if differing:
        raise FactsDiffer(what=what, differences=_first(differing))


def _other(rows: Mapping[str, int], found: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return ((table, rows[table]) for table in sorted(rows) if found.get(table) != rows[table])


def _first(differing: list[str]) -> str:
    more = f" (+{len(differing) - _MOST_TABLES})" if len(differing) > _MOST_TABLES else ""
    return "; ".join(differing[:_MOST_TABLES]) + more


@step(doubt=repeat("what is gone is not there to be dropped"), timeout=timedelta(minutes=30))
def sweep(work: Work) -> int:
    """Drop what killed drills left, of all customers; how many there were."""
    with work.records.read() as tx:
        agreed = {each: agreements.get(tx, each).backup for each in backed_up(tx)}
    dropped = 0
    for customer, terms in agreed.items():
        try:
            with limits.places(work, {_place(customer): 1}, patience=timedelta(0)):
                dropped += drop_left(customer, terms)
        except ResourceBusy:
            continue  # another night's drill is at work in it
    return dropped
