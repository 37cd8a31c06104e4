"""Duties that are not done because an operator paused their schedule: told in the evidence, once a day.

The evidence is the memory, too: Prefect forgets what was paused when a deployment is made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from nakoming.agreement.local_time import local_date
from nakoming.records import proofs, schema
from nakoming.records.events import Event

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.store import Tx


def paused_since(tx: Tx, customer: str, duty: str) -> datetime | None:
    """Since when a duty is known to be paused; None: it is not, as far as was seen."""
    e = schema.evidence.c
    about = _about(customer, duty)
    resumed = proofs.find(tx, about, Event.SCHEDULE_RESUMED)
    first = select(func.min(e.seq)).where(
        e.about == about,
        e.event == str(Event.SCHEDULE_PAUSED),
        e.seq > (resumed.seq if resumed else 0),
    )
    at = select(e.at).where(e.chain == customer, e.seq == first.scalar_subquery())
    found: datetime | None = tx.connection.execute(at).scalar_one_or_none()
    return found


def is_news(tx: Tx, customer: str, duty: str, *, paused: bool) -> bool:
    """Whether there is something to tell: paused and not told today, or done again."""
    since = paused_since(tx, customer, duty)
    if not paused or since is None:
        return paused or since is not None
    told = proofs.find(tx, _about(customer, duty), Event.SCHEDULE_PAUSED)
    return told is None or local_date(told.at) != local_date(tx.now)


def tell(tx: Tx, customer: str, duty: str, *, paused: bool, clause: str, schedule: str) -> bool:
    """Leave evidence that a duty is missed, or done again, if that is news; whether it was left."""
    if not is_news(tx, customer, duty, paused=paused):
        return False
    since = paused_since(tx, customer, duty)
    body = {
        "duty": duty,
        "by": "operator, unidentified",
        "schedule": schedule,
        "paused_since": (since or tx.now).isoformat(),
    }
    event = Event.SCHEDULE_PAUSED if paused else Event.SCHEDULE_RESUMED
    tx.prove(event, customer, body, about=_about(customer, duty), clause=clause)
    return True


def _about(customer: str, duty: str) -> str:
    return f"duty:{duty}:{customer}"
