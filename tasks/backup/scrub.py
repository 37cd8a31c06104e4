"""A month's reading of all backups at both sites, in full (S-2.4.6, S-2.4.7).

It is the case `backup_scrub/vendor/<year-month>`; each customer's backups are a step of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nakoming.agreement.local_time import local_date
from nakoming.records import agreements, backup_proofs
from nakoming.records.backup_proofs import BackupProof
from nakoming.records.events import Event
from tasks import operators
from tasks.backup.drill_due import names
from tasks.backup.missed import backed_up
from tasks.backup.scrub_files import unknown_files
from tasks.backup.scrub_one import Scrubbed, scrub_customer
from tasks.backup.shown import put
from tasks.process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nakoming.records.store import Records, Tx
    from tasks.case_run import CaseRun

KIND: Final = "backup_scrub"
ARTIFACT: Final = "backup-scrub"
GOOD: Final = "all copies are good"
REPAIRED: Final = "damaged copies were repaired"
DAMAGED: Final = "not all copies are good"
Read = dict[str, list[Scrubbed]]  # by customer


def month_of(records: Records) -> str:
    """The month it is now, as `2026-11`."""
    with records.read() as tx:
        return f"{local_date(tx.now):%Y-%m}"


def walk(case: CaseRun) -> str:
    """One reading of everything; the outcome of the case."""
    case.stage("scrub")
    read: Read = {}
    for customer in case.record("scrub/1/planned", backed_up):
        read[customer] = case.do(f"scrub/{customer}", scrub_customer, customer=customer)
        _prove(case, customer, read[customer])
    strange = case.do("scrub/1/files", unknown_files)
    case.record("scrub/1/ended", lambda tx: _ended(tx, case, read, strange))
    _show(read, strange)
    return _outcome(read)


def _outcome(read: Read) -> str:
    copies = [copy for each in _sets(read) for copy in each.copies]
    if not all(copy.is_whole for copy in copies):
        return DAMAGED
    return REPAIRED if any(copy.found == "repaired" for copy in copies) else GOOD


def _sets(read: Read) -> list[Scrubbed]:
    return [each for sets in read.values() for each in sets]


def _prove(case: CaseRun, customer: str, sets: Sequence[Scrubbed]) -> None:
    """Add each to the series of proofs; a repair leaves evidence of its own."""

    def write(tx: Tx) -> None:
        for each in sets:
            if each.good is not None:
                backup_proofs.proven(tx, customer, _proof(tx, each), case_id=case.lease.case_id)
            repaired = {copy.site: copy.said for copy in each.copies if copy.found == "repaired"}
            if repaired:
                payload = {"set": each.set_id, "repaired": repaired}
                tx.prove(
                    Event.BACKUP_COPY_REPAIRED,
                    customer,
                    payload,
                    case_id=case.lease.case_id,
                    clause="S-2.4.6",
                )

    case.record(f"scrub/{customer}/proven", write)


def _proof(tx: Tx, each: Scrubbed) -> BackupProof:
    return BackupProof(
        set_id=each.set_id,
        sequence=0,
        site=", ".join(copy.site for copy in each.copies),
        kind="scrub",
        at=tx.now,
        good=bool(each.good),
        rpo=None,
        rto=None,
        said=each.said,
    )


def _ended(tx: Tx, case: CaseRun, read: Read, strange: Mapping[str, list[str]]) -> dict[str, Any]:
    """The evidence of the reading, and what operators are told: once, of all customers."""
    look = [f"{customer} {each.set_id}: {each.said}" for customer, each in _to_look_at(read)]
    files = [f"{site}: {file}" for site, found in strange.items() for file in found]
    body = {
        "backups": len(_sets(read)),
        "copies": sum(len(each.copies) for each in _sets(read)),
        "repaired": sum(copy.found == "repaired" for each in _sets(read) for copy in each.copies),
        "not_good": sum(not copy.is_whole for each in _sets(read) for copy in each.copies),
        "unknown_files": len(files),
    }
    tx.prove(Event.BACKUP_SCRUB_ENDED, agreements.VENDOR, body, case_id=case.lease.case_id, clause="S-2.4.7")
    if look or files:
        values = {
            "count": str(len(look)),
            "backups": str(body["backups"]),
            "found": names([each[:300] for each in look]),
            "files": names(files),
        }
        operators.tell_backups(tx, case.case.subject, "backup_scrub", values)
    return body


def _to_look_at(read: Read) -> list[tuple[str, Scrubbed]]:
    return [(customer, each) for customer, sets in read.items() for each in sets if each.needs_a_look]


def _show(read: Read, strange: Mapping[str, list[str]]) -> None:
    """What needs a look stands first; files that nobody owns stand last."""
    sets = sorted(
        ((customer, each) for customer, found in read.items() for each in found),
        key=lambda pair: (not pair[1].needs_a_look, pair[0], pair[1].set_id),
    )
    rows = [
        {
            "customer": customer,
            "backup": each.set_id,
            "to look at": "yes" if each.needs_a_look else "",
            **{f"site {number}": copy.found for number, copy in enumerate(each.copies, 1)},
            "said": "; ".join([each.said, *each.strange])[:500] if each.needs_a_look else "",
        }
        for customer, each in sets
    ]
    rows += [
        {"customer": "", "backup": file, "to look at": "yes", "said": f"no backup at {site} owns it"}
        for site, found in strange.items()
        for file in found
    ]
    look = len(_to_look_at(read))
    put(ARTIFACT, rows, f"Reading of {len(sets)} backups at both sites: {look} to look at.")


PROCESS = Process(kind=KIND, revision=1, walk=walk, red=frozenset({DAMAGED}))
