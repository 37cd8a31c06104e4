"""In which window a release goes to production, and why not in an earlier one (S-2.6.1, S-2.6.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from nakoming.agreement.clocks import end_of_day, end_of_service_hours, within
from nakoming.agreement.local_time import aware

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, timedelta

    from nakoming.agreement.calendar import WorkingCalendar
    from nakoming.agreement.terms import Agreement
    from nakoming.agreement.windows import Slot


class Why(StrEnum):
    """Why a window is taken, passed over, or waited for."""

    FITS = "fits"
    BETA_TOO_LATE = "beta_too_late"
    ACCEPTED_TOO_LATE = "accepted_too_late"
    NOT_ACCEPTED = "not_accepted"


@dataclass(frozen=True, slots=True)
class SlotReason:
    """What was found about the window that opens on `release_on`.

    `by` is the deadline that decided and `at` the instant of the act it was held against (None: not done
    yet).
    """

    why: Why
    release_on: date
    by: datetime
    at: datetime | None

    @property
    def code(self) -> str:
        """The reason as text for records."""
        return self.why.value


@dataclass(frozen=True, slots=True)
class ProductionSlot:
    """The window, or the reason why there is none yet.

    `release_on`, `beta_by` and `accept_by` are of the window taken or, when the customer has not accepted, of
    the next one that can still be reached: `accept_by` is then the last instant to accept. `passed_over` are
    the earlier windows that could not be taken, in order.
    """

    slot: Slot | None
    reason: SlotReason
    release_on: date
    beta_by: datetime
    accept_by: datetime
    passed_over: tuple[SlotReason, ...] = ()


def production_slot(
    agreement: Agreement,
    calendar: WorkingCalendar,
    *,
    beta_installed_at: datetime,
    accepted_at: datetime | None,
    now: datetime,
    needed: timedelta,
) -> ProductionSlot:
    """Return the first window from `now` on whose release date D keeps both lead times of the agreement.

    The beta must have been installed by the end of service hours of D minus `lead_times.beta` working days,
    and accepted by 24:00 of D minus `lead_times.acceptance_last_day` working days. Zero days is D itself,
    until the window opens. `needed` is the measured installation and rollback together (finish-by).

    Raises:
        CalendarYearError: the search reaches a year whose working days are not agreed.
        WindowTooShortError: the work never fits the window.
    """
    passed: list[SlotReason] = []
    for slot in _slots(agreement, aware(now), needed):
        beta_by, accept_by = lead_deadlines(agreement, calendar, slot.opens_on)
        late = SlotReason(Why.BETA_TOO_LATE, slot.opens_on, beta_by, beta_installed_at)
        in_time = within(beta_installed_at, beta_by)
        reason = _acceptance(slot.opens_on, accept_by, accepted_at, now) if in_time else late
        if reason.why in {Why.FITS, Why.NOT_ACCEPTED}:
            taken = slot if reason.why is Why.FITS else None
            return ProductionSlot(taken, reason, slot.opens_on, beta_by, accept_by, tuple(passed))
        passed.append(reason)
    raise AssertionError("windows recur for ever")


def lead_deadlines(
    agreement: Agreement, calendar: WorkingCalendar, release_on: date
) -> tuple[datetime, datetime]:
    """Return by when the beta must stand and by when it must be accepted for a release on `release_on`.

    Raises:
        CalendarYearError: the count reaches a year whose working days are not agreed.
    """
    lead = agreement.lead_times
    beta_on = calendar.working_days_before(release_on, lead.beta)
    accept_on = calendar.working_days_before(release_on, lead.acceptance_last_day)
    # Without a lead time the day may be a Sunday or an evening: only the opening of the window bounds it.
    beta_by = end_of_service_hours(beta_on, agreement.service_hours) if lead.beta else end_of_day(beta_on)
    return beta_by, end_of_day(accept_on)


def _acceptance(
    release_on: date, accept_by: datetime, accepted_at: datetime | None, now: datetime
) -> SlotReason:
    if accepted_at is None and within(now, accept_by):
        return SlotReason(Why.NOT_ACCEPTED, release_on, accept_by, None)
    if accepted_at is None or not within(accepted_at, accept_by):
        return SlotReason(Why.ACCEPTED_TOO_LATE, release_on, accept_by, accepted_at)
    return SlotReason(Why.FITS, release_on, accept_by, accepted_at)


def _slots(agreement: Agreement, now: datetime, needed: timedelta) -> Iterator[Slot]:
    window = agreement.windows.production_release
    after = now
    while True:
        slot = window.next(after, needed)
        yield slot
        after = window.following(slot)
