"""Windows: first weekends, finish-by, both clock-change nights."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nakoming.agreement.errors import WindowTooShortError
from nakoming.agreement.term_groups import Windows
from nakoming.agreement.windows import Slot, Window, WindowKind, first_weekend
from tests.nakoming.agreement.dated import day, local, utc

RELEASE = Windows().production_release
BUGFIX = Windows().bugfix
SERVICE = Windows().service
NIGHT = Window(kind=WindowKind.DAILY, start=time(22), end=time(2))
ALWAYS = Window(kind=WindowKind.ANY_TIME)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001  # the zone follows
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "saturday",
    [
        "Sat 2026-01-03", "Sat 2026-02-07", "Sat 2026-03-07", "Sat 2026-04-04", "Sat 2026-05-02",
        "Sat 2026-06-06", "Sat 2026-07-04", "Sat 2026-08-01", "Sat 2026-09-05", "Sat 2026-10-03",
        "Sat 2026-11-07", "Sat 2026-12-05", "Sat 2027-01-02", "Sat 2027-02-06", "Sat 2027-03-06",
        "Sat 2027-04-03", "Sat 2027-05-01", "Sat 2027-06-05", "Sat 2027-07-03", "Sat 2027-08-07",
        "Sat 2027-09-04", "Sat 2027-10-02", "Sat 2027-11-06", "Sat 2027-12-04",
    ],
)  # fmt: skip
def test_the_first_weekend_is_that_of_the_first_saturday(saturday: str) -> None:
    first = day(saturday)
    assert first_weekend(first.replace(day=28)) == (first, first + timedelta(days=1))
    before = local(f"{first.replace(day=1):%a %Y-%m-%d} 00:00")
    slot = RELEASE.next(before)
    assert slot == Slot(local(f"{saturday} 16:00"), local(f"{saturday} 19:00"), first)


@pytest.mark.parametrize("sunday", ["Sun 2026-02-01", "Sun 2026-03-01", "Sun 2026-11-01", "Sun 2027-08-01"])
def test_a_month_that_begins_on_sunday_does_not_begin_with_its_first_weekend(sunday: str) -> None:
    assert RELEASE.slot_containing(local(f"{sunday} 17:00")) is None


@pytest.mark.parametrize(
    ("after", "hours", "start", "end"),
    [
        pytest.param("Fri 2026-12-04 12:00", 3, "Sat 2026-12-05 16:00", "Sat 2026-12-05 19:00", id="whole"),
        pytest.param("Sat 2026-12-05 16:30", 2, "Sat 2026-12-05 16:30", "Sat 2026-12-05 19:00", id="begun"),
        pytest.param(
            "Sat 2026-12-05 17:00", 2, "Sat 2026-12-05 17:00", "Sat 2026-12-05 19:00", id="just fits"
        ),
        pytest.param("Sat 2026-12-05 17:01", 2, "Sun 2026-12-06 16:00", "Sun 2026-12-06 19:00", id="Sunday"),
        pytest.param("Sun 2026-12-06 17:01", 2, "Sat 2027-01-02 16:00", "Sat 2027-01-02 19:00", id="month"),
        pytest.param(
            "Sat 2026-12-05 19:00", 0, "Sun 2026-12-06 16:00", "Sun 2026-12-06 19:00", id="the end is out"
        ),
    ],
)
def test_nothing_starts_that_would_not_finish(after: str, hours: int, start: str, end: str) -> None:
    slot = RELEASE.next(local(after), timedelta(hours=hours))
    assert (slot.start_at, slot.end_at) == (local(start), local(end))
    assert slot.start_at + timedelta(hours=hours) <= slot.end_at


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("Mon 2026-11-23 19:59:59", False),
        ("Mon 2026-11-23 20:00:00", True),
        ("Mon 2026-11-23 20:59:59", True),
        ("Mon 2026-11-23 21:00:00", False),
        ("Sun 2026-11-29 20:30:00", True),
    ],
)
def test_a_window_includes_its_start_and_not_its_end(at: str, *, inside: bool) -> None:
    assert (BUGFIX.slot_containing(local(at)) is not None) is inside


def test_the_service_window_is_empty_in_the_march_night() -> None:
    assert SERVICE.opening_on(day("Sun 2027-03-28")) is None
    slot = SERVICE.next(local("Sat 2027-03-27 12:00"))
    assert slot == Slot(utc("2027-03-29 00:00"), utc("2027-03-29 01:00"), day("Mon 2027-03-29"))
    assert SERVICE.slot_containing(utc("2027-03-28 00:30")) is None
    assert SERVICE.slot_containing(utc("2027-03-28 01:00")) is None


def test_the_service_window_is_two_hours_in_the_october_night() -> None:
    slot = SERVICE.next(local("Sat 2027-10-30 12:00"))
    assert slot == Slot(utc("2027-10-31 00:00"), utc("2027-10-31 02:00"), day("Sun 2027-10-31"))
    assert slot.length == 2 * HOUR
    assert slot.start_at in slot
    assert slot.end_at not in slot
    assert local("Sun 2027-10-31 02:30", fold=0) in slot
    assert local("Sun 2027-10-31 02:30", fold=1) in slot
    assert SERVICE.next(utc("2027-10-31 00:00"), 2 * HOUR) == slot


def test_a_window_over_midnight_belongs_to_the_day_it_opened() -> None:
    slot = NIGHT.slot_containing(local("Tue 2026-11-24 01:00"))
    assert slot == Slot(local("Mon 2026-11-23 22:00"), local("Tue 2026-11-24 02:00"), day("Mon 2026-11-23"))
    assert NIGHT.next(local("Tue 2026-11-24 01:00"), HOUR).opens_on == day("Mon 2026-11-23")
    assert NIGHT.next(local("Tue 2026-11-24 01:30"), HOUR).opens_on == day("Tue 2026-11-24")


def test_a_window_over_the_clock_change_is_an_hour_shorter_or_longer() -> None:
    night = Window(kind=WindowKind.DAILY, start=time(23), end=time(4))
    march, october = night.opening_on(day("Sat 2027-03-27")), night.opening_on(day("Sat 2027-10-30"))
    assert march is not None
    assert october is not None
    assert (march.length, october.length) == (4 * HOUR, 6 * HOUR)


def test_any_time_is_open_at_once_also_before_midnight() -> None:
    at = local("Mon 2026-11-23 23:59")
    slot = ALWAYS.next(at, 30 * HOUR)
    assert (slot.start_at, slot.opens_on) == (at, day("Mon 2026-11-23"))
    assert slot.length >= 30 * HOUR
    assert ALWAYS.next(ALWAYS.following(slot)).opens_on == day("Tue 2026-11-24")
    assert ALWAYS.slot_containing(at) is not None


def test_work_longer_than_the_window_is_refused() -> None:
    with pytest.raises(WindowTooShortError) as caught:
        RELEASE.next(local("Mon 2026-11-23 12:00"), timedelta(hours=3, minutes=1))
    assert str(caught.value) == (
        "Work of 3:01:00 (deploy and rollback together) never fits the window first_weekend 16:00–19:00; "
        "shorten the work or agree a longer window."
    )


@pytest.mark.parametrize("wall", [time(2, 1), time(2, 59)])
def test_a_window_cannot_begin_within_the_hour_that_changes(wall: time) -> None:
    with pytest.raises(ValidationError, match="skipped in March"):
        Window(kind=WindowKind.DAILY, start=wall, end=time(5))


@pytest.mark.parametrize("window", [RELEASE, BUGFIX, SERVICE, NIGHT, ALWAYS])
@given(at=INSTANTS, minutes=st.integers(0, 60))
def test_a_slot_is_never_early_and_always_finishes(window: Window, at: datetime, minutes: int) -> None:
    needed = timedelta(minutes=minutes)
    slot = window.next(at, needed)
    assert slot.start_at >= at
    assert slot.start_at < slot.end_at
    assert slot.start_at + needed <= slot.end_at


@pytest.mark.parametrize("window", [RELEASE, BUGFIX, SERVICE, NIGHT])
@given(at=INSTANTS)
def test_slots_never_overlap(window: Window, at: datetime) -> None:
    slot = window.next(at)
    following = window.next(window.following(slot))
    assert following.start_at >= slot.end_at
    assert following.opens_on > slot.opens_on


@pytest.mark.parametrize("window", [RELEASE, BUGFIX, SERVICE, NIGHT])
@given(at=INSTANTS)
def test_inside_and_next_agree(window: Window, at: datetime) -> None:
    inside = window.slot_containing(at)
    assert (inside is not None) == (window.next(at).start_at == at)
