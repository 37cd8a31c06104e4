"""Connect over ODBC: the driver manager that may be missing, the first refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from blocks.erp.errors import ErpError, ErpLoginRefused, ErpUnreachable, OdbcMissing
from blocks.erp.odbc_session import OdbcSession
from blocks.erp.odbc_words import state_of, words_of
from blocks.erp.sqlstate import is_refusal

if TYPE_CHECKING:
    from datetime import timedelta

    from blocks.erp.odbc_address import Address
    from blocks.erp.session import Bounds

_NO_DRIVER: Final = {"01000", "IM002", "IM003"}
_LOGIN: Final = {"28000", "28P01", "28P02"}


def open_odbc(
    address: Address, password: str | None, connect_timeout: timedelta, bounds: Bounds
) -> OdbcSession:
    """Connect and log in.

    Raises:
        OdbcMissing: this machine has no unixODBC, or not this driver.
        ErpUnreachable: nobody answers.
        ErpLoginRefused: it does not let us in.
    """
    pyodbc = driver_manager(address.where)
    text = address.connection_string(password)
    seconds = max(1, round(connect_timeout.total_seconds()))
    try:
        raw = pyodbc.connect(text, autocommit=True, timeout=seconds)
    except pyodbc.Error as error:
        raise _refused(error, address) from None  # its text may repeat the connection string
    session = OdbcSession(raw, address, password, bounds)
    try:
        session.settle()
    except ErpError:
        session.close()
        raise
    return session


def driver_manager(where: str) -> Any:
    """Import pyodbc, whose wheel holds no libodbc.

    Raises:
        OdbcMissing: there is none on this machine.
    """
    try:
        import pyodbc
    except ImportError as error:
        raise OdbcMissing(where=where, reason=str(error)) from error
    # Its pool would hand out connections that a server has forgotten, and keep them over a fork.
    pyodbc.pooling = False
    return pyodbc


def _refused(error: Any, address: Address) -> ErpError:
    sqlstate, reason = state_of(error), words_of(error)
    if sqlstate in _NO_DRIVER:
        return OdbcMissing(where=address.where, reason=reason)
    if sqlstate in _LOGIN or is_refusal(reason):
        return ErpLoginRefused(where=address.where, username=address.username, reason=reason)
    return ErpUnreachable(where=address.where, reason=reason)
