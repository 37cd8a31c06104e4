"""When the exchange with each customer's ERP runs, as its agreement says (S-4.2.1).

A customer has two schedules of its own: the exchange at its interval, and the comparison of both sides each
night. Above `MOST_OF_THEIR_OWN` customers two schedules serve all: Prefect plans every run beforehand, and so
many would cost it more than the exchanges themselves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

from tasks.erp.occasion import COMPARE, subject_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nakoming.agreement.terms import Agreement

MOST_OF_THEIR_OWN = 50
OF_ONE, OF_ALL = "erp-sync/erp-sync", "erp-sync-all/erp-sync-all"
DEPLOYMENTS = (OF_ONE, OF_ALL)
OURS = "erp-"  # begins the slug of each schedule that is made here; others are an operator's own
INCREMENTAL = "incremental"
NIGHTLY = "10 3 * * *"  # 03:10 exists once in every night, those on which the clock changes too
_ZONE = "Europe/Amsterdam"
_ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A schedule as the agreements ask for it; `customers` are those whose duty (`mode`) it serves."""

    deployment: str
    slug: str
    mode: str
    customers: tuple[str, ...]
    schedule: IntervalSchedule | CronSchedule
    parameters: dict[str, Any] = field(default_factory=dict)


def connected(agreements: Mapping[str, Agreement]) -> dict[str, timedelta]:
    """The interval of each customer that has an ERP; one of 0 minutes is exchanged by hand alone."""
    return {
        customer: timedelta(minutes=terms.erp.sync_interval_minutes)
        for customer, terms in sorted(agreements.items())
        if terms.erp.is_exchanged and terms.erp.sync_interval_minutes
    }


def wanted(agreements: Mapping[str, Agreement]) -> tuple[Wanted, ...]:
    """All schedules."""
    intervals = connected(agreements)
    if len(intervals) > MOST_OF_THEIR_OWN:
        return _for_all(intervals)
    return tuple(each for customer, every in intervals.items() for each in _for_one(customer, every))


def _for_one(customer: str, every: timedelta) -> tuple[Wanted, Wanted]:
    exchange = Wanted(
        deployment=OF_ONE,
        slug=f"{OURS}{customer}",
        mode=INCREMENTAL,
        customers=(customer,),
        schedule=IntervalSchedule(interval=every, anchor_date=anchor(customer, every), timezone="UTC"),
        parameters={"customer": customer},
    )
    night = Wanted(
        deployment=OF_ONE,
        slug=f"{OURS}compare-{customer}",
        mode=COMPARE,
        customers=(customer,),
        schedule=CronSchedule(cron=NIGHTLY, timezone=_ZONE),
        parameters={"customer": customer, "mode": COMPARE},
    )
    return exchange, night


def _for_all(intervals: Mapping[str, timedelta]) -> tuple[Wanted, Wanted]:
    every = min(intervals.values())
    exchange = Wanted(
        deployment=OF_ALL,
        slug=f"{OURS}all",
        mode=INCREMENTAL,
        customers=tuple(intervals),
        schedule=IntervalSchedule(interval=every, anchor_date=_ANCHOR, timezone="UTC"),
        parameters={},
    )
    night = Wanted(
        deployment=OF_ALL,
        slug=f"{OURS}compare-all",
        mode=COMPARE,
        customers=tuple(intervals),
        schedule=CronSchedule(cron=NIGHTLY, timezone=_ZONE),
        parameters={"mode": COMPARE},
    )
    return exchange, night


def anchor(customer: str, every: timedelta) -> datetime:
    """An instant of the customer's schedule: not all begin in the same second."""
    drawn = int.from_bytes(hashlib.sha256(customer.encode()).digest()[:4], "big")
    return _ANCHOR + timedelta(seconds=drawn % int(every.total_seconds()))


def due_subject(customer: str, every: timedelta, mode: str, now: datetime) -> str:
    """The subject of the last occasion that is due by now: of whoever works through all customers."""
    if mode == COMPARE:
        return subject_of(mode, now)
    start = anchor(customer, every)
    return subject_of(mode, start + (now - start) // every * every)
