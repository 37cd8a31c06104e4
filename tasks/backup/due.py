"""Which night is to be backed up now (S-2.4.2, S-3.1.9): tonight's, one that was missed, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nakoming.agreement.nights import Night, night_of
from nakoming.records import agreements, cases, ended_cases
from tasks.backup.errors import OtherNight

if TYPE_CHECKING:
    from datetime import date

    from nakoming.records.store import Records

KIND = "daily_backup"


@dataclass(frozen=True)
class NotDue:
    """No night is to be backed up now; `why` says so in a sentence."""

    why: str


def due_night(records: Records, asked: date | None = None, *, at_once: bool = False) -> Night | NotDue:
    """The night to work on, or that none is due.

    Args:
        records: the installation's.
        asked: the night of a case that goes on; a new one can only be tonight's.
        at_once: not to wait for the window.

    Raises:
        OtherNight: the night that is asked for is not the one it is now, and was never begun.
    """
    with records.read() as tx:
        night = night_of(tx.now)
        if asked is not None and asked != night.on:
            if cases.find(tx, KIND, agreements.VENDOR, str(asked)) is None:
                raise OtherNight(asked=asked, now_on=night.on)
            return Night(asked)
        if at_once or asked is not None or night.is_open(tx.now):
            return night
        found = cases.find(tx, KIND, agreements.VENDOR, str(night.on))
        if found is not None and found.state != cases.State.CLOSED:
            return night
        if found is not None:
            return NotDue(f"Not due: the night of {night.on} has ended ({found.outcome}).")
        if ended_cases.newest(tx, KIND, agreements.VENDOR) is None:
            return NotDue(f"Not due: the first night opens at {night.next_at:%Y-%m-%d %H:%M} UTC.")
    return night  # it was missed: at once


def night_of_backup(records: Records, customer: str, asked: date | None) -> date:
    """The night that one customer's backup is of: the one it is now, or that of a backup that was begun.

    Raises:
        OtherNight: no backup of that night was begun, and it is not the night it is now.
    """
    with records.read() as tx:
        now_on = night_of(tx.now).on
        if asked is None or asked == now_on or cases.find(tx, "backup", customer, str(asked)) is not None:
            return asked or now_on
    raise OtherNight(asked=asked, now_on=now_on)
