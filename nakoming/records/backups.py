"""The ledger of backups: what was written, what is proven good, what was deleted and by which rule.

A site can be asked what it holds; only the ledger knows what it should hold. An older set in a newer one's
place, or another customer's, has a signature that is good and a digest that is not the one written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, update

from nakoming.records import schema
from nakoming.records.errors import RecordsError
from nakoming.records.events import Event
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Row

    from nakoming.records.store import Tx

_sets, _proofs = schema.backup_sets, schema.backup_proofs


class UnknownBackup(RecordsError):
    """No such backup."""

    template = "{customer} has no backup {set_id}; `nakoming backup list {customer}` shows those there are."
    code = "NK2050"
    exit_status = 4


class BackupNotWriting(RecordsError):
    """A backup that is verified or deleted already cannot become it again."""

    template = "Backup {set_id} of {customer} is {state}; allowed: {allowed}."
    code = "NK2051"


class SetState(StrEnum):
    """Where a backup stands."""

    WRITING = "writing"  # begun; what lies at the sites may be anything
    VERIFIED = "verified"  # read back in full from both sites
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True)
class BackupEntry:
    """A backup as the ledger knows it. Its parts lie at each site under `<customer>/<set_id>/`."""

    id: str
    customer: str
    sequence: int
    set_id: str
    night_on: date
    state: SetState
    manifest_sha256: str | None
    key_id: str | None
    bytes: int | None
    raw_bytes: int | None
    rows_total: int | None
    began_at: datetime
    taken_at: datetime | None
    verified_at: datetime | None
    deleted_at: datetime | None
    rule: str | None
    case_id: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What is written of a backup when both sites were read back.

    Attributes:
        manifest_sha256: of the file of the manifest.
        key_id: with which key it was encrypted.
        bytes: as stored.
        raw_bytes: before compression.
        rows_total: rows of all tables, and files.
        taken_at: by our own clock, when the dump was asked for: what it holds is not older.
    """

    manifest_sha256: str
    key_id: str
    bytes: int
    raw_bytes: int
    rows_total: int
    taken_at: datetime


def begin(tx: Tx, customer: str, night_on: date, *, case_id: str) -> BackupEntry:
    """Begin a backup: its number and its name. A case that begins again goes on with its own."""
    c = _sets.c
    mine = select(_sets).where(c.case_id == case_id, c.state == SetState.WRITING, c.customer == customer)
    found = tx.connection.execute(mine.order_by(c.sequence.desc()).limit(1)).one_or_none()
    if found is not None:
        return _entry(found)
    while True:
        last = select(func.max(c.sequence)).where(c.customer == customer)
        sequence = (tx.connection.execute(last).scalar_one() or 0) + 1
        row = {
            "id": new_id(),
            "customer": customer,
            "sequence": sequence,
            "set_id": f"{night_on}-{sequence:06}",
            "night_on": str(night_on),
            "state": SetState.WRITING,
            "began_at": tx.now,
            "case_id": case_id,
        }
        if tx.insert_once(_sets, row):
            return get(tx, customer, str(row["set_id"]))


def get(tx: Tx, customer: str, set_id: str) -> BackupEntry:
    """A backup by its name; `UnknownBackup` when there is none."""
    query = select(_sets).where(_sets.c.customer == customer, _sets.c.set_id == set_id)
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        raise UnknownBackup(customer=customer, set_id=set_id)
    return _entry(row)


def verified(tx: Tx, customer: str, set_id: str, found: Verified) -> None:
    """Both sites were read back: from now on it is a backup. With its evidence (S-2.4.2, S-2.4.6).

    Raises:
        UnknownBackup: there is no such backup.
        BackupNotWriting: it is deleted, or verified with another manifest.
    """
    entry = get(tx, customer, set_id)
    if entry.state == SetState.VERIFIED and entry.manifest_sha256 == found.manifest_sha256:
        return
    _change(tx, entry, SetState.WRITING, vars(found) | {"state": SetState.VERIFIED, "verified_at": tx.now})
    payload = vars(found) | {"set": set_id, "sequence": entry.sequence, "night": str(entry.night_on)}
    payload |= {"began_at": entry.began_at.isoformat(), "taken_at": found.taken_at.isoformat()}
    about = f"backup:{entry.id}"
    tx.prove(Event.BACKUP_VERIFIED, customer, payload, case_id=entry.case_id, about=about, clause="S-2.4.2")


def deleted(tx: Tx, customer: str, set_id: str, *, rule: str, clause: str) -> None:
    """It is gone from both sites. With its evidence, once (S-2.4.3, S-2.4.4).

    Raises:
        UnknownBackup: there is no such backup.
    """
    entry = get(tx, customer, set_id)
    if entry.state == SetState.DELETED:
        return
    _change(tx, entry, entry.state, {"state": SetState.DELETED, "deleted_at": tx.now, "rule": rule})
    payload = {
        "set": set_id,
        "sequence": entry.sequence,
        "was": str(entry.state),
        "rule": rule,
        "taken_at": entry.taken_at.isoformat() if entry.taken_at else None,
    }
    about = f"backup:{entry.id}"
    tx.prove(Event.BACKUP_DELETED, customer, payload, case_id=entry.case_id, about=about, clause=clause)


