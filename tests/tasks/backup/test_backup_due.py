"""Which night is due: by the clock and by what has ended, never twice, missed ones at once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.nights import Night
from nakoming.records import cases, clock
from tasks.backup.due import KIND, NotDue, due_night, night_of_backup
from tasks.backup.errors import OtherNight
from tasks.backup.night import PROCESS
from tasks.case_run import CaseRun
from tasks.process import take

if TYPE_CHECKING:
    from nakoming.records.store import Records

pytestmark = pytest.mark.clause("S-2.4.2", "S-3.1.9")

TONIGHT = Night(date(2026, 11, 24))  # Tuesday, winter: its window is 01:00 to 02:00 UTC


def set_to(records: Records, text: str) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, datetime.fromisoformat(text).replace(tzinfo=UTC))


def begin(records: Records, on: date, *, end: bool) -> None:
    with records.write() as tx:
        run = take(tx, PROCESS, "vendor", str(on), {"night": str(on)}, f"local-{on}-{end}")
        assert isinstance(run, CaseRun)
        if end:
            cases.close(tx, run.lease, "all are verified")


def test_the_first_night_waits_for_its_window(records: Records) -> None:
    set_to(records, "2026-11-24T00:00:05")
    due = due_night(records)
    assert isinstance(due, NotDue)
    assert due.why == "Not due: the first night opens at 2026-11-24 01:00 UTC."
    set_to(records, "2026-11-24T01:00:05")
    assert due_night(records) == TONIGHT


def test_of_two_scheduled_runs_one_is_due(records: Records) -> None:
    begin(records, date(2026, 11, 23), end=True)
    set_to(records, "2026-11-24T00:00:05")
    assert due_night(records) == NotDue("Not due: the night of 2026-11-23 has ended (all are verified).")
    set_to(records, "2026-11-24T01:00:05")
    assert due_night(records) == TONIGHT


def test_a_night_that_was_missed_is_due_at_once(records: Records) -> None:
    begin(records, date(2026, 11, 20), end=True)
    set_to(records, "2026-11-24T09:30")
    assert due_night(records) == TONIGHT
    begin(records, TONIGHT.on, end=True)
    assert isinstance(due_night(records), NotDue)


def test_a_night_under_way_is_gone_on_with_outside_its_window_too(records: Records) -> None:
    begin(records, TONIGHT.on, end=False)
    set_to(records, "2026-11-24T09:30")
    assert due_night(records) == TONIGHT
    set_to(records, "2026-11-26T01:30")
    assert due_night(records, TONIGHT.on) == TONIGHT


def test_an_operator_need_not_wait_for_the_window(records: Records) -> None:
    set_to(records, "2026-11-24T09:30")
    assert due_night(records, at_once=True) == TONIGHT


def test_another_night_than_the_present_one_is_refused(records: Records) -> None:
    set_to(records, "2026-11-24T09:30")
    with pytest.raises(OtherNight, match="2026-11-20 cannot be backed up now; allowed: 2026-11-24"):
        due_night(records, date(2026, 11, 20))
    with pytest.raises(OtherNight):
        night_of_backup(records, "brouwer", date(2026, 11, 25))
    assert night_of_backup(records, "brouwer", None) == TONIGHT.on
    assert PROCESS.kind == KIND
