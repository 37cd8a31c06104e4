"""The backup of one customer in one night: written, read back, compared, and the history kept (S-2.4.2).

It is a case of its own, `backup/<customer>/<date>`, worked on within its night's run.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from nakoming.records import backups
from nakoming.records.backups import Verified
from nakoming.records.events import Event
from tasks.backup import retention
from tasks.backup.errors import NoBackupAgreed
from tasks.backup.shrinking import shrinkage
from tasks.backup.writing import Kept, Written, copy_part, send_part, write_manifest
from tasks.process import Process

if TYPE_CHECKING:
    from nakoming.agreement.backup_terms import Backup
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

KIND = "backup"
VERIFIED = "verified"
SHRUNK = "verified, but the source has shrunk"
NOT_MADE = "not made"


def walk(case: CaseRun) -> str:
    """One backup; the outcome of the case.

    Raises:
        NoBackupAgreed: the agreement names none.
        BackupError: it was not made; nothing of it counts.
    """
    terms = case.agreement().backup
    if not terms.is_made:
        raise NoBackupAgreed(customer=case.customer)
    night_on = date.fromisoformat(case.case.parameters["night"])
    begun = case.record("backup/1/begun", lambda tx: _begin(tx, case, night_on))
    written = _written(case, terms, begun, night_on)
    case.record("backup/1/verified", lambda tx: _verified(tx, case, begun["set_id"], written))
    case.prove(
        "backup/1/twice",
        Event.BACKUP_HELD_TWICE,
        clause="S-2.4.6",
        set=begun["set_id"],
        servers=written.servers,
        manifest_sha256=written.manifest_sha256,
    )
    shrunk = case.record("backup/1/compared", lambda tx: _compared(tx, case, terms, begun, written))
    _history(case, night_on)
    return SHRUNK if shrunk else VERIFIED


def _history(case: CaseRun, night_on: date) -> None:
    """Keep and delete as agreed, and leave the inventory before and after (S-2.4.3, S-2.4.4)."""
    found = retention.kept_as_agreed(case, night_on)
    inventory = {
        "kept": [each.set_id for each in found if not each.delete],
        "deleted": [each.set_id for each in found if each.delete],
    }
    if retention.history_terms(case.agreement()).is_contracted:
        case.prove("history/1/kept", Event.BACKUP_HISTORY_KEPT, clause="S-2.4.4", **inventory)
    else:
        case.prove("history/1/kept", Event.BACKUP_HISTORY_KEPT, clause="S-2.4.3", **inventory)


def _begin(tx: Tx, case: CaseRun, night_on: date) -> dict[str, Any]:
    """Its number and name, and what the last one held."""
    before = backups.newest_verified(tx, case.customer)
    entry = backups.begin(tx, case.customer, night_on, case_id=case.lease.case_id)
    return {
        "set_id": entry.set_id,
        "sequence": entry.sequence,
        "previous": before.manifest_sha256 if before else None,
        "rows_before": before.rows_total if before else None,
        "bytes_before": before.raw_bytes if before else None,
    }


def _written(case: CaseRun, terms: Backup, begun: dict[str, Any], night_on: date) -> Written:
    """Every part at both sites, then the manifest."""
    set_id, sites = begun["set_id"], [str(terms.first_site), str(terms.second_site)]
    parts: list[Kept] = []
    for name, source in (("database", terms.database), ("documents", terms.documents)):
        if source is not None:
            file = f"{name}.age"
            given = {"set_id": set_id, "file": file, "source": source, "sites": sites}
            key_id = parts[0].key_id if parts else None
            kept = case.do(f"backup/1/{name}", send_part, **given, key_id=key_id)
            _complete(case, set_id, name, kept, sites)
            parts.append(kept)
    return case.do(
        "backup/1/manifest",
        write_manifest,
        set_id=set_id,
        sequence=begun["sequence"],
        night_on=night_on,
        previous=begun["previous"],
        made_at=case.now("backup/1/whole"),
        parts=parts,
        sites=sites,
    )


def _complete(case: CaseRun, set_id: str, name: str, kept: Kept, sites: list[str]) -> None:
    """Bring a part to the sites that lack it."""
    holding = next(each for each in sites if each not in kept.lacks)
    for target in kept.lacks:
        step = f"backup/1/{name}/{target}"
        case.do(step, copy_part, set_id=set_id, part=kept.part, source=holding, target=target)


def _verified(tx: Tx, case: CaseRun, set_id: str, written: Written) -> None:
    found = Verified(
        manifest_sha256=written.manifest_sha256,
        key_id=written.key_id,
        bytes=written.bytes,
        raw_bytes=written.raw_bytes,
        rows_total=written.rows_total,
        taken_at=written.taken_at,
    )
    backups.verified(tx, case.customer, set_id, found)


def _compared(
    tx: Tx, case: CaseRun, terms: Backup, begun: dict[str, Any], written: Written
) -> tuple[str, ...]:
    """Compare with the last one; what is lost is said and proven, and stops the history."""
    lost = shrinkage(
        rows=written.rows_total,
        raw_bytes=written.raw_bytes,
        rows_before=begun["rows_before"],
        bytes_before=begun["bytes_before"],
        percent=terms.shrink_percent,
    )
    if lost:
        payload = {"set": begun["set_id"], "lost": list(lost)}
        about = f"backup:{backups.get(tx, case.customer, begun['set_id']).id}"
        case_id = case.lease.case_id
        tx.prove(Event.BACKUP_SHRUNK, case.customer, payload, case_id=case_id, about=about, clause="S-2.4.7")
    return lost


PROCESS = Process(kind=KIND, revision=1, walk=walk, red=frozenset({SHRUNK}), led=True)
