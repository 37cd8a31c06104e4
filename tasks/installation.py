"""The installation a run works for: its records, opened once per process."""

from __future__ import annotations

from functools import cache

from pydantic import ValidationError

from nakoming.errors import UsageError
from nakoming.records import migrate
from nakoming.records.keys_check import require_keys
from nakoming.records.store import Records
from nakoming.settings import Settings


class SettingRefused(UsageError):
    """A variable of the installation is not allowed. Its value may be a secret and is not shown."""

    template = "The setting {variable} cannot be used: {reason}."
    code = "NK5109"


@cache
def settings() -> Settings:
    """The settings of this process; `SettingRefused` when a variable is not allowed."""
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
    opened = Records.from_settings(settings(), pooled=True)
    migrate.require_current(opened)
    require_keys(opened)
    return opened
