"""The end of a backup that was tried until the next night came: its case ends, and the breach is proven."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nakoming.records import cases
from nakoming.records.errors import CaseHeld
from nakoming.records.events import Event
from nakoming.records.owners import this_process
from tasks.backup import one_customer
from tasks.backup.missed import prove_missed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun


def give_up(case: CaseRun, customers: Sequence[str], on: date) -> None:
    """End the backups of a night that were not made; one that somebody works on now is left alone."""
    for customer in customers:
        with suppress(CaseHeld):
            _give_up(case.records, customer, on)


def _give_up(records: Records, customer: str, on: date) -> None:
    with records.write() as tx:
        found = cases.find(tx, one_customer.KIND, customer, str(on))
        if found is None or found.state == cases.State.CLOSED:
            return
        lease = cases.acquire(tx, found.id, this_process())
        payload = {"night": str(on), "error": found.last_error}
        tx.prove(Event.BACKUP_FAILED, customer, payload, case_id=found.id, clause="S-2.4.2")
        prove_missed(tx, customer, on, found.id)
        cases.close(tx, lease, one_customer.NOT_MADE)
