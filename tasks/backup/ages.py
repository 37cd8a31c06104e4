"""The age of the newest backup of each customer that can be restored: the figure that alarms (S-2.4.7).

No exit code and no green run is as good: what counts is what the ledger knows to be verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nakoming.records import agreements, backup_proofs, backups
from tasks.backup.missed import backed_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from nakoming.records.store import Tx


@dataclass(frozen=True, kw_only=True)
class BackupAge:
    """How old what a customer could be given back is.

    Attributes:
        customer: whose.
        set_id: the newest backup that is verified, and that no restore found bad; None: there is none.
        age: of its data, now; without one, of the agreement.
        alarm_after: the age that alarms.
        proven_at: when a backup of this customer was restored last to prove it.
    """

    customer: str
    set_id: str | None
    age: timedelta
    alarm_after: timedelta
    proven_at: datetime | None

    @property
    def alarms(self) -> bool:
        """Whether an operator must do something."""
        return self.age > self.alarm_after


def ages(tx: Tx) -> list[BackupAge]:
    """The age of each customer's newest, what alarms first, then the oldest."""
    newest, proven = backups.newest_restorable(tx), backup_proofs.last_proofs(tx)
    found = []
    for customer in backed_up(tx):
        entry = newest.get(customer)
        since = (entry.taken_at if entry else None) or agreements.loaded_at(tx, customer)
        found.append(
            BackupAge(
                customer=customer,
                set_id=entry.set_id if entry else None,
                age=tx.now - since,
                alarm_after=agreements.get(tx, customer).backup.alarm_after,
                proven_at=proven.get(customer),
            )
        )
    return sorted(found, key=lambda each: (not each.alarms, -each.age, each.customer))


def alarming(found: Sequence[BackupAge]) -> list[BackupAge]:
    """Those of which an operator is told."""
    return [each for each in found if each.alarms]


def in_hours(age: timedelta) -> str:
    """An age for people."""
    return f"{age.total_seconds() / 3600:.1f} h"
