"""What an error of pyodbc says: its state, its words, its meaning."""

from __future__ import annotations

import re
from typing import Any, Final

from blocks.erp.errors import (
    ErpConnectionLost,
    ErpError,
    ErpFull,
    ErpLocked,
    ErpReadOnly,
    ErpTableMissing,
    ErpValueRefused,
)
from blocks.erp.sqlstate import meaning

_FRAME: Final = re.compile(r"^(?:\[[^\]]*\]\s*)+")
_TAIL: Final = re.compile(r";?\s*(?:Error while executing the query\s*)?\(-?\d+\)\s*\(SQL\w+\)\s*$")
_STATE: Final = re.compile(r"State: (\w{5}), Native error: ")
_NUMBER: Final = re.compile(r"\((\d+)\) \(SQL\w+\)")
# Numbers of SQL Server, which gives one SQLSTATE to many of them.
_NUMBERS: Final[dict[int, type[ErpError]]] = {
    208: ErpTableMissing,
    515: ErpValueRefused,
    547: ErpValueRefused,
    1101: ErpFull,
    1105: ErpFull,
    1205: ErpLocked,
    1222: ErpLocked,
    2601: ErpValueRefused,
    2627: ErpValueRefused,
    3906: ErpReadOnly,
    9002: ErpFull,
    6005: ErpConnectionLost,
}
_OF_TRIGGERS: Final = 50_000
"""From here on the numbers are the ERP's own: RAISERROR and THROW in its triggers."""


def state_of(error: Any) -> str | None:
    """The SQLSTATE."""
    stated = _STATE.search(str(error))  # how arrow_odbc says it
    if stated is not None:
        return stated[1]
    return error.args[0] if error.args and isinstance(error.args[0], str) else None


def words_of(error: Any) -> str:
    """What the database said, without the frame that drivers put around it."""
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    words = " ".join(_TAIL.sub("", _FRAME.sub("", text)).split())
    return words.removeprefix("ERROR: ").rstrip(".;")


def meaning_of(error: Any, sqlstate: str | None) -> type[ErpError]:
    """Our error for one of pyodbc's."""
    number = _NUMBER.search(str(error.args[-1])) if error.args else None
    if number is not None and int(number[1]) in _NUMBERS:
        return _NUMBERS[int(number[1])]
    if number is not None and int(number[1]) >= _OF_TRIGGERS:
        return ErpValueRefused
    import pyodbc  # imported only where it is in use already

    return meaning(sqlstate, row=isinstance(error, pyodbc.IntegrityError | pyodbc.DataError))
