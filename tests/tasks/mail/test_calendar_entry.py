"""Calendar entries by the letter of RFC 5545."""

from __future__ import annotations

import datetime as dt

from hypothesis import example, given
from hypothesis import strategies as st

from tasks.mail.calendar_entry import CalendarEntry, write_calendar

AT = dt.datetime(2027, 1, 5, 8, 30, tzinfo=dt.UTC)


def write(summary: str) -> str:
    return write_calendar(
        CalendarEntry("u@x.example", 3, AT, AT + dt.timedelta(hours=1), summary, "d", "n@x.example", AT), "nl"
    )


def unescape(text: str) -> str:
    """The reader's side of TEXT, written from the RFC."""
    read, rest = "", iter(text)
    for sign in rest:
        read += {"n": "\n", "N": "\n"}.get(after := next(rest), after) if sign == "\\" else sign
    return read


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n")))
@example("é" * 100)
@example("a\\n;,\n" * 30)
def test_any_text_is_folded_escaped_and_read_back(summary: str) -> None:
    written = write(summary)
    assert all(len(line.encode()) <= 75 for line in written.split("\r\n"))
    assert written.replace("\r\n", "").count("\n") == 0
    (line,) = [x for x in written.replace("\r\n ", "").split("\r\n") if x.startswith("SUMMARY")]
    assert unescape(line.removeprefix("SUMMARY;LANGUAGE=nl:")) == summary


def test_the_required_lines_are_there() -> None:
    lines = write("x").split("\r\n")
    assert lines[:4] == ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Nakoming//Mail//EN", "METHOD:PUBLISH"]
    assert {"UID:u@x.example", "SEQUENCE:3", "DTSTAMP:20270105T083000Z", "DTEND:20270105T093000Z"} <= set(
        lines
    )
    assert lines[-2:] == ["END:VCALENDAR", ""]