def _change(tx: Tx, entry: BackupEntry, from_state: SetState, values: dict[str, Any]) -> None:
    changed = update(_sets).where(_sets.c.id == entry.id, _sets.c.state == from_state).values(values)
    if tx.connection.execute(changed).rowcount != 1:
        now = get(tx, entry.customer, entry.set_id).state
        raise BackupNotWriting(customer=entry.customer, set_id=entry.set_id, state=now, allowed=from_state)


def listed(
    tx: Tx, customer: str, states: Collection[SetState] = (SetState.WRITING, SetState.VERIFIED)
) -> list[BackupEntry]:
    """A customer's backups in these states, the oldest first."""
    c = _sets.c
    query = select(_sets).where(c.customer == customer, c.state.in_(states)).order_by(c.sequence)
    return [_entry(row) for row in tx.connection.execute(query)]


def newest_verified(tx: Tx, customer: str) -> BackupEntry | None:
    """The newest that is verified; None: there is none."""
    c = _sets.c
    query = select(_sets).where(c.customer == customer, c.state == SetState.VERIFIED)
    row = tx.connection.execute(query.order_by(c.sequence.desc()).limit(1)).one_or_none()
    return None if row is None else _entry(row)


def newest_restorable(tx: Tx) -> dict[str, BackupEntry]:
    """Per customer the newest that is verified and that no proof found bad since (S-2.4.7).

    A reading says less than a restore: only a restore makes good what a restore found bad.
    """
    c, p, later = _sets.c, _proofs.c, _proofs.alias("later")
    overrules = or_(later.c.kind == p.kind, later.c.kind == "drill")
    overruled = select(later.c.id).where(
        later.c.backup_set_id == p.backup_set_id, later.c.good.is_(True), later.c.at > p.at, overrules
    )
    bad = select(p.id).where(p.backup_set_id == c.id, p.good.is_(False), ~overruled.exists())
    good = and_(c.state == SetState.VERIFIED, ~bad.correlate(_sets).exists())
    rows = tx.connection.execute(select(_sets).where(good).order_by(c.sequence))
    return {row.customer: _entry(row) for row in rows}


def of_night(tx: Tx, night_on: date) -> list[BackupEntry]:
    """All that were begun for a night, deleted ones too, by customer."""
    query = select(_sets).where(_sets.c.night_on == str(night_on))
    return [_entry(row) for row in tx.connection.execute(query.order_by(_sets.c.customer, _sets.c.sequence))]


def nights_kept(tx: Tx, customer: str, since: date) -> set[date]:
    """The nights from `since` on of which a backup was verified, whether or not it is still there."""
    c = _sets.c
    query = select(c.night_on).where(
        c.customer == customer, c.verified_at.is_not(None), c.night_on >= str(since)
    )
    return {date.fromisoformat(night) for night in tx.connection.execute(query).scalars()}


def first_night(tx: Tx, customer: str) -> date | None:
    """The night of a customer's first verified backup; None: there was none."""
    c = _sets.c
    query = select(func.min(c.night_on)).where(c.customer == customer, c.verified_at.is_not(None))
    found = tx.connection.execute(query).scalar_one()
    return None if found is None else date.fromisoformat(found)


def last_known_at(tx: Tx, before: date) -> datetime | None:
    """When the clock was read last for a night before this one; None: there was no such night."""
    c = _sets.c
    query = select(func.max(func.coalesce(c.verified_at, c.began_at))).where(c.night_on < str(before))
    found: datetime | None = tx.connection.execute(query).scalar_one()
    return found


def durations(tx: Tx, since: date) -> dict[str, timedelta]:
    """How long the last verified backup of each customer took, of nights from `since` on."""
    c = _sets.c
    query = select(c.customer, c.began_at, c.verified_at).where(
        c.verified_at.is_not(None), c.night_on >= str(since)
    )
    rows = tx.connection.execute(query.order_by(c.sequence))
    return {row.customer: row.verified_at - row.began_at for row in rows}


def manifests(tx: Tx, customer: str) -> dict[str, str]:
    """Which manifest each verified backup at the sites must have: SHA-256 by name."""
    return {
        entry.set_id: entry.manifest_sha256
        for entry in listed(tx, customer, (SetState.VERIFIED,))
        if entry.manifest_sha256
    }


def _entry(row: Row[Any]) -> BackupEntry:
    data = row._asdict()
    data["night_on"] = date.fromisoformat(data["night_on"])
    data["state"] = SetState(data["state"])
    return BackupEntry(**data)
