"""What needs no ERP: the breaker, watermarks, comparisons, the compiled SQL, what errors mean."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from blocks.erp.breaker import FIRST_PAUSE, LONGEST_PAUSE, THRESHOLD, Breaker
from blocks.erp.comparison import differences, same
from blocks.erp.errors import (
    ErpConnectionLost,
    ErpFull,
    ErpLocked,
    ErpReadOnly,
    ErpStatementRefused,
    ErpTableMissing,
    ErpUnreachable,
    ErpValueRefused,
)
from blocks.erp.marks import as_instant, earlier, like
from blocks.erp.odbc_session import dialect_of
from blocks.erp.odbc_words import meaning_of, state_of, words_of
from blocks.erp.statements import Condition, Statements
from blocks.secrets import redact

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def local(*parts: int) -> datetime:
    """An instant without a zone, as ERPs keep them."""
    return datetime(*parts)  # type: ignore[arg-type,misc]  # noqa: DTZ001 - see above


def test_the_breaker_opens_at_the_threshold_and_waits_longer_each_time() -> None:
    breaker = Breaker()
    told = []
    for _ in range(THRESHOLD - 1):
        told.append(breaker.opens(NOW))
        breaker = breaker.after_failure(NOW)
        assert breaker.allows(NOW)
    told.append(breaker.opens(NOW))
    breaker = breaker.after_failure(NOW)
    assert breaker.open_until == NOW + FIRST_PAUSE
    assert not breaker.allows(NOW + FIRST_PAUSE - timedelta(microseconds=1))
    assert breaker.allows(NOW + FIRST_PAUSE)
    later = NOW + FIRST_PAUSE
    told.append(breaker.opens(later))
    breaker = breaker.after_failure(later)
    assert breaker.open_until == later + 2 * FIRST_PAUSE
    assert told == [False, False, True, False], "one message, not a hundred"


def test_the_breaker_never_waits_longer_than_an_hour_and_closes_at_once() -> None:
    breaker = Breaker()
    for _ in range(5_000):
        breaker = breaker.after_failure(NOW)
    assert breaker.open_until == NOW + LONGEST_PAUSE
    assert breaker.after_success() == Breaker()
    assert Breaker().allows(NOW)


@pytest.mark.parametrize(
    ("value", "overlap", "zone", "expected"),
    [
        (local(2026, 3, 2, 10), 10, UTC_ZONE, local(2026, 3, 2, 9, 50)),
        (NOW, 10, AMSTERDAM, NOW - timedelta(minutes=10)),
        (date(2026, 3, 2), 10, UTC_ZONE, date(2026, 3, 1)),
        ("2026-03-02 10:00:00.123456", 10, UTC_ZONE, "2026-03-02 09:50:00"),
        ("2026-03-02T10:00:00Z", 10, AMSTERDAM, "2026-03-02T09:50:00"),
        ("2026-03-02T10:00:00-05:00", 10, AMSTERDAM, "2026-03-02T09:50:00"),
        ("2026-03-02", 10, UTC_ZONE, "2026-03-01"),
        ("02-03-2026", 10, UTC_ZONE, "02-03-2026"),
        ("2026-13-45", 10, UTC_ZONE, "2026-13-45"),
        (12345, 10, UTC_ZONE, 12345),
        (b"\x00\x01", 10, UTC_ZONE, b"\x00\x01"),
        # The night of 25 October 2026: an hour more, for its local times came twice.
        (local(2026, 10, 25, 2, 50), 10, AMSTERDAM, local(2026, 10, 25, 1, 40)),
        (local(2026, 10, 25, 4, 0), 10, AMSTERDAM, local(2026, 10, 25, 2, 50)),
        # The night of 29 March 2026, in which 02:00 to 03:00 is none.
        (local(2026, 3, 29, 3, 5), 10, AMSTERDAM, local(2026, 3, 29, 1, 55)),
    ],
)
def test_a_watermark_earlier_by_an_overlap(value: Any, overlap: int, zone: ZoneInfo, expected: Any) -> None:
    assert earlier(value, timedelta(minutes=overlap), zone) == expected


def test_instants_of_every_kind() -> None:
    assert as_instant(local(2026, 7, 1, 12), AMSTERDAM) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert as_instant(date(2026, 7, 1), AMSTERDAM) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert as_instant("2026-07-01 12:00:00,5", UTC_ZONE) == datetime(
        2026, 7, 1, 12, 0, 0, 500_000, tzinfo=UTC
    )
    assert as_instant("01-07-2026", UTC_ZONE) is None
    assert as_instant(None, UTC_ZONE) is None
    assert as_instant(7, UTC_ZONE) is None
    assert like(5, NOW, UTC_ZONE) == local(2026, 11, 23, 12)


@pytest.mark.parametrize(
    ("wanted", "found", "equal"),
    [
        (Decimal("1.50"), Decimal("1.5"), True),
        (Decimal("1.5"), 1.5, True),
        (Decimal("1.5"), "1.500", True),
        (Decimal("12345678901234567.123"), 12345678901234567.0, False),
        (0.1, 0.10000000149011612, False),
        (0.1, Decimal("0.1"), True),
        (1, True, True),
        (True, 1, True),
        (2**63 - 1, float(2**63 - 1), False),
        (1, "one", False),
        (None, None, True),
        (None, 0, False),
        (0, None, False),
        ("", None, False),
        ("a", "a   ", True),
        ("a", " a", False),
        ("a", "A", False),
        ("é", "e\u0301", False),
        (b"\x00", memoryview(b"\x00"), True),
        (b"\x00", "\x00", False),
        (date(2026, 1, 2), "2026-01-02", True),
        (date(2026, 1, 2), local(2026, 1, 2), True),
        (date(2026, 1, 2), local(2026, 1, 2, 0, 1), False),
        (local(2026, 1, 2, 3, 4, 5, 6), "2026-01-02 03:04:05.000006", True),
        (local(2026, 1, 2, 3, 4, 5, 6), local(2026, 1, 2, 3, 4, 5), False),
        (local(2026, 1, 2), "rubbish", False),
        (datetime(2026, 7, 1, 10, tzinfo=UTC), local(2026, 7, 1, 12), True),
        (
            datetime(2026, 7, 1, 10, tzinfo=UTC),
            datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2))),
            True,
        ),
        (datetime(2026, 7, 1, 10, tzinfo=UTC), local(2026, 7, 1, 10), False),
    ],
)
def test_one_value_or_two(wanted: Any, found: Any, equal: bool) -> None:  # noqa: FBT001 - a table
    assert same(wanted, found, AMSTERDAM) is equal


def test_differences_name_what_was_written_and_what_stands() -> None:
    assert differences({"a": 1, "b": "x"}, [1, "y"], UTC_ZONE) == {"b": ("x", "y")}


TSQL = [
    (
        lambda made: made.select("dbo.orders", ["number", "a]b"], [Condition("changed_at", ">=")]),
        "SELECT t.[number], t.[a]]b] FROM [dbo].[orders] AS t WHERE t.[changed_at] >= ?",
        "p0",
    ),
    (
        lambda made: made.highest("orders", "version"),
        "SELECT max(t.[version]) AS max_1 FROM [orders] AS t",
        "",
    ),
    (
        lambda made: made.totals("orders", ["price"], [Condition("at", ">=")]),
        (
            "SELECT count(*) AS count_1, coalesce(sum(CAST(t.[price] AS NUMERIC(38, 10))), 0) AS coalesce_1 "
            "FROM [orders] AS t WHERE t.[at] >= ?"
        ),
        "p0",
    ),
    (
        lambda made: made.insert("hours", ["line", "n"]),
        "INSERT INTO [hours] ([line], [n]) VALUES (?, ?)",
        "p0 p1",
    ),
    (
        lambda made: made.update("orders", ["note"], ["number", "line"]),
        "UPDATE [orders] SET [note]=? WHERE [orders].[number] = ? AND [orders].[line] = ?",
        "p0 p1 p2",
    ),
    (
        lambda made: made.take_key("suite_keys"),
        (
            "INSERT INTO [suite_keys] ([external_key], [at]) SELECT ? AS anon_1, CURRENT_TIMESTAMP AS "
            "current_timestamp_1 WHERE NOT (EXISTS (SELECT 1 FROM [suite_keys] AS t WITH (UPDLOCK, HOLDLOCK) "
            "WHERE t.[external_key] = ?))"
        ),
        "p0 p0",
    ),
    (
        lambda made: made.insert_once("hours", ["line", "k"], "k"),
        (
            "INSERT INTO [hours] ([line], [k]) SELECT ? AS anon_1, ? AS anon_2 WHERE NOT (EXISTS (SELECT 1 "
            "FROM [hours] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[k] = ?))"
        ),
        "p0 p1 p1",
    ),
]


@pytest.mark.parametrize(("made", "text", "names"), TSQL)
def test_what_sql_server_is_told(made: Any, text: str, names: str) -> None:
    """No MERGE, names in brackets, values bound."""
    statement = made(Statements(dialect_of("mssql")))
    assert " ".join(statement.text.split()) == text
    assert " ".join(statement.names) == names
    assert " ".join(statement.values({each: each for each in names.split()})) == names


def test_any_other_database_is_told_standard_sql() -> None:
    made = Statements(dialect_of("standard"))
    text = " ".join(made.take_key("suite_keys").text.split())
    assert "WITH (" not in text
    assert "ON CONFLICT" not in text
    assert '"suite_keys"' in text


DRIVER = "[{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{words} ({number}) (SQLExecDirectW)"


@pytest.mark.parametrize(
    ("state", "number", "words", "kind"),
    [
        ("23000", 2627, "Violation of PRIMARY KEY constraint", ErpValueRefused),
        ("42000", 1222, "Lock request time out period exceeded.", ErpLocked),
        ("40001", 1205, "Transaction was deadlocked", ErpLocked),
        ("42000", 1105, "Could not allocate space", ErpFull),
        ("42000", 9002, "The transaction log is full", ErpFull),
        ("25000", 3906, "Failed to update database because it is read-only", ErpReadOnly),
        ("42S02", 208, "Invalid object name 'x'", ErpTableMissing),
        ("42000", 50_001, "no hours on a 13th", ErpValueRefused),
        ("42000", 229, "The INSERT permission was denied", ErpStatementRefused),
        ("08S01", 10_054, "Communication link failure", ErpConnectionLost),
        ("08S01", 121, "TCP Provider: timeout", ErpConnectionLost),
        ("22003", 8_115, "Arithmetic overflow", ErpValueRefused),
    ],
)
def test_what_sql_server_says(state: str, number: int, words: str, kind: type) -> None:
    pyodbc = pytest.importorskip("pyodbc")
    error = pyodbc.ProgrammingError(state, DRIVER.format(state=state, words=words, number=number))
    assert meaning_of(error, state_of(error)) is kind
    assert words_of(error) == words.rstrip(".")


def test_an_error_survives_its_way_between_processes_without_a_secret() -> None:
    redact("zeer-geheim-1")
    error = ErpUnreachable(where="erp.example:5432/erp", reason="bad password zeer-geheim-1 given")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, made just now
    assert (
        str(again)
        == str(error)
        == ("The ERP erp.example:5432/erp cannot be reached: bad password [removed] given.")
    )
