"""The history of a customer's backups: decided on the ledger, carried out at both sites (S-2.4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nakoming.agreement.history import BackupSet, HistoryTerms, Verdict, decide
from nakoming.records import agreements, backups, proofs
from nakoming.records.backups import SetState
from nakoming.records.events import Event
from tasks.backup.connections import site_of
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from datetime import date

    from nakoming.agreement.terms import Agreement
    from nakoming.records.backups import BackupEntry
    from nakoming.records.store import Records, Tx
    from tasks.case_run import CaseRun

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What becomes of one backup, as plain data: it is kept with the case."""

    set_id: str
    delete: bool
    overstays: bool
    rule: str
    clause: str
    reason: str


def history_terms(agreement: Agreement) -> HistoryTerms:
    """What an agreement says of the history of backups."""
    terms = agreement.backup
    return HistoryTerms(
        days=agreement.retention.backup_days,
        is_contracted=agreement.term("retention.backup_days").origin == "agreement",
        generations=terms.verified_generations,
        newest_age=terms.alarm_after,
        largest_gap=terms.alarm_after,
    )


def decided(tx: Tx, customer: str, agreement: Agreement, night_on: date) -> list[Decided]:
    """Every backup of a customer with what becomes of it and why, the oldest first."""
    entries = {entry.sequence: entry for entry in backups.listed(tx, customer)}
    known = backups.last_known_at(tx, night_on)
    sets = [_plain(tx, entry) for entry in entries.values()]
    verdicts = decide(sets, tx.now, history_terms(agreement), last_known_at=known)
    return [_decided(entries[each.backup.sequence], each) for each in verdicts]


def dry_run(records: Records, customer: str, night_on: date) -> list[Decided]:
    """What the history would do now; nothing is deleted.

    Raises:
        UnknownAgreement: there is no such customer.
    """
    with records.read() as tx:
        return decided(tx, customer, agreements.get(tx, customer), night_on)


def _plain(tx: Tx, entry: BackupEntry) -> BackupSet:
    verified_at = entry.verified_at if entry.state == SetState.VERIFIED else None
    has_shrunk = proofs.find(tx, f"backup:{entry.id}", Event.BACKUP_SHRUNK) is not None
    taken_at = entry.taken_at or entry.began_at
    return BackupSet(entry.sequence, entry.night_on, taken_at, verified_at, has_shrunk)


def _decided(entry: BackupEntry, verdict: Verdict) -> Decided:
    return Decided(
        set_id=entry.set_id,
        delete=verdict.is_deleted,
        overstays=verdict.overstays,
        rule=str(verdict.rule),
        clause=verdict.clause,
        reason=verdict.reason,
    )


def kept_as_agreed(case: CaseRun, night_on: date) -> list[Decided]:
    """Decide the history and carry it out; what was decided.

    Raises:
        SiteError: a site did not do what it was asked; the case is tried again.
    """
    agreement = case.agreement()

    def write(tx: Tx) -> list[Decided]:
        found = decided(tx, case.customer, agreement, night_on)
        for each in found:
            if each.overstays:
                _tell_overstay(tx, case, each)
        return found

    found = [Decided(**each) for each in case.record("history/1/decided", write)]
    terms = agreement.backup
    for each in found:
        if each.delete:
            case.do(
                f"history/1/{each.set_id}",
                delete_backup,
                set_id=each.set_id,
                rule=each.rule,
                clause=each.clause,
                sites=[str(terms.first_site), str(terms.second_site)],
            )
    return found


def _tell_overstay(tx: Tx, case: CaseRun, each: Decided) -> None:
    entry = backups.get(tx, case.customer, each.set_id)
    payload = {"set": each.set_id, "rule": each.rule, "reason": each.reason}
    about = f"backup:{entry.id}"
    tx.prove(
        Event.BACKUP_HISTORY_OVERSTAYED,
        case.customer,
        payload,
        case_id=case.lease.case_id,
        about=about,
        clause="S-2.4.3",
    )


@step(doubt=repeat("what is gone is not there to be removed"), timeout=timedelta(minutes=30))
def delete_backup(work: Work, *, set_id: str, rule: str, clause: str, sites: list[str]) -> int:
    """Remove a backup from its sites, the manifest first: half of it is no backup any more.

    Raises:
        SiteError: a site did not do what it was asked.
    """
    removed = 0
    for name in sites:
        site = site_of(name)
        folder = f"{work.customer}/{set_id}"
        removed += site.remove(f"{folder}/{MANIFEST}")
        removed += sum(site.remove(file) for file in sorted(site.files(folder)))
    with work.records.write() as tx:
        backups.deleted(tx, work.customer, set_id, rule=rule, clause=clause)
    return removed
