"""One reader of the clock: the database's own, moved in test databases only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from nakoming.records import clock
from nakoming.records.engine import writing
from nakoming.records.types import from_micros, to_micros

if TYPE_CHECKING:
    from nakoming.records.store import Records


def _now(records: Records) -> datetime:
    with records.read() as tx:
        return tx.now


def test_the_clock_runs_forwards_in_aware_utc(records: Records) -> None:
    readings = []
    with records.engine.connect() as connection:
        readings = [clock.now(connection) for _ in range(200)]
    assert readings == sorted(readings)
    assert readings[0].tzinfo is UTC
    assert readings[-1] - readings[0] < timedelta(minutes=1)


def test_a_real_installation_has_no_way_to_move_its_time(records: Records) -> None:
    with records.engine.connect() as connection:
        assert "clock_offset" not in inspect(connection).get_table_names()


def test_a_test_database_moves_and_is_set(records: Records) -> None:
    before = _now(records)
    with records.engine.connect() as connection, writing(connection).begin():
        clock.move(connection, timedelta(days=3))
        clock.move(connection, timedelta(hours=-1))
    assert timedelta(days=3) <= _now(records) - before + timedelta(hours=1) < timedelta(days=3, minutes=1)
    wanted = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    with records.engine.connect() as connection, writing(connection).begin():
        clock.set_to(connection, wanted)
    assert timedelta(0) <= _now(records) - wanted < timedelta(minutes=1)


def test_a_transaction_has_one_instant(records: Records) -> None:
    with records.write() as tx:
        assert not tx.clock_was_read
        assert tx.now is tx.now
        assert tx.clock_was_read


def test_instants_are_aware_and_exact() -> None:
    instant = datetime(2026, 11, 23, 13, 29, 19, 123457, tzinfo=UTC)
    assert from_micros(to_micros(instant)) == instant
    with pytest.raises(ValueError, match="has no time zone"):
        to_micros(instant.replace(tzinfo=None))
