"""Nights of which a customer has no backup: each is a breach, told once (S-2.4.2)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from nakoming.agreement.nights import nights_between
from nakoming.records import agreements, backups, proofs
from nakoming.records.events import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nakoming.records.store import Tx

LOOK_BACK = timedelta(days=31)


def backed_up(tx: Tx) -> list[str]:
    """The customers whose agreement names a backup, in alphabetical order."""
    return [each for each in agreements.customers(tx) if agreements.get(tx, each).backup.is_made]


def missed_nights(tx: Tx, customer: str, before: date) -> list[date]:
    """The nights since a customer's first backup that have none and were not told yet, the oldest first."""
    first = backups.first_night(tx, customer)
    if first is None:
        return []
    since = max(first, before - LOOK_BACK)
    kept = backups.nights_kept(tx, customer, since)
    lacking = [night.on for night in nights_between(since, before) if night.on not in kept]
    return [on for on in lacking if proofs.find(tx, _about(customer, on), Event.BACKUP_NIGHT_MISSED) is None]


def tell_missed(tx: Tx, customers: Sequence[str], before: date, case_id: str | None) -> dict[str, list[str]]:
    """Leave evidence of every night missed before this one; which they are, by customer."""
    told: dict[str, list[str]] = {}
    for customer in customers:
        for on in missed_nights(tx, customer, before):
            prove_missed(tx, customer, on, case_id)
            told.setdefault(customer, []).append(str(on))
    return told


def prove_missed(tx: Tx, customer: str, on: date, case_id: str | None) -> None:
    """Evidence that a customer has no backup of a night."""
    payload = {"night": str(on), "breach": True}
    about = _about(customer, on)
    tx.prove(Event.BACKUP_NIGHT_MISSED, customer, payload, case_id=case_id, about=about, clause="S-2.4.2")


def _about(customer: str, on: date) -> str:
    return f"night:{on}:{customer}"[:80]
