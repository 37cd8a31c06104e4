"""Dates and instants as tables write them, with the weekday beside each: a wrong weekday is an error."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def day(text: str) -> date:
    """Read `Sat 2026-12-05`."""
    weekday, iso = text.split()
    found = date.fromisoformat(iso)
    assert found.strftime("%a") == weekday, f"{iso} is a {found:%a}, not a {weekday}"
    return found


def local(text: str, *, fold: int = 0) -> datetime:
    """Read `Sat 2026-12-05 16:00` as wall time of Amsterdam; returned in UTC."""
    weekday, iso, wall = text.split()
    on = day(f"{weekday} {iso}")
    moment = datetime.fromisoformat(f"{on.isoformat()}T{wall}").replace(tzinfo=AMSTERDAM, fold=fold)
    return moment.astimezone(UTC)


def utc(text: str) -> datetime:
    """Read `2027-03-28 01:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
