"""What restores and readings of backups found: the series of RPO and RTO, and what cannot be restored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, select

from nakoming.records import backups, schema
from nakoming.records.events import Event
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

    from nakoming.records.store import Tx

_sets, _proofs = schema.backup_sets, schema.backup_proofs
ProofKind = Literal["drill", "scrub"]


@dataclass(frozen=True, kw_only=True)
class BackupProof:
    """One attempt to restore a backup, or to read it again.

    Attributes:
        set_id: which backup.
        sequence: its number.
        site: whose copy.
        kind: a restore (drill) or a reading (scrub).
        at: when it ended.
        good: whether the backup is what it should be.
        rpo: age of the data at that instant.
        rto: how long the restore took.
        said: what was compared, or what went wrong.
    """

    set_id: str
    sequence: int
    site: str
    kind: ProofKind
    at: datetime
    good: bool
    rpo: timedelta | None
    rto: timedelta | None
    said: str


def proven(tx: Tx, customer: str, proof: BackupProof, *, case_id: str | None = None) -> None:
    """Write what an attempt to restore or to read a backup found, with its evidence (S-2.4.7).

    Raises:
        UnknownBackup: there is no such backup.
    """
    entry = backups.get(tx, customer, proof.set_id)
    seconds = {name: _seconds(value) for name, value in (("rpo", proof.rpo), ("rto", proof.rto))}
    row = {
        "id": new_id(),
        "backup_set_id": entry.id,
        "site": proof.site,
        "kind": proof.kind,
        "at": proof.at,
        "good": proof.good,
        "rpo_seconds": seconds["rpo"],
        "rto_seconds": seconds["rto"],
        "said": proof.said,
        "case_id": case_id,
    }
    tx.insert_once(_proofs, row)
    payload = {
        "set": entry.set_id,
        "sequence": entry.sequence,
        "site": proof.site,
        "kind": proof.kind,
        "rpo_seconds": seconds["rpo"],
        "rto_seconds": seconds["rto"],
        "said": proof.said,
    }
    event = Event.BACKUP_RESTORE_PROVEN if proof.good else Event.BACKUP_RESTORE_FAILED
    tx.prove(event, customer, payload, case_id=case_id, about=f"backup:{entry.id}", clause="S-2.4.7")


def series(tx: Tx, customer: str, kind: ProofKind = "drill") -> list[BackupProof]:
    """The proofs of a customer's backups, the oldest first: the series of RPO and RTO."""
    query = _proofs_of(customer).where(_proofs.c.kind == kind)
    return [_proof(row) for row in tx.connection.execute(query.order_by(_proofs.c.at))]


def last_proofs(tx: Tx, kind: ProofKind = "drill") -> dict[str, datetime]:
    """When each customer's backups were proven good last."""
    p, c = _proofs.c, _sets.c
    joined = _proofs.join(_sets, c.id == p.backup_set_id)
    query = select(c.customer, func.max(p.at)).select_from(joined).where(p.kind == kind, p.good.is_(True))
    return {row[0]: row[1] for row in tx.connection.execute(query.group_by(c.customer))}


def _proofs_of(customer: str) -> Select[Any]:
    joined = _proofs.join(_sets, _sets.c.id == _proofs.c.backup_set_id)
    columns = (_proofs, _sets.c.set_id, _sets.c.sequence)
    return select(*columns).select_from(joined).where(_sets.c.customer == customer)


def _seconds(value: timedelta | None) -> int | None:
    return None if value is None else round(value.total_seconds())


def _proof(row: Row[Any]) -> BackupProof:
    return BackupProof(
        set_id=row.set_id,
        sequence=row.sequence,
        site=row.site,
        kind=row.kind,
        at=row.at,
        good=row.good,
        rpo=None if row.rpo_seconds is None else timedelta(seconds=row.rpo_seconds),
        rto=None if row.rto_seconds is None else timedelta(seconds=row.rto_seconds),
        said=row.said,
    )
