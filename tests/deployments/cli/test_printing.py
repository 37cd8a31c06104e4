"""What people and programs read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployments.cli import printing
from nakoming.records.gate_model import Via


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime(2026, 12, 5, 15, 0, tzinfo=UTC), "Sat 05 Dec 2026 16:00"),
        (datetime(2026, 7, 4, 22, 30, tzinfo=UTC), "Sun 05 Jul 2026 00:30"),
        (date(2026, 12, 5), "Sat 05 Dec 2026"),
        (None, "–"),
        ("", "–"),
        ((), "–"),
        (("a", None), "a, –"),
        (False, "no"),
        (0, "0"),
        ("two\nlines\tand more", "two lines and more"),
        ("bell\x07 and \x9b31m", "bell� and �31m"),
    ],
)
def test_a_value_is_one_line_that_steers_nothing(value: object, shown: str) -> None:
    assert printing.cell(value) == shown


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime(2026, 12, 5, 15, 0, tzinfo=UTC), "2026-12-05T15:00:00+00:00"),
        (timedelta(minutes=2), 120.0),
        (Decimal("99.80"), "99.80"),
        (Via.LETTER, "letter"),
        ({"a": (1, {2})}, {"a": [1, [2]]}),
        (Path("a/b"), "a/b"),
    ],
)
def test_json_holds_what_programs_read(value: Any, plain: Any) -> None:
    assert printing.plain(value) == plain
    assert type(printing.plain(value)) is type(plain)


def test_a_table_in_a_pipe_has_no_frame_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    printing.table(("name", "what"), [("a", long), ("bcdef", None)], title="Title")
    assert capsys.readouterr().out == f"\nTitle\nname   what\na      {long}\nbcdef  –\n"


def test_a_table_on_a_terminal_takes_texts_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    printing.table(("name", "what"), [("rfc/brouwer/2026-014", "[red]not markup[/red] " + "y" * 50)])
    out = capsys.readouterr().out
    assert "[red]not markup[/red]" in out
    assert out.count("y") == 50
