"""The way to an ERP of the demo, by its address."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from demo.errors import ErpAddressUnusable, ErpUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

LOCK_WAIT_SECONDS = 30


@contextmanager
def erp_at(url: str) -> Iterator[Connection]:
    """One transaction at the ERP.

    Raises:
        ErpAddressUnusable: The address is of another kind.
        ErpUnusable: The database cannot be reached, or refuses.
    """
    try:
        with open_erp(url).begin() as connection:
            yield connection
    except DBAPIError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise ErpUnusable(address=shown(url), reason=reason) from error


def open_erp(url: str) -> Engine:
    """An engine on `sqlite:///FILE` or `postgresql://…` (driver psycopg), which keeps no connection open.

    Raises:
        ErpAddressUnusable: The address is of another kind.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise ErpAddressUnusable(address=repr(url)) from None
    if address.get_backend_name() == "postgresql":
        return create_engine(address.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise ErpAddressUnusable(address=shown(url))
    engine = create_engine(address, poolclass=NullPool, connect_args={"timeout": LOCK_WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def shown(url: str) -> str:
    """The address without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _prepare_sqlite(raw: Any, _record: object) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves, so that making an ERP is one transaction
    raw.execute("PRAGMA journal_mode = WAL")  # whoever reads the ERP stops nobody who writes


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
