"""The memory of a load does not grow with its rows: as many megabytes for 10,000,000 as for 100,000."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import erp_rig
from tests.harness.postgres import postgres

pytestmark = [pytest.mark.clause("S-4.2.1"), pytest.mark.long, pytest.mark.postgres]
ROWS = (100_000, 1_000_000, 10_000_000)
MOST_MEBIBYTES = 300
GROWTH = 1.15
"""What a hundred times as many rows may cost: the allocator's own play, not a row's."""
FILE = Path(__file__).parents[3] / "build" / "erp-memory.json"


@pytest.mark.timeout(1800)
def test_ten_million_rows_need_no_more_memory_than_a_hundred_thousand() -> None:
    peaks = {}
    with postgres() as server:
        for count in ROWS:
            with erp_rig.ends(server, count) as both:
                peaks[count] = erp_rig.apart("bench.erp_full_load", "own", both)["mebibytes"]
                bad = count // erp_rig.BAD_EVERY
                assert erp_rig.counted(both.url(both.suite), "bench_target") == count - bad
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(peaks, indent=2) + "\n", encoding="utf-8")
    assert max(peaks.values()) < MOST_MEBIBYTES
    assert peaks[ROWS[-1]] < GROWTH * peaks[ROWS[0]], peaks
