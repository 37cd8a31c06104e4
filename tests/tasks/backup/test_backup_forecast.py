"""The order of a night and how long it takes; what has shrunk."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tasks.backup.forecast import in_order, length
from tasks.backup.shrinking import shrinkage

MINUTE = timedelta(minutes=1)
TOOK = {"long": 30 * MINUTE, "mid": 10 * MINUTE, "short": 2 * MINUTE}


def test_the_longest_comes_first_after_those_never_made() -> None:
    assert in_order(["short", "new", "long", "mid"], TOOK) == ["new", "long", "mid", "short"]


def test_a_night_is_as_long_as_its_fullest_place() -> None:
    assert length(["long", "mid", "short"], TOOK, 1) == 42 * MINUTE
    assert length(["long", "mid", "short"], TOOK, 2) == 30 * MINUTE
    assert length(["long", "new"], TOOK, 1) == 60 * MINUTE
    assert length(["new"], {}, 4) == timedelta(0)
    assert length([], TOOK, 4) == timedelta(0)


def test_a_thousand_are_reckoned_as_their_sum_over_the_places() -> None:
    took = {f"c{number}": timedelta(seconds=12) for number in range(1000)}
    assert length(list(took), took, 4) == 50 * MINUTE


def shrunk(rows: int, raw_bytes: int = 1000, percent: str = "20") -> tuple[str, ...]:
    return shrinkage(
        rows=rows, raw_bytes=raw_bytes, rows_before=1000, bytes_before=1000, percent=Decimal(percent)
    )


@pytest.mark.clause("S-2.4.7")
def test_a_loss_above_the_limit_alarms_and_one_at_it_does_not() -> None:
    assert shrunk(800) == ()
    assert shrunk(799) == ("20% of its rows are gone: 799 now, 1000 in the last backup",)
    assert shrunk(1000, 100) == ("90% of its bytes are gone: 100 now, 1000 in the last backup",)
    assert len(shrunk(10, 10)) == 2
    assert shrunk(5000, 5000) == ()
    assert shrunk(999, percent="0") == ("0% of its rows are gone: 999 now, 1000 in the last backup",)


@pytest.mark.clause("S-2.4.7")
def test_an_empty_source_alarms_also_the_first_time() -> None:
    assert shrunk(0, percent="100") == ("it is empty; the last backup had 1000 rows",)
    first = shrinkage(rows=0, raw_bytes=9, rows_before=None, bytes_before=None, percent=Decimal(20))
    assert first == ("it is empty; the last backup had 0 rows",)
    fine = shrinkage(rows=1, raw_bytes=9, rows_before=None, bytes_before=None, percent=Decimal(20))
    assert fine == ()
