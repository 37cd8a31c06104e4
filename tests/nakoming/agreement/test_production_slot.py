"""The window of a release: lead times of beta and acceptance, windows passed over, what is waited for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakoming.agreement.calendar import WorkingCalendar
from nakoming.agreement.errors import CalendarYearError, WindowTooShortError
from nakoming.agreement.loading import load_agreement
from nakoming.agreement.production import ProductionSlot, Why, lead_deadlines, production_slot
from tests.nakoming.agreement.dated import AMSTERDAM, day, local

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.agreement.terms import Agreement

NEEDED = timedelta(minutes=20)


def find(
    agreement: Agreement, calendar: WorkingCalendar, beta: str, accepted: str | None, now: str
) -> ProductionSlot:
    return production_slot(
        agreement,
        calendar,
        beta_installed_at=local(beta),
        accepted_at=None if accepted is None else local(accepted),
        now=local(now),
        needed=NEEDED,
    )


@pytest.mark.parametrize(
    ("release", "beta_by", "accept_by"),
    [
        ("Sat 2026-12-05", "Mon 2026-11-23 17:30", "Thu 2026-12-03 00:00"),
        ("Sat 2027-01-02", "Thu 2026-12-17 17:30", "Wed 2026-12-30 00:00"),
        ("Sat 2027-05-01", "Fri 2027-04-16 17:30", "Thu 2027-04-29 00:00"),
        ("Sat 2027-04-03", "Thu 2027-03-18 17:30", "Thu 2027-04-01 00:00"),
    ],
)
def test_the_deadlines_of_a_release(
    plain: Agreement, calendar: WorkingCalendar, release: str, beta_by: str, accept_by: str
) -> None:
    assert lead_deadlines(plain, calendar, day(release)) == (local(beta_by), local(accept_by))


@pytest.mark.parametrize(
    ("beta", "accepted", "expected", "why"),
    [
        pytest.param(
            "Mon 2026-11-23 17:30", "Wed 2026-12-02 23:59", "Sat 2026-12-05 16:00", [], id="in time"
        ),
        pytest.param("Mon 2026-11-23 17:30", "Thu 2026-12-03 00:00", "Sat 2026-12-05 16:00", [], id="24:00"),
        pytest.param(
            "Mon 2026-11-23 17:31",
            "Tue 2026-11-24 12:00",
            "Sat 2027-01-02 16:00",
            [Why.BETA_TOO_LATE, Why.BETA_TOO_LATE],
            id="beta a minute late: Saturday and its Sunday are passed over",
        ),
        pytest.param(
            "Mon 2026-11-23 12:00",
            "Thu 2026-12-03 00:01",
            "Sat 2027-01-02 16:00",
            [Why.ACCEPTED_TOO_LATE, Why.ACCEPTED_TOO_LATE],
            id="accepted a minute late",
        ),
    ],
)
def test_the_first_window_that_keeps_both_lead_times(
    plain: Agreement, calendar: WorkingCalendar, beta: str, accepted: str, expected: str, why: list[Why]
) -> None:
    found = find(plain, calendar, beta, accepted, "Thu 2026-12-03 12:00")
    assert found.slot is not None
    assert found.slot.start_at == local(expected)
    assert found.reason.why is Why.FITS
    assert [passed.why for passed in found.passed_over] == why


def test_a_passed_window_says_its_deadline_and_the_act(plain: Agreement, calendar: WorkingCalendar) -> None:
    found = find(plain, calendar, "Tue 2026-11-24 09:00", "Wed 2026-11-25 09:00", "Wed 2026-11-25 09:00")
    first = found.passed_over[0]
    assert (first.code, first.release_on) == ("beta_too_late", day("Sat 2026-12-05"))
    assert (first.by, first.at) == (local("Mon 2026-11-23 17:30"), local("Tue 2026-11-24 09:00"))


def test_not_accepted_yet_tells_the_last_day_to_accept(plain: Agreement, calendar: WorkingCalendar) -> None:
    found = find(plain, calendar, "Mon 2026-11-23 12:00", None, "Wed 2026-12-02 23:59")
    assert found.slot is None
    assert found.reason.code == "not_accepted"
    assert found.release_on == day("Sat 2026-12-05")
    assert found.accept_by == local("Thu 2026-12-03 00:00")
    assert found.passed_over == ()


def test_after_the_last_day_the_next_month_is_waited_for(plain: Agreement, calendar: WorkingCalendar) -> None:
    found = find(plain, calendar, "Mon 2026-11-23 12:00", None, "Thu 2026-12-03 00:01")
    assert found.slot is None
    assert found.release_on == day("Sat 2027-01-02")
    assert found.accept_by == local("Wed 2026-12-30 00:00")
    assert [(each.why, each.at) for each in found.passed_over] == [(Why.ACCEPTED_TOO_LATE, None)] * 2


def test_in_the_window_what_is_left_of_it_counts(plain: Agreement, calendar: WorkingCalendar) -> None:
    now = "Sat 2026-12-05 18:40"
    found = find(plain, calendar, "Mon 2026-11-23 12:00", "Tue 2026-12-01 12:00", now)
    assert found.slot is not None
    assert found.slot.start_at == local(now)
    later = find(plain, calendar, "Mon 2026-11-23 12:00", "Tue 2026-12-01 12:00", "Sat 2026-12-05 18:41")
    assert later.slot is not None
    assert later.slot.start_at == local("Sun 2026-12-06 16:00")


def test_a_search_into_a_year_nobody_agreed_is_refused(plain: Agreement, calendar: WorkingCalendar) -> None:
    with pytest.raises(CalendarYearError, match="2029"):
        find(plain, calendar, "Thu 2028-12-28 12:00", None, "Fri 2028-12-29 12:00")


def test_work_that_never_fits_is_refused(plain: Agreement, calendar: WorkingCalendar) -> None:
    at = local("Mon 2026-11-23 12:00")
    with pytest.raises(WindowTooShortError):
        production_slot(
            plain, calendar, beta_installed_at=at, accepted_at=at, now=at, needed=timedelta(hours=4)
        )


@pytest.mark.parametrize("customer", ["brouwer", "fenwick", "kestrel"])
@pytest.mark.parametrize(
    "now", ["Mon 2026-11-23 12:00", "Mon 2026-11-23 23:58", "Sun 2026-11-29 03:00", "Fri 2026-12-25 21:00"]
)
def test_a_demo_agreement_lets_a_release_go_out_at_once(
    demo_agreements: Path, customer: str, now: str
) -> None:
    agreement = load_agreement(demo_agreements / f"{customer}.yaml")
    calendar = WorkingCalendar.from_terms(agreement)
    waiting = find(agreement, calendar, now, None, now)
    assert waiting.reason.why is Why.NOT_ACCEPTED
    found = find(agreement, calendar, now, now, now)
    assert found.slot is not None
    assert found.slot.start_at == local(now)


@given(
    beta=st.integers(0, 60 * 24 * 200), pause=st.integers(0, 60 * 24 * 60), then=st.integers(0, 60 * 24 * 60)
)
def test_a_window_taken_keeps_the_agreement(
    plain: Agreement, calendar: WorkingCalendar, beta: int, pause: int, then: int
) -> None:
    beta_at = local("Mon 2026-11-23 12:00") + timedelta(minutes=beta)
    accepted_at = beta_at + timedelta(minutes=pause)
    now = accepted_at + timedelta(minutes=then)
    found = production_slot(
        plain, calendar, beta_installed_at=beta_at, accepted_at=accepted_at, now=now, needed=NEEDED
    )
    assert found.slot is not None
    assert now <= found.slot.start_at <= found.slot.end_at - NEEDED
    assert _working_days_between(calendar, beta_at, found.slot.start_at) >= plain.lead_times.beta
    assert _working_days_between(calendar, accepted_at, found.slot.start_at) >= 3


def _working_days_between(calendar: WorkingCalendar, act_at: datetime, release_at: datetime) -> int:
    """Count working days from the act's own day (local, at 24:00 still that day) to before the release's."""
    on = local_day(act_at - timedelta(microseconds=1))
    count = 0
    while on < local_day(release_at):
        count += calendar.is_working_day(on)
        on += timedelta(days=1)
    return count


def local_day(at: datetime) -> date:
    return at.astimezone(AMSTERDAM).date()
