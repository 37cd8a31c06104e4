"""The installation a run works for: its records, opened once per process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from nakoming.errors import UsageError
from nakoming.records import migrate
from nakoming.records.keys_check import require_keys
from nakoming.records.store import Records
from nakoming.settings import Settings

_PREFIX = "NAKOMING_"


class SettingRefused(UsageError):
    """A variable of the installation is not allowed. Its value may be a secret and is not shown."""

    template = "The setting {variable} cannot be used: {reason}."
    code = "NK5109"


@dataclass(frozen=True)
class _Kept:
    """What a forkserver made ready for its children, and the folder and variables it was made for."""

    made_for: tuple[object, ...]
    settings: Settings
    records: Records


_kept: list[_Kept] = []


def keep(settings: Settings, records: Records) -> None:
    """Let processes that are forked from this one use these, as long as they have the same variables.

    Args:
        settings: those of the variables of this process.
        records: never connected, or no more: a connection must not be shared with a child.
    """
    _kept[:] = [_Kept(_variables(), settings, records)]


@cache
def settings() -> Settings:
    """The settings of this process; `SettingRefused` when a variable is not allowed."""
    kept = _fitting()
    if kept is not None:
        return kept.settings
    try:
        return Settings()
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False, include_context=False)[0]
        variable = f"NAKOMING_{'_'.join(str(part) for part in first['loc'])}".upper()
        reason = first["msg"][:1].lower() + first["msg"][1:]
        raise SettingRefused(variable=variable, reason=reason) from None


@cache
def records() -> Records:
    """The records of this process; refused when their schema or their keys are not this installation's.

    Opened by the process that uses them, never before a fork; their connections are kept, for connecting
    costs more than a transaction.
    """
    kept = _fitting()
    opened = kept.records if kept else Records.from_settings(settings(), pooled=True)
    migrate.require_current(opened)
    require_keys(opened)
    return opened


def _fitting() -> _Kept | None:
    """What was kept, unless this process has other variables than its forkserver."""
    return next((kept for kept in _kept if kept.made_for == _variables()), None)


def _variables() -> tuple[object, ...]:
    named = sorted((name, value) for name, value in os.environ.items() if name.startswith(_PREFIX))
    return (Path.cwd(), *named)
