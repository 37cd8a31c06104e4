"""A night of restores: the newest off-site backup of each customer, as many as there is time for (S-2.4.7).

It is the case `restore_drill/vendor/<date>` (`<date>.1` when it is done again); each restore is a step of it,
so that a night that was killed goes on with the customer it was at.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from nakoming.records import agreements, backup_proofs
from nakoming.records.backup_proofs import BackupProof
from nakoming.records.events import Event
from tasks import operators
from tasks.backup import ages, drill_due, drill_shown, shown
from tasks.backup.drill_due import KIND, names
from tasks.backup.drill_one import Drilled, drill_customer, sweep
from tasks.process import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

PROVEN: Final = "all that were tried can be restored"
NOT_ALL: Final = "not all could be restored"
NOBODY: Final = "there is no backup to restore"
LIMIT: Final = timedelta(hours=4)
"""How long a night's restores may go on; one that has begun is ended."""


def walk(case: CaseRun) -> str:
    """One night; the outcome of the case."""
    on = date.fromisoformat(case.case.parameters["night"])
    case.stage("drill")
    plan = case.record("night/1/planned", lambda tx: _planned(tx, case))
    if not plan["customers"]:
        return NOBODY
    case.do("night/1/swept", sweep)
    done, left = _restored(case, plan["customers"], datetime.fromisoformat(plan["until"]))
    case.record("night/1/ended", lambda tx: _ended(tx, case, on, done, left))
    _show(case, on, done, left)
    return PROVEN if all(each.good for each in done) else NOT_ALL


def _planned(tx: Tx, case: CaseRun) -> dict[str, Any]:
    """Who is first, until when; what was missed before is told."""
    drill_due.tell_late(tx, case.lease.case_id)
    return {"customers": drill_due.in_order(tx), "until": (tx.now + LIMIT).isoformat()}


def _restored(case: CaseRun, customers: Sequence[str], until: datetime) -> tuple[list[Drilled], list[str]]:
    """Try one after the other; those for which no time was left."""
    done: list[Drilled] = []
    left: list[str] = []
    for customer in customers:
        if f"drill/{customer}" not in case.finished and _is_over(case, until):
            left.append(customer)
            continue
        drilled = case.do(f"drill/{customer}", drill_customer, customer=customer)
        _prove(case, drilled)
        done.append(drilled)
    return done, left


def _is_over(case: CaseRun, until: datetime) -> bool:
    with case.records.read() as tx:
        return tx.now >= until


def _prove(case: CaseRun, drilled: Drilled) -> None:
    """Add it to the series of RPO and RTO; what could not be tried says nothing of the backup."""

    def write(tx: Tx) -> None:
        if drilled.good is None or drilled.set_id is None:
            return
        proof = BackupProof(
            set_id=drilled.set_id,
            sequence=0,
            site=drilled.site,
            kind="drill",
            at=tx.now,
            good=drilled.good,
            rpo=tx.now - drilled.taken_at if drilled.taken_at else None,
            rto=drilled.rto,
            said=drilled.said,
        )
        backup_proofs.proven(tx, drilled.customer, proof, case_id=case.lease.case_id)

    case.record(f"drill/{drilled.customer}/proven", write)


def _ended(tx: Tx, case: CaseRun, on: date, done: Sequence[Drilled], left: Sequence[str]) -> dict[str, Any]:
    """The evidence of the night, and what operators are told: once a night, not once a customer."""
    bad = [each for each in done if each.good is False]
    untried = [each for each in done if each.good is None]
    body = {
        "night": str(on),
        "proven": [each.customer for each in done if each.good],
        "bad": [each.customer for each in bad],
        "not_tried": [each.customer for each in untried],
        "left": list(left),
    }
    tx.prove(Event.BACKUP_DRILL_ENDED, agreements.VENDOR, body, case_id=case.lease.case_id, clause="S-2.1.3d")
    if bad or untried:
        values = {
            "night": str(on),
            "count": str(len(bad) + len(untried)),
            "customers": str(len(done)),
            "bad": names([_line(each) for each in bad]),
            "untried": names([_line(each) for each in untried]),
        }
        operators.tell_backups(tx, case.case.subject, "restore_drill", values)
    return body


def _line(each: Drilled) -> str:
    return f"{each.customer}: {each.said[:200]}"


def _show(case: CaseRun, on: date, done: Sequence[Drilled], left: Sequence[str]) -> None:
    with case.records.read() as tx:
        series = {each.customer: backup_proofs.series(tx, each.customer) for each in done}
        last = {customer: [each for each in found if each.good][-1:] for customer, found in series.items()}
        now, standing = tx.now, ages.ages(tx)
    drill_shown.publish_drill(
        on, done, left, {customer: found[0] for customer, found in last.items() if found}, now
    )
    shown.publish_ages(standing)


PROCESS = Process(kind=KIND, revision=1, walk=walk, red=frozenset({NOT_ALL}))
