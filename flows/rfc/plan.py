"""When a change may go live: not before the date agreed with the customer, or the month of its release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from nakoming.agreement.local_time import start_of_day
from nakoming.agreement.production import production_slot
from nakoming.records import case_facts
from tasks.questions import desk_of

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.agreement.production import ProductionSlot
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

RELEASE_FACT = "release"


@dataclass(frozen=True)
class Plan:
    """What was planned of a request, and the first window that keeps it and both lead times.

    `release` is that of a generic request (S-2.3.6); it may be changed while the case waits.
    """

    release: str | None
    window: ProductionSlot


def plan_of(
    tx: Tx, case: CaseRun, planned_on: date | None, *, beta_installed_at: datetime, accepted_at: datetime
) -> Plan:
    """The plan as it is at this instant; `planned_on` is the date of a specific request (S-2.3.4)."""
    here = desk_of(tx, case)
    release = case_facts.get(tx, case.lease.case_id, case.customer, RELEASE_FACT)
    window = production_slot(
        here.terms,
        here.calendar,
        beta_installed_at=beta_installed_at,
        accepted_at=accepted_at,
        now=max(here.now, *_not_before(planned_on, release), here.now),
        needed=here.terms.deployment.needed,
    )
    return Plan(release, window)


def _not_before(planned_on: date | None, release: str | None) -> list[datetime]:
    days = [planned_on] if planned_on else []
    if release:
        days.append(date.fromisoformat(f"{release.replace('.', '-')}-01"))
    return [start_of_day(on) for on in days]
