"""The installation a run works for: its records, opened once per process."""

from __future__ import annotations

from functools import cache

from nakoming.records import migrate
from nakoming.records.keys_check import require_keys
from nakoming.records.store import Records
from nakoming.settings import Settings


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()


@cache
def records() -> Records:
    """The records of this process; refused when their schema or their keys are not this installation's.

    Opened by the process that uses them, never before a fork; their connections are kept, for connecting
    costs more than a transaction.
    """
    opened = Records.from_settings(settings(), pooled=True)
    migrate.require_current(opened)
    require_keys(opened)
    return opened
