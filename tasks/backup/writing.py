"""The steps of one customer's backup: each part to both sites and read back, the manifest last (S-2.4.6).

A site that does not answer stops no dump: what the other one holds is copied to it in a step of its own, so
that trying again begins there and not at the database.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from nakoming.errors import NakomingError
from nakoming.records import backups
from nakoming.records.backup_keys import BackupKeys, Recipient
from nakoming.records.backups import SetState
from nakoming.records.events import Event
from tasks.backup import limits
from tasks.backup import manifest as manifests
from tasks.backup.connections import site_of, source_of
from tasks.backup.errors import OneServer
from tasks.backup.manifest import FILE, Manifest, Part, folder_of
from tasks.backup.opening import check
from tasks.backup.stream import copy, send
from tasks.backup.verifying import verified
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from blocks.backup.protocol import Site, Source

PATIENCE: Final = timedelta(hours=1)
TIMEOUT: Final = timedelta(hours=4)
_TOOLS: Final = ("pyrage", "zstandard")
_AGAIN: Final = "the same names are written again, and what is there is replaced"


class Kept(BaseModel):
    """A part that at least one site holds, read back from there.

    Attributes:
        part: what it is.
        lacks: the sites that do not hold it.
        key_id: with which key it is sealed.
        server: on which the source is.
        asked_at: when the dump was asked for, by our own clock: what it holds is not older.
    """

    model_config = ConfigDict(frozen=True)

    part: Part
    lacks: tuple[str, ...]
    key_id: str
    server: str
    asked_at: datetime


class Written(BaseModel):
    """A backup that both sites hold, read back.

    Attributes:
        manifest_sha256: of the file of the manifest.
        servers: on which server each site is, and the database.
        key_id: with which key it is sealed.
        bytes: as stored.
        raw_bytes: before compression.
        rows_total: rows of all tables, and files.
        taken_at: by our own clock; no part of it is older. The manifest tells the sources' own clocks.
    """

    model_config = ConfigDict(frozen=True)

    manifest_sha256: str
    servers: dict[str, str]
    key_id: str
    bytes: int
    raw_bytes: int
    rows_total: int
    taken_at: datetime


@step(doubt=repeat(_AGAIN), timeout=TIMEOUT)
def send_part(
    work: Work, *, set_id: str, file: str, source: str, sites: list[str], key_id: str | None = None
) -> Kept:
    """Dump a source to both sites in one stream, and read back what each of them holds.

    Args:
        work: of the step.
        set_id: of the backup.
        file: of the part.
        source: the block of what is dumped.
        sites: the blocks of the sites.
        key_id: the key of the parts before, for all have one; None: this is the first.

    Raises:
        BackupKeyLost: the key of the parts before is gone.
        OneServer: the sites, or the source and the second site, are on one server.
        BackupError: the dump failed, or no site holds it.
        ResourceBusy: a server had no place for it for an hour.
    """
    database, places = source_of(source), [site_of(each) for each in sites]
    require_two_servers(work.customer, database, places)
    wanted = {f"backup/source/{database.server()}": limits.PER_DATABASE_SERVER} | _shared(work, places)
    path = f"{folder_of(work.customer, set_id)}/{file}"
    with limits.places(work, wanted, patience=PATIENCE):
        recipient, asked_at = _recipient(work, key_id), _now(work)
        with database.dump() as dump:
            sent = send(path, dump, recipient, places)
        part = manifests.part_of(file, sent)  # type: ignore[arg-type]  # the manifest refuses other names
        failed = dict(sent.failed)
        for number, site in enumerate(places):
            if number not in failed:
                _read_back(site, path, part, number, failed)
    if len(failed) == len(places):
        raise failed[0]
    lacks = tuple(sites[number] for number in failed)
    server = database.server()
    return Kept(part=part, lacks=lacks, key_id=recipient.key_id, server=server, asked_at=asked_at)


def _now(work: Work) -> datetime:
    with work.records.read() as tx:
        return tx.now


def _read_back(site: Site, file: str, part: Part, number: int, failed: dict[int, NakomingError]) -> None:
    try:
        check(site, file, part)
    except NakomingError as damaged:
        failed[number] = damaged


def _recipient(work: Work, key_id: str | None) -> Recipient:
    """For whom it is sealed; a key that is made now leaves its evidence."""
    keys = BackupKeys(work.records.keys.folder)
    if key_id is not None:
        return Recipient(key_id, str(keys.identity(key_id).to_public()))
    before = keys.generations(work.customer)
    with work.records.read() as tx:
        used = {each.key_id for each in backups.listed(tx, work.customer, tuple(SetState)) if each.key_id}
    recipient = keys.recipient(work.customer, used)
    if keys.generations(work.customer) != before:
        with work.records.write() as tx:
            payload = {"key": recipient.key_id, "recipient": recipient.public}
            tx.prove(Event.BACKUP_KEY_MADE, work.customer, payload, case_id=work.lease.case_id)
    return recipient


@step(doubt=repeat(_AGAIN), timeout=TIMEOUT)
def copy_part(work: Work, *, set_id: str, part: Part, source: str, target: str) -> int:
    """Copy a part to the site that lacks it, and read it back there.

    Raises:
        BackupError: it is not there.
        ResourceBusy: a server had no place for it for an hour.
    """
    holding, lacking = site_of(source), site_of(target)
    file = f"{folder_of(work.customer, set_id)}/{part.name}"
    with limits.places(work, _shared(work, [holding, lacking]), patience=PATIENCE):
        copy(file, part, holding, lacking)
        return check(lacking, file, part)


@step(doubt=repeat("the same manifest has the same bytes"), timeout=timedelta(minutes=30))
def write_manifest(
    work: Work,
    *,
    set_id: str,
    sequence: int,
    night_on: date,
    previous: str | None,
    made_at: datetime,
    parts: list[Kept],
    sites: list[str],
) -> Written:
    """Write the manifest to both sites and read it back with the names and sizes of all parts.

    Raises:
        BackupError: it is not at both sites as it was written.
    """
    manifest = Manifest(
        customer=work.customer,
        set_id=set_id,
        sequence=sequence,
        night_on=night_on,
        parts=tuple(each.part for each in parts),
        key_id=parts[0].key_id,
        tools={name: version(name) for name in _TOOLS},
        made_at=made_at,
        previous=previous,
    )
    keys = BackupKeys(work.records.keys.folder)
    file = manifests.signed(manifest, keys)
    with work.records.read() as tx:
        entry = replace(backups.get(tx, work.customer, set_id), manifest_sha256=manifests.sha256_of(file))
    servers = {"the source": parts[0].server}
    for name in sites:
        site = site_of(name)
        servers[name] = site.server()
        site.store(f"{manifest.folder}/{FILE}", [file])
        verified(site, entry, keys, parts=False)
    return Written(
        manifest_sha256=manifests.sha256_of(file),
        servers=servers,
        key_id=manifest.key_id,
        bytes=sum(part.bytes for part in manifest.parts),
        raw_bytes=sum(part.raw_bytes for part in manifest.parts),
        rows_total=sum(sum(part.facts.rows.values()) for part in manifest.parts),
        taken_at=min(each.asked_at for each in parts),
    )


def _shared(work: Work, sites: list[Site]) -> dict[str, int]:
    """What is shared, and how many may use it at once; one backup of a customer at a time."""
    targets = {f"backup/site/{site.server()}": limits.PER_SITE for site in sites}
    return {f"backup/customer/{work.customer}": 1} | targets


def require_two_servers(customer: str, source: Source, sites: list[Site]) -> None:
    """Refuse two sites on one server, and a second site beside the source (S-2.4.6).

    Raises:
        OneServer: so it is.
    """
    first, second = sites
    named = {"the first site": first.server(), "the database": source.server()}
    for name, server in named.items():
        if server == second.server():
            raise OneServer(first=name, second="the second site", customer=customer, server=server)
