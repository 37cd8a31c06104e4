"""Instants, deadlines, sizes and amounts in the reader's words, on the clock of the agreement."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from nakoming.agreement.local_time import ZONE, local_date

if TYPE_CHECKING:
    from decimal import Decimal

_DAYS: Final = {
    "nl": ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS: Final = {
    "nl": (
        "januari", "februari", "maart", "april", "mei", "juni",
        "juli", "augustus", "september", "oktober", "november", "december",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_AT: Final = {"nl": "{day} om {time} uur{zone}", "en": "{day} at {time}{zone}"}
_END_OF: Final = {"nl": "{day}, 24:00 uur{zone}", "en": "{day}, 24:00{zone}"}
_ZONE_WORDS: Final = {"nl": "Nederlandse tijd", "en": "Dutch time"}
_SEASONS: Final = {"nl": ("wintertijd", "zomertijd"), "en": ("winter time", "summer time")}
_DUTCH_MARKS: Final = str.maketrans(",.", ".,")
_KIB: Final = 1024


def day_in_words(on: date, language: str) -> str:
    """A day: vrijdag 11 december 2026."""
    return f"{_DAYS[language][on.weekday()]} {on.day} {_MONTHS[language][on.month - 1]} {on.year}"


def instant_in_words(at: datetime, language: str) -> str:
    """An instant: vrijdag 11 december 2026 om 14:05 uur (Nederlandse tijd)."""
    local = at.astimezone(ZONE)
    day = day_in_words(local.date(), language)
    return _AT[language].format(day=day, time=f"{local:%H:%M}", zone=_zone(local, language))


def deadline_in_words(by: datetime, language: str) -> str:
    """The same, but midnight is 24:00 of the day that ends: the last one on which to answer."""
    local = by.astimezone(ZONE)
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return instant_in_words(by, language)
    day = day_in_words(local.date() - timedelta(days=1), language)
    return _END_OF[language].format(day=day, zone=_zone(local, language))


def days_left(by: datetime, now: datetime) -> int:
    """Whole days on the wall calendar from now to the last day on which to answer; below 0 when past."""
    if now > by:
        return -1
    return max(0, (local_date(by - timedelta(microseconds=1)) - local_date(now)).days)


def deadline_in_short(by: datetime, language: str) -> str:
    """Only the last day, for a subject: vrijdag 11 december."""
    on = local_date(by - timedelta(microseconds=1))
    return day_in_words(on, language).removesuffix(f" {on.year}")


def euro_in_words(amount: Decimal, language: str) -> str:
    """An amount: € 1.250,00 in Dutch, € 1,250.00 in English."""
    written = f"{amount:,.2f}"
    return "€ " + (written.translate(_DUTCH_MARKS) if language == "nl" else written)


def size_in_words(size: int, language: str) -> str:
    """A size: 12 kB, 1,4 MB."""
    if size < _KIB:
        return f"{size} bytes"
    if size < _KIB * _KIB:
        return f"{round(size / _KIB)} kB"
    megabytes = f"{size / _KIB / _KIB:.1f}".removesuffix(".0")
    return f"{megabytes.replace('.', ',') if language == 'nl' else megabytes} MB"


def _zone(local: datetime, language: str) -> str:
    """In the hour that comes twice in autumn the zone alone does not tell which one is meant."""
    words = _ZONE_WORDS[language]
    if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
        words += f", {_SEASONS[language][bool(local.dst())]}"
    return f" ({words})"
