"""Instants in words, in the reader's language and the agreement's zone (Europe/Amsterdam)."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from tasks.mail.contexts import Language

ZONE: Final = ZoneInfo("Europe/Amsterdam")
_DAYS: Final = {
    Language.NL: ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
    Language.EN: ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS: Final = {
    Language.NL: (
        "januari", "februari", "maart", "april", "mei", "juni",
        "juli", "augustus", "september", "oktober", "november", "december",
    ),
    Language.EN: (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_ZONE_WORDS: Final = {Language.NL: "Nederlandse tijd", Language.EN: "Dutch time"}
_SUMMER: Final = {Language.NL: "zomertijd", Language.EN: "summer time"}
_WINTER: Final = {Language.NL: "wintertijd", Language.EN: "winter time"}


def instant_in_words(at: dt.datetime, language: Language) -> str:
    """Day, date, time and zone: "dinsdag 12 januari 2027 09:30 uur (Nederlandse tijd)"."""
    local = at.astimezone(ZONE)
    return _words(local.date(), f"{local:%H:%M}", _zone(local, language), language)


def deadline_in_words(by: dt.datetime, language: Language) -> str:
    """The same, but midnight is 24:00 of the day that ends, the last one on which to answer."""
    local = by.astimezone(ZONE)
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return instant_in_words(by, language)
    return _words(local.date() - dt.timedelta(days=1), "24:00", _zone(local, language), language)


def deadline_in_short(by: dt.datetime, language: Language) -> str:
    """Only the last day, for a subject: "dinsdag 12 januari"."""
    local = (by - dt.timedelta(microseconds=1)).astimezone(ZONE)
    return f"{_DAYS[language][local.weekday()]} {local.day} {_MONTHS[language][local.month - 1]}"


def _words(on: dt.date, time: str, zone: str, language: Language) -> str:
    day = f"{_DAYS[language][on.weekday()]} {on.day} {_MONTHS[language][on.month - 1]} {on.year}"
    return f"{day} {time} uur ({zone})" if language is Language.NL else f"{day}, {time} ({zone})"


def _zone(local: dt.datetime, language: Language) -> str:
    """In the hour that comes twice in autumn the zone alone does not tell which one is meant."""
    if local.utcoffset() == local.replace(fold=1 - local.fold).utcoffset():
        return _ZONE_WORDS[language]
    season = _SUMMER if local.dst() else _WINTER
    return f"{_ZONE_WORDS[language]}, {season[language]}"
