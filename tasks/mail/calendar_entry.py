"""A date as a calendar attachment (RFC 5545, METHOD:PUBLISH): one event, UTC, folded and escaped."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

_FOLD_AT: Final = 75  # octets, without the line end (RFC 5545, section 3.1)


@dataclass(frozen=True)
class CalendarEntry:
    """One event. The same `uid` with a higher `sequence` replaces it in the reader's calendar."""

    uid: str
    sequence: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    summary: str
    description: str
    organizer: str
    stamped_at: dt.datetime


def write_calendar(entry: CalendarEntry, language: str) -> str:
    """The text of an .ics file. It holds no link: calendars are shared, and a link carries a token."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Nakoming//Mail//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{_escape(entry.uid)}",
        f"DTSTAMP:{_utc(entry.stamped_at)}",
        f"DTSTART:{_utc(entry.starts_at)}",
        f"DTEND:{_utc(entry.ends_at)}",
        f"SEQUENCE:{entry.sequence}",
        f"ORGANIZER:mailto:{entry.organizer}",
        f"SUMMARY;LANGUAGE={language}:{_escape(entry.summary)}",
        f"DESCRIPTION;LANGUAGE={language}:{_escape(entry.description)}",
        "TRANSP:TRANSPARENT",  # a deadline keeps nobody from a meeting
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{_fold(line)}\r\n" for line in lines)


def _utc(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def _escape(text: str) -> str:
    """TEXT values, RFC 5545 section 3.3.11."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _fold(line: str) -> str:
    """At most 75 octets a line, never in the middle of a sign; a continuation starts with a blank."""
    pieces: list[str] = []
    piece, octets = "", 0
    for sign in line:
        size = len(sign.encode())
        if octets + size > _FOLD_AT:
            pieces.append(piece)
            piece, octets = " ", 1
        piece, octets = piece + sign, octets + size
    return "\r\n".join([*pieces, piece])
