"""The installation a run works for: its records, opened once per process."""

from __future__ import annotations

from functools import cache

from nakoming.records import migrate
from nakoming.records.store import Records
from nakoming.settings import Settings


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()


@cache
def records() -> Records:
    """The records of this process; refused when their schema is not the one this program knows."""
    opened = Records.from_settings(settings())
    migrate.require_current(opened)
    return opened
