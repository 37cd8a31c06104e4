"""What a SQLSTATE means for us, the same for PostgreSQL reached directly and for whatever ODBC reaches."""

from __future__ import annotations

from typing import Final

from blocks.erp.errors import (
    ErpConnectionLost,
    ErpEncodingWrong,
    ErpError,
    ErpFull,
    ErpLocked,
    ErpReadOnly,
    ErpSlow,
    ErpStatementRefused,
    ErpTableMissing,
    ErpValueRefused,
)

_STATES: Final[dict[str, type[ErpError]]] = {
    "57014": ErpSlow,  # query_canceled: the statement time-out
    "HYT00": ErpSlow,
    "HYT01": ErpSlow,
    "25P03": ErpConnectionLost,
    "55P03": ErpLocked,
    "25006": ErpReadOnly,
    "53100": ErpFull,
    "53200": ErpFull,
    "42P01": ErpTableMissing,
    "42S02": ErpTableMissing,
    "22021": ErpEncodingWrong,
    "22P05": ErpEncodingWrong,
    "P0001": ErpValueRefused,  # RAISE in a trigger of the ERP
}
_CLASSES: Final[dict[str, type[ErpError]]] = {
    "08": ErpConnectionLost,
    "57": ErpConnectionLost,
    "40": ErpLocked,  # two writers in each other's way: one was rolled back
    "22": ErpValueRefused,
    "23": ErpValueRefused,
    "44": ErpValueRefused,
}
# Neither libpq nor the driver gives a state when a connection is refused.
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "pg_hba.conf",
    "Login failed",
)


def is_refusal(reason: str) -> bool:
    """Whether a server said that it does not let us in."""
    return any(each in reason for each in _REFUSALS)


def meaning(sqlstate: str | None, *, row: bool = False) -> type[ErpError]:
    """The error that a state stands for; `row`: the driver says that the values are at fault."""
    state = sqlstate or ""
    found = _STATES.get(state) or _CLASSES.get(state[:2])
    return found or (ErpValueRefused if row else ErpStatementRefused)
