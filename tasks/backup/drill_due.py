"""Whose backup is restored first to prove it, and which drills were missed: a breach each (S-2.4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from nakoming.agreement.nights import Night, night_of, nights_between
from nakoming.records import agreements, backup_proofs, backups, cases, proofs, schema
from nakoming.records.events import Event
from tasks import operators
from tasks.backup.drill_errors import OtherDrill
from tasks.backup.missed import LOOK_BACK, backed_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nakoming.records.store import Records, Tx

KIND: Final = "restore_drill"
MOST_NAMES: Final = 20
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Late:
    """Drills that were missed and not told yet.

    Attributes:
        nights: on which no drill was begun.
        customers: whose backups were not proven within the agreed days, with the instant they count from.
    """

    nights: Sequence[date]
    customers: Mapping[str, datetime]

    def __bool__(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.nights or self.customers)


def drill_night(records: Records, asked: date | None) -> date:
    """The night that a drill is of: the one it is now, or that of a drill that was begun.

    Raises:
        OtherDrill: no drill of that night was begun, and it is not the night it is now.
    """
    with records.read() as tx:
        now_on = night_of(tx.now).on
        if asked is None or asked == now_on:
            return now_on
        if cases.find(tx, KIND, agreements.VENDOR, str(asked)) is None:
            raise OtherDrill(asked=asked, now_on=now_on)
        return asked


def in_order(tx: Tx) -> list[str]:
    """All customers with a backup: those that would be overdue by tomorrow, then the newest backup first."""
    since, newest = _proven_since(tx), {each: backups.newest_verified(tx, each) for each in backed_up(tx)}
    taken = {each: entry.taken_at for each, entry in newest.items() if entry is not None and entry.taken_at}
    pressing = [each for each in taken if tx.now + DAY > since[each] + _days(tx, each)]
    pressing.sort(key=lambda each: (since[each], each))
    rest = sorted(taken.keys() - set(pressing), key=lambda each: (-taken[each].timestamp(), each))
    return pressing + rest


def late(tx: Tx) -> Late:
    """What was missed until now and not told yet."""
    since = _proven_since(tx)
    overdue = {each: at for each, at in since.items() if tx.now > at + _days(tx, each)}
    return Late(
        nights=[on for on in _missed_nights(tx, night_of(tx.now).on) if not _is_told(tx, _about_night(on))],
        customers={each: at for each, at in overdue.items() if not _is_told(tx, _about(each, at))},
    )


def tell_late(tx: Tx, case_id: str | None) -> Late:
    """Leave evidence of every drill that was missed, and tell the operators; what it was."""
    found = late(tx)
    for on in found.nights:
        missed = {"night": str(on), "breach": True}
        tx.prove(
            Event.BACKUP_DRILL_MISSED,
            agreements.VENDOR,
            missed,
            case_id=case_id,
            about=_about_night(on),
            clause="S-2.4.7",
        )
    for customer, since in found.customers.items():
        overdue = {"not_proven_since": since.isoformat(), "breach": True}
        about = _about(customer, since)
        tx.prove(
            Event.BACKUP_DRILL_OVERDUE, customer, overdue, case_id=case_id, about=about, clause="S-2.4.7"
        )
    if found:
        nights, customers = [str(on) for on in found.nights], sorted(found.customers)
        values = {"nights": names(nights), "customers": names(customers)}
        about = f"{night_of(tx.now).on}/{len(nights)}/{len(customers)}"
        operators.tell_backups(tx, about, "drill_late", values)
    return found


def watched(records: Records) -> None:
    """The same, asked every few minutes whether or not a drill ran: a schedule may never fire."""
    with records.read() as tx:
        news = bool(late(tx))
    if news:
        with records.write() as tx:
            tell_late(tx, None)


def names(of: Sequence[str]) -> str:
    """The first few, in one line."""
    more = f" (+{len(of) - MOST_NAMES})" if len(of) > MOST_NAMES else ""
    return "; ".join(of[:MOST_NAMES]) + more or "–"


def _proven_since(tx: Tx) -> dict[str, datetime]:
    """When each customer's backups were proven last; before that, the night of the first one."""
    proven = backup_proofs.last_proofs(tx, "drill")
    found = {}
    for customer in backed_up(tx):
        first_on = backups.first_night(tx, customer)
        if first_on is not None:
            found[customer] = proven.get(customer) or Night(first_on).start_at
    return found


def _days(tx: Tx, customer: str) -> timedelta:
    return timedelta(days=agreements.get(tx, customer).backup.drill_days)


def _missed_nights(tx: Tx, before: date) -> list[date]:
    c = schema.cases.c
    query = select(c.subject).where(c.kind == KIND, c.customer == agreements.VENDOR).order_by(c.subject)
    begun = {date.fromisoformat(subject[:10]) for subject in tx.connection.execute(query).scalars()}
    if not begun:
        return []
    since = max(min(begun), before - LOOK_BACK)
    return [night.on for night in nights_between(since, before) if night.on not in begun]


def _is_told(tx: Tx, about: str) -> bool:
    events = (Event.BACKUP_DRILL_MISSED, Event.BACKUP_DRILL_OVERDUE)
    return any(proofs.find(tx, about, event) is not None for event in events)


def _about_night(on: date) -> str:
    return f"drill:{on}"


def _about(customer: str, since: datetime) -> str:
    return f"drill:{since:%Y-%m-%d}:{customer}"[:80]
