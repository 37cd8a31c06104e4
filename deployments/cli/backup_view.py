"""Shows backups: how old what can be restored is, what there is, what the history would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments.cli import printing
from deployments.cli.backup_errors import HistoryNotDry
from nakoming.agreement.nights import night_of
from nakoming.records import agreements, backup_proofs, backups
from nakoming.records.backups import SetState
from tasks.backup import ages as backup_ages
from tasks.backup import retention
from tasks.installation import records

if TYPE_CHECKING:
    from nakoming.records.backup_proofs import BackupProof
    from nakoming.records.backups import BackupEntry
    from nakoming.records.store import Tx


def ages(*, as_json: bool) -> None:
    """Print the age of each customer's newest backup that can be restored, what alarms first."""
    with records().read() as tx:
        found = backup_ages.ages(tx)
    if as_json:
        printing.emit([printing.plain(each) | {"alarms": each.alarms} for each in found])
        return
    columns = ("customer", "newest restorable", "age", "alarms after", "restored to prove it", "")
    rows = [
        (
            each.customer,
            each.set_id,
            backup_ages.in_hours(each.age),
            backup_ages.in_hours(each.alarm_after),
            each.proven_at or "never",
            "ALARM" if each.alarms else "",
        )
        for each in found
    ]
    printing.table(columns, rows, empty="No agreement names a backup.")


def listed(customer: str, *, as_json: bool) -> None:
    """Print all backups of a customer that were not deleted, the newest first.

    Raises:
        UnknownAgreement: there is no such customer.
    """
    with records().read() as tx:
        agreements.newest_version(tx, customer)
        entries = backups.listed(tx, customer)[::-1]
        last = _last_proofs(tx, customer)
    if as_json:
        printing.emit([printing.plain(each) | {"last_proof": last.get(each.set_id)} for each in entries])
        return
    columns = ("backup", "state", "taken", "rows", "bytes", "before compression", "last proof")
    rows = [
        (
            each.set_id,
            each.state,
            each.taken_at,
            each.rows_total,
            each.bytes,
            each.raw_bytes,
            _proof(each, last),
        )
        for each in entries
    ]
    printing.table(columns, rows, empty=f"There is no backup of {customer}.")


def _last_proofs(tx: Tx, customer: str) -> dict[str, BackupProof]:
    found = [*backup_proofs.series(tx, customer, "drill"), *backup_proofs.series(tx, customer, "scrub")]
    return {each.set_id: each for each in sorted(found, key=lambda each: each.at)}


def _proof(entry: BackupEntry, last: dict[str, BackupProof]) -> str:
    found = last.get(entry.set_id)
    if found is None:
        return printing.NOTHING
    return f"{found.kind} {printing.moment(found.at)}: {'good' if found.good else 'BAD'}"


def shown(customer: str, set_id: str, *, as_json: bool) -> None:
    """Print what the ledger knows of one backup, and its proofs, the newest last.

    Raises:
        UnknownAgreement: there is no such customer.
        UnknownBackup: there is no such backup.
    """
    with records().read() as tx:
        agreements.newest_version(tx, customer)
        entry = backups.get(tx, customer, set_id)
        both = (*backup_proofs.series(tx, customer, "drill"), *backup_proofs.series(tx, customer, "scrub"))
    proofs = sorted((each for each in both if each.set_id == set_id), key=lambda each: each.at)
    if as_json:
        printing.emit(printing.plain(entry) | {"proofs": proofs})
        return
    printing.facts(_facts(entry))
    rows = [
        (each.at, each.kind, each.site, "good" if each.good else "BAD", each.rpo, each.rto, each.said)
        for each in proofs
    ]
    columns = ("at", "kind", "site", "found", "RPO", "RTO", "said")
    printing.table(columns, rows, title="Proofs", empty="It was not restored or read again yet.")


def _facts(entry: BackupEntry) -> list[tuple[str, Any]]:
    return [
        ("Backup", entry.set_id),
        ("State", entry.state),
        ("Data of", entry.taken_at),
        ("Verified", entry.verified_at),
        ("Deleted", entry.deleted_at),
        ("Deleted by rule", entry.rule if entry.state == SetState.DELETED else None),
        ("Rows", entry.rows_total),
        ("Bytes", entry.bytes),
        ("Before compression", entry.raw_bytes),
        ("Key", entry.key_id),
        ("SHA-256 of manifest", entry.manifest_sha256),
    ]


def history(customer: str, *, dry_run: bool, as_json: bool) -> None:
    """Print what the history would do with each backup now.

    Raises:
        HistoryNotDry: it is asked to be carried out.
        UnknownAgreement: there is no such customer.
    """
    if not dry_run:
        raise HistoryNotDry
    with records().read() as tx:
        on = night_of(tx.now).on
    found = retention.dry_run(records(), customer, on)
    if as_json:
        printing.emit(found)
        return
    rows = [(each.set_id, "deleted" if each.delete else "kept", each.clause, each.reason) for each in found]
    printing.table(("backup", "would be", "clause", "why"), rows, empty=f"There is no backup of {customer}.")
