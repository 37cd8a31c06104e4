"""The one reader of the clock: the database's own, so that all machines agree on the order of things.

Test databases may hold a table `clock_offset` with one row of microseconds; `move` makes it. Migrations never
create that table, so a real installation has no way to move its time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sqlalchemy import text

from nakoming.records.types import from_micros, to_micros

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# SQLite offers milliseconds; its 'now' stands still within one statement, which is what a reading is.
_NOW = {
    "sqlite": text("SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"),
    "postgresql": text("SELECT clock_timestamp()"),
}
_HAS_OFFSET = {
    "sqlite": text("SELECT count(*) FROM sqlite_master WHERE name = 'clock_offset'"),
    "postgresql": text("SELECT count(*) FROM pg_tables WHERE tablename = 'clock_offset'"),
}
_movable: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def now(connection: Connection) -> datetime:
    """The present instant, aware UTC, read at the moment of the call."""
    dialect = connection.dialect.name
    reading = connection.execute(_NOW[dialect]).scalar_one()
    instant: datetime = from_micros(reading) if dialect == "sqlite" else reading.astimezone(UTC)
    return instant + _offset(connection)


def move(connection: Connection, by: timedelta) -> None:
    """Move the clock of a test database by so much more (never called outside tests)."""
    connection.execute(text("CREATE TABLE IF NOT EXISTS clock_offset (micros BIGINT NOT NULL)"))
    micros = by // timedelta(microseconds=1)
    moved = connection.execute(text("UPDATE clock_offset SET micros = micros + :m"), {"m": micros})
    if moved.rowcount == 0:
        connection.execute(text("INSERT INTO clock_offset (micros) VALUES (:m)"), {"m": micros})
    _movable[connection.engine] = True


def forget(engine: Engine) -> None:
    """Look again whether this engine's database is a test's: it opens another one from now on."""
    _movable.pop(engine, None)


def set_to(connection: Connection, instant: datetime) -> None:
    """Let the clock of a test database show `instant` from now on."""
    present = now(connection)
    move(connection, timedelta(microseconds=to_micros(instant) - to_micros(present)))


def _offset(connection: Connection) -> timedelta:
    engine = connection.engine
    if engine not in _movable:
        found = connection.execute(_HAS_OFFSET[connection.dialect.name]).scalar_one()
        _movable[engine] = bool(found)
    if not _movable[engine]:
        return timedelta(0)
    micros = connection.execute(text("SELECT micros FROM clock_offset")).scalar_one_or_none()
    return timedelta(microseconds=micros or 0)
