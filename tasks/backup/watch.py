"""Looks after the age of backups whether or not a night ran: a schedule that never fires raises no error.

The reconciler asks every few seconds; the ledger is looked at every few minutes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from nakoming.agreement.nights import night_of
from tasks import operators
from tasks.backup import drill_due, missed, shown
from tasks.backup.ages import BackupAge, ages, alarming, in_hours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nakoming.records.store import Records

LOOK_SECONDS: Final = 300.0
_MOST_NAMES: Final = 20


class BackupWatch:
    """Tells operators once a day what is too old, proves nights missed, renews the table of ages."""

    def __init__(self, records: Records, every: float = LOOK_SECONDS) -> None:
        self._records = records
        self._every = every
        self._looked: float | None = None
        self._found: list[BackupAge] | None = None  # what is not shown yet

    def look(self) -> bool:
        """Look when it is time to; whether it was."""
        if self._looked is not None and time.monotonic() < self._looked + self._every:
            return False
        self._found = told(self._records)
        drill_due.watched(self._records)
        self._looked = time.monotonic()
        return True

    def publish(self) -> None:
        """Show what was found last, once; nothing where nobody is backed up."""
        if self._found:
            shown.publish_ages(self._found)
        self._found = None


def told(records: Records) -> list[BackupAge]:
    """The ages of all; operators are told of those that alarm, and each missed night leaves its evidence."""
    with records.read() as tx:
        found, customers, on = ages(tx), missed.backed_up(tx), night_of(tx.now).on
        news = [each for each in customers if missed.missed_nights(tx, each, on)]
    alarms = alarming(found)
    if not alarms and not news:
        return found
    with records.write() as tx:
        missed.tell_missed(tx, news, on, None)
        if alarms:
            values = {"count": str(len(alarms)), "names": _names(alarms)}
            operators.tell_backups(tx, str(on), "backup_ages", values)
    return found


def _names(alarms: Sequence[BackupAge]) -> str:
    named = [f"{each.customer}: {in_hours(each.age)}" for each in alarms[:_MOST_NAMES]]
    more = f" (+{len(alarms) - _MOST_NAMES})" if len(alarms) > _MOST_NAMES else ""
    return "; ".join(named) + more
