"""What every connection to an ERP's database must do, whichever system stands behind it.

A kind inherits it and gives a fixture `erp`: a `Peer`, a real database with three tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import psutil
import pytest

from blocks.erp.errors import (
    CopyUnsupported,
    ErpKeyMissing,
    ErpReadOnly,
    ErpSlow,
    ErpStatementRefused,
    ErpTableMissing,
    NameInvalid,
    WatermarkInFuture,
)
from blocks.erp.protocol import (
    Applied,
    Different,
    Found,
    Missing,
    OutEffect,
    Period,
    Refused,
    Since,
    Window,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from blocks.erp.session import SqlSession

BEGAN = datetime(2026, 3, 2, 8, 0)  # noqa: DTZ001 - the ERP's instants have no zone
SHORTEST = timedelta(microseconds=1)
AN_HOUR = timedelta(hours=1)
SIGNS = "é 漢字 😀 'q' \"d\" %s ? \n\\"
COLUMNS = ["number", "quantity", "price", "changed_at", "due_on", "done", "note", "weight", "big"]
# What has gone wrong before: signs outside the first plane, last microseconds, digits beyond a float's.
ROWS: list[tuple[Any, ...]] = [
    ("A-1", 1, Decimal("10.500"), BEGAN, date(2026, 4, 1), True, "plain", 0.1, 1),
    ("A-2", -3, Decimal("-0.001"), BEGAN + SHORTEST, date(1, 1, 1), False, None, -1e300, 2**63 - 1),
    ("B-1", 0, Decimal("12345678901234567.123"), BEGAN + AN_HOUR, None, None, SIGNS, 1 / 3, -(2**63)),
    ("B-2", 2**31 - 1, Decimal("0.000"), BEGAN + 2 * AN_HOUR, date(9999, 12, 31), True, "=1", 0.0, 2**53 + 1),
]  # fmt: skip


class Peer(Protocol):
    """A real ERP of the tests."""

    def block(self, **changes: Any) -> Any:
        """Its connection, or a damaged one."""

    def run(self, statement: str) -> None:
        """Do something there that the product does not."""

    def as_held(self, value: Any) -> Any:
        """How the ERP gives a value back that was written."""

    def fill(self, rows: int) -> None:
        """Make a table `bulk` (number, note) with so many rows of about 200 bytes."""

    def locked(self) -> AbstractContextManager[None]:
        """Somebody else holds the row of order A-1."""

    def slow_view(self) -> str:
        """A view whose reading takes seconds; column `number`."""

    def refusing(self) -> str:
        """Let the ERP refuse a quantity of 13; returns words of its message."""

    def read_only(self) -> AbstractContextManager[None]:
        """The ERP takes no changes."""


@dataclass(frozen=True)
class Changes:
    """How a data contract says changes are seen."""

    kind: Any
    column: str
    overlap: timedelta | int | None = None


def hours(key: str, order: str = "A-1", quantity: int = 5, **changes: Any) -> OutEffect:
    """Registered hours: a row in `hours`."""
    given = OutEffect(key, "hours", order, {"line": key}, {"number": order, "quantity": quantity})
    return replace(given, **changes)


def status(key: str, order: str, note: str, **changes: Any) -> OutEffect:
    """A change of an order."""
    given = OutEffect(key, "orders", order, {"number": order}, {"note": note}, action="update")
    return replace(given, **changes)


def read(session: SqlSession, table: str = "orders", *args: Any, **given: Any) -> list[tuple[Any, ...]]:
    """All rows, in the order of their numbers."""
    columns = args[0] if args else COLUMNS
    chunks = session.read(table, columns, *args[1:], **given)
    return sorted(row for chunk in chunks for row in chunk.rows())


def numbers(session: SqlSession, *args: Any, **given: Any) -> list[str]:
    """The order numbers that a reading gives."""
    return [row[0] for row in read(session, "orders", ["number"], *args, **given)]


class ReadingContract:
    """Reading."""

    def test_all_rows_come_exactly(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            found = read(session)
        assert found == [tuple(map(erp.as_held, row)) for row in ROWS]
        assert [list(map(type, row)) for row in found] == [
            [type(erp.as_held(value)) for value in row] for row in ROWS
        ]

    def test_since_a_watermark_means_after_it_and_with_an_overlap_from_it(self, erp: Peer) -> None:
        at = [erp.as_held(row[3]) for row in ROWS]
        with erp.block().connect() as session:
            assert numbers(session, Since("changed_at", at[2])) == ["B-2"]
            assert numbers(session, Since("changed_at", at[2], timedelta(0))) == ["B-1", "B-2"]
            assert numbers(session, Since("changed_at", at[2], timedelta(hours=1))) == [
                "A-1",
                "A-2",
                "B-1",
                "B-2",
            ]
            assert numbers(session, Since("changed_at", None)) == ["A-1", "A-2", "B-1", "B-2"]
            assert numbers(session, Since("changed_at", None), at[1]) == ["A-1", "A-2"]
            assert numbers(session, Since("changed_at", at[0]), at[2]) == ["A-2", "B-1"]
            assert numbers(session, Since("big", 1)) == ["A-2", "B-2"]
            assert numbers(session, Since("changed_at", at[3])) == []

    def test_one_order_can_be_read(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            assert numbers(session, only={"number": "A-2"}) == ["A-2"]
            assert numbers(session, only={"number": "A-2' OR '1'='1"}) == []

    def test_an_empty_table_gives_no_chunk(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            assert list(session.read("hours", ["line"])) == []
            assert session.high_mark("hours", "quantity") is None
            assert session.settles("hours", Changes("key", "line"), None) == Window(Since("line", None), None)

    def test_chunks_are_as_large_as_asked(self, erp: Peer) -> None:
        with erp.block(chunk_rows=3).connect() as session:
            assert [chunk.count for chunk in session.read("orders", ["number"])] == [3, 1]

    def test_reading_takes_constant_memory(self, erp: Peer) -> None:
        erp.fill(150_000)
        with erp.block(chunk_rows=2_000).connect() as session:
            chunks = session.read("bulk", ["number", "note"])
            first, process = next(chunks), psutil.Process()
            held = process.memory_info().rss
            rows, peak = first.count, 0
            for chunk in chunks:
                rows += chunk.count
                peak = max(peak, process.memory_info().rss - held)
        assert rows == 150_000
        assert peak < 12 << 20, f"{peak >> 20} MiB more for 30 MiB of rows"

    def test_rows_and_mark_are_of_one_state(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            with session.snapshot():
                mark = session.high_mark("orders", "changed_at")
                erp.run("INSERT INTO orders (number, changed_at) VALUES ('C-1', '2026-03-03 00:00:00')")
                assert numbers(session) == ["A-1", "A-2", "B-1", "B-2"]
                assert session.high_mark("orders", "changed_at") == mark
            assert numbers(session) == ["A-1", "A-2", "B-1", "B-2", "C-1"]

    def test_keys_of_a_table(self, erp: Peer) -> None:
        with erp.block(chunk_rows=2).connect() as session:
            assert sorted(session.keys("orders")) == [("A-1",), ("A-2",), ("B-1",), ("B-2",)]
            assert len(list(session.keys("orders", ["number", "quantity"]))) == 4
            erp.run("CREATE TABLE keyless (number varchar(10))")
            with pytest.raises(ErpKeyMissing, match="keyless"):
                list(session.keys("keyless"))

    def test_totals_are_exact(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            whole = session.totals("orders", ["quantity", "price"])
            assert (whole.count, whole.sums["quantity"]) == (4, 2**31 - 3)
            assert whole.sums["price"] == Decimal("12345678901234577.622")
            start, end = (erp.as_held(BEGAN + timedelta(hours=each)) for each in (0, 2))
            part = session.totals("orders", ["price"], Period("changed_at", start, end))
            assert (part.count, part.sums["price"]) == (3, Decimal("12345678901234577.622"))
            none = session.totals("hours", ["quantity"])
            assert (none.count, none.sums) == (0, {"quantity": Decimal(0)})


class WatermarkContract:
    """Watermarks of change time, and the ERP's clock."""

    VERSIONS_AGAIN: ClassVar[int | None] = None
    CHANGES = Changes("changed_at", "changed_at", timedelta(minutes=10))

    def test_the_watermark_is_the_highest_and_never_goes_back(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            first = session.settles("orders", self.CHANGES, None)
            assert first.mark == erp.as_held(ROWS[3][3])
            assert len(numbers(session, first.since)) == 4
            erp.run("DELETE FROM orders WHERE number = 'B-2'")
            second = session.settles("orders", self.CHANGES, first.mark)
            assert second.mark == first.mark
            assert numbers(session, second.since) == []

    def test_what_commits_late_is_read_again_by_the_overlap(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            mark = session.settles("orders", self.CHANGES, None).mark
            erp.run("INSERT INTO orders (number, changed_at) VALUES ('C-1', '2026-03-02 09:51:00')")
            erp.run("INSERT INTO orders (number, changed_at) VALUES ('C-2', '2026-03-02 09:49:00')")
            assert numbers(session, session.settles("orders", self.CHANGES, mark).since) == ["B-2", "C-1"]

    def test_the_clock_is_the_erps_own(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            first, second = session.now(), session.now()
        assert first.tzinfo is UTC
        assert timedelta(0) <= second - first < timedelta(minutes=1)

    def test_a_row_of_the_future_never_carries_the_watermark(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            late = erp.as_held((session.now() + timedelta(days=400)).replace(tzinfo=None, microsecond=0))
            erp.run(f"INSERT INTO orders (number, changed_at) VALUES ('C-1', '{late}')")  # noqa: S608 - our own instant
            for _ in range(2):
                window = session.settles("orders", self.CHANGES, erp.as_held(ROWS[3][3]))
                assert (window.mark, window.ahead) == (erp.as_held(ROWS[3][3]), late)
                assert numbers(session, window.since) == ["B-2", "C-1"]

    def test_a_watermark_beyond_the_erps_clock_names_both(self, erp: Peer) -> None:
        """So it is when the ERP's clock was put back, and when a watermark was damaged."""
        with erp.block().connect() as session:
            now = session.now().replace(tzinfo=None)
            behind = erp.as_held(now + timedelta(minutes=9))
            assert session.settles("orders", self.CHANGES, behind).mark == behind
            ahead = now + timedelta(days=2)
            with pytest.raises(WatermarkInFuture) as caught:
                session.settles("orders", self.CHANGES, erp.as_held(ahead))
        assert f"{ahead:%Y-%m-%d %H:%M}" in str(caught.value)
        assert f"{now:%Y-%m-%d %H}" in str(caught.value)

    def test_a_key_or_row_version_is_read_strictly_after(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            window = session.settles("orders", Changes("row_version", "big"), 1)
            assert (window.mark, window.since) == (2**63 - 1, Since("big", 1, self.VERSIONS_AGAIN))
            assert numbers(session, Since("big", 1)) == ["A-2", "B-2"]

    def test_so_many_versions_are_read_again_as_a_contract_says(self, erp: Peer) -> None:
        big = sorted(row[8] for row in ROWS if row[8] is not None)
        with erp.block().connect() as session:
            window = session.settles("orders", Changes("row_version", "big", 2), big[-1])
            assert window.since == Since("big", big[-1], 2)
            assert len(numbers(session, Since("big", big[-1], big[-1] - big[-2] + 1))) == 2
            assert len(numbers(session, window.since)) == sum(each > big[-1] - 2 for each in big)


class SchemaContract:
    """What a table looks like."""

    PRICE: ClassVar[tuple[Any, ...]] = ("number", 20, 3)

    def test_columns_as_they_are(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            seen = {each.name: each for each in session.columns("orders")}
        assert list(seen) == [*COLUMNS]
        kinds = {name: each.logical_type for name, each in seen.items()}
        assert kinds == {
            "number": "string",
            "quantity": "integer",
            "price": self.PRICE[0],
            "changed_at": "timestamp",
            "due_on": "date",
            "done": "boolean",
            "note": "string",
            "weight": "number",
            "big": "integer",
        }
        number, price = seen["number"], seen["price"]
        assert (number.key_position, number.nullable, number.length) == (1, False, 20)
        assert (price.key_position, price.nullable) == (None, True)
        assert (price.precision, price.scale) == self.PRICE[1:]

    def test_drift_is_seen_in_the_same_session(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            assert "colour" not in {each.name for each in session.columns("orders")}
            erp.run("ALTER TABLE orders ADD colour varchar(7)")
            erp.run("ALTER TABLE orders DROP COLUMN weight")
            seen = {each.name: each for each in session.columns("orders")}
            assert seen["colour"].length == 7
            assert "weight" not in seen
            with pytest.raises(ErpStatementRefused, match="weight"):
                read(session, "orders", ["number", "weight"])

    def test_a_table_that_is_not_there(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            for attempt in (lambda: session.columns("nothing"), lambda: read(session, "nothing", ["number"])):
                with pytest.raises(ErpTableMissing, match="nothing"):
                    attempt()
            assert len(numbers(session)) == 4

    def test_names_are_names_whatever_they_hold(self, erp: Peer) -> None:
        erp.run('CREATE TABLE "Od;d \'%s ta?ble" ("se lect" varchar(9), "a%b" varchar(9))')
        with erp.block().connect() as session:
            effect = OutEffect("k", "Od;d '%s ta?ble", "1", {"se lect": "x"}, {"a%b": "y"})
            assert session.apply([effect]) == [Applied("k")]
            assert read(session, "Od;d '%s ta?ble", ["a%b", "se lect"]) == [("y", "x")]
            with pytest.raises((ErpTableMissing, ErpStatementRefused)):
                read(session, 'orders"; DROP TABLE orders; --', ["number"])
            for name in ("", "a\0b"):
                with pytest.raises(NameInvalid):
                    read(session, "orders", [name])
            assert len(numbers(session)) == 4


class WritingContract:
    """Writing back."""

    def test_each_value_reads_back_equal(self, erp: Peer) -> None:
        effects = []
        for at, row in enumerate(ROWS):
            named = dict(zip(COLUMNS, row, strict=True)) | {"number": f"N-{at}"}
            effects.append(OutEffect(f"k{at}", "orders", f"N-{at}", {"number": named.pop("number")}, named))
        with erp.block().connect() as session:
            assert session.apply(effects) == [Applied(each.key) for each in effects]
            assert session.read_back(effects) == [Found(each.key) for each in effects]
            written = [row[1:] for row in read(session) if row[0].startswith("N-")]
        assert written == [tuple(map(erp.as_held, row[1:])) for row in ROWS]

    def test_an_aware_instant_becomes_the_erps_own_time(self, erp: Peer) -> None:
        instant = datetime(2026, 7, 1, 10, 0, 0, 123456, tzinfo=UTC)
        effect = OutEffect("k", "orders", "N-1", {"number": "N-1"}, {"changed_at": instant})
        with erp.block(time_zone="Europe/Amsterdam").connect() as session:
            session.apply([effect])
            (row,) = read(session, "orders", ["changed_at"], only={"number": "N-1"})
            assert row == (erp.as_held(datetime(2026, 7, 1, 12, 0, 0, 123456)),)  # noqa: DTZ001 - theirs
            assert session.read_back([effect]) == [Found("k")]

    @pytest.mark.parametrize("place", [{}, {"key_table": "suite_keys"}, {"key_column": "external_key"}])
    def test_the_same_effect_twice_happens_once(self, erp: Peer, place: dict[str, str]) -> None:
        effects = [hours("h1", **place), hours("h2", **place)]
        with erp.block().connect() as session:
            assert session.holds_keys
            assert session.apply(effects) == [Applied("h1"), Applied("h2")]
        with erp.block().connect() as session:
            assert session.apply(effects) == [Applied("h1", already=True), Applied("h2", already=True)]
            assert len(read(session, "hours", ["line"])) == 2

    def test_a_key_outlives_its_row(self, erp: Peer) -> None:
        """The ERP booked the hours and deleted its row: they are not booked again."""
        with erp.block().connect() as session:
            session.apply([hours("h1")])
            erp.run("DELETE FROM hours")
            assert session.apply([hours("h1")]) == [Applied("h1", already=True)]
            assert read(session, "hours", ["line"]) == []
            assert session.read_back([hours("h1")]) == [Missing("h1")]

    def test_without_keys_the_natural_key_is_looked_for(self, erp: Peer) -> None:
        with erp.block(key_table=None).connect() as session:
            assert not session.holds_keys
            detected = "at-least-once with detection"
            assert session.apply([hours("h1")]) == [Applied("h1", guarantee=detected)]
            assert session.apply([hours("h1")]) == [Applied("h1", already=True, guarantee=detected)]
            assert session.apply([status("s1", "A-1", "new")]) == [Applied("s1", guarantee=detected)]
            assert session.apply([status("s1", "A-1", "new")]) == [
                Applied("s1", already=True, guarantee=detected)
            ]
            (other,) = session.apply([hours("h1", quantity=6)])
            assert isinstance(other, Refused)
            assert "line h1" in other.message
            assert read(session, "hours", ["quantity"]) == [(5,)]

    def test_a_key_column_of_an_updated_row_keeps_its_last_key(self, erp: Peer) -> None:
        first = OutEffect("u1", "hours", "A-1", {"line": "h1"}, {"quantity": 7}, "update", "external_key")
        with erp.block().connect() as session:
            session.apply([hours("h1")])
            detected = "at-least-once with detection"
            assert session.apply([first]) == [Applied("u1", guarantee=detected)]
            assert session.apply([first]) == [Applied("u1", already=True, guarantee=detected)]
            assert read(session, "hours", ["external_key", "quantity"]) == [("u1", 7)]

    def test_a_refused_one_stops_its_own_order_only(self, erp: Peer) -> None:
        words = erp.refusing()
        effects = [
            hours("h1", "A-1"),
            hours("h2", "A-1", quantity=13),
            hours("h3", "A-1"),
            hours("h4", "B-1"),
            hours("h5", "A-1"),
        ]
        with erp.block().connect() as session:
            one, refused, behind, other, last = session.apply(effects)
            assert (one, other) == (Applied("h1"), Applied("h4"))
            assert isinstance(refused, Refused)
            assert words in refused.message
            assert refused.code
            assert (refused.again, refused.behind) == (False, None)
            for each in (behind, last):
                assert isinstance(each, Refused)
                assert (each.behind, each.again) == ("h2", True)
            assert sorted(read(session, "hours", ["line"])) == [("h1",), ("h4",)]
            # Its key is free: once repaired it passes, and those behind it too.
            repaired = [replace(each, values={**each.values, "quantity": 12}) for each in effects]
            assert [each.already for each in session.apply(repaired) if isinstance(each, Applied)] == [
                True, False, False, True, False,
            ]  # fmt: skip

    def test_an_update_meets_exactly_one_row(self, erp: Peer) -> None:
        both = status("s2", "B", "x", natural_key={"done": erp.as_held(True)})
        with erp.block().connect() as session:
            none, several = session.apply([status("s1", "Z-9", "x"), both])
            assert isinstance(none, Refused)
            assert "Z-9" in none.message
            assert isinstance(several, Refused)
            assert "2 rows" in several.message
            assert read(session, "orders", ["number"], only={"note": "x"}) == []
            assert read(session, "suite_keys", ["external_key"]) == []

    def test_effects_of_one_order_happen_in_their_order(self, erp: Peer) -> None:
        effects = [status(f"s{number}", "A-1", f"note {number}") for number in range(5)]
        with erp.block().connect() as session:
            session.apply(effects)
            assert read(session, "orders", ["note"], only={"number": "A-1"}) == [("note 4",)]
            assert session.apply(effects[:1]) == [Applied("s0", already=True)]
            assert read(session, "orders", ["note"], only={"number": "A-1"}) == [("note 4",)]
            assert session.read_back(effects) == [Found(each.key) for each in effects]

    def test_what_reads_back_different_is_told(self, erp: Peer) -> None:
        effects = [status("s1", "A-1", "ours"), hours("h1"), hours("h2")]
        with erp.block().connect() as session:
            session.apply(effects)
            erp.run("UPDATE orders SET note = 'theirs' WHERE number = 'A-1'")
            erp.run("DELETE FROM hours WHERE line = 'h2'")
            assert session.read_back(effects) == [
                Different("s1", {"note": ("ours", "theirs")}),
                Found("h1"),
                Missing("h2"),
            ]

    def test_only_postgresql_reached_directly_copies(self, erp: Peer) -> None:
        with erp.block().connect() as session:
            if not session.can_copy:
                with pytest.raises(CopyUnsupported):
                    session.copy_out("SELECT 1", lambda _: None)
                with pytest.raises(CopyUnsupported):
                    session.copy_query("orders", ["number"])


class BadDaysContract:
    """An ERP that does not do what it should."""

    def test_locked_is_tried_again_later_and_stops_no_other(self, erp: Peer) -> None:
        with erp.locked(), erp.block(lock_timeout=timedelta(milliseconds=200)).connect() as session:
            held, other = session.apply([status("s1", "A-1", "x"), status("s2", "B-1", "y")])
            assert isinstance(held, Refused)
            assert held.again
            if isinstance(other, Refused):  # SQLite locks the whole file
                assert other.again
        with erp.block().connect() as session:
            session.apply([status("s1", "A-1", "x"), status("s2", "B-1", "y")])
            assert session.read_back([status("s1", "A-1", "x")]) == [Found("s1")]

    def test_slow_ends_in_time(self, erp: Peer) -> None:
        view = erp.slow_view()
        with erp.block(statement_timeout=timedelta(seconds=1)).connect() as session:
            with pytest.raises(ErpSlow, match=view):
                read(session, view, ["number"])
            assert len(numbers(session)) == 4

    def test_read_only_is_told_and_reading_goes_on(self, erp: Peer) -> None:
        with erp.read_only(), erp.block().connect() as session:
            with pytest.raises(ErpReadOnly, match="h1"):
                session.apply([hours("h1")])
            assert len(numbers(session)) == 4

    def test_check_says_what_it_found(self, erp: Peer) -> None:
        answers, clock, keys = erp.block().check()
        assert "lets us in" in answers
        assert "UTC" in clock
        assert "exactly once" in keys
        assert "natural keys" in erp.block(key_table=None).check()[2]


class ErpContract(ReadingContract, WatermarkContract, SchemaContract, WritingContract, BadDaysContract):
    """All of it; inherit it with a fixture `erp`."""
