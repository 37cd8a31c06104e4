"""Makes an ERP and fills it: in one transaction, so that it stands there whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from demo.erp import schema
from demo.erp.address import erp_at, shown
from demo.erp.mess import Plan
from demo.erp.play import close_in
from demo.erp.rows import CHANGED_WITHIN, Rows
from demo.errors import ErpStandsThere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from demo.erp.mess import Mess

ORDERS: Final = 50_000
SEED: Final = 7
AS_OF: Final = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
_INSERTS: Final = {
    "erp_orders": "INSERT INTO erp_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "erp_operations": "INSERT INTO erp_operations VALUES (?, ?, ?, ?, ?, ?)",
    "erp_materials": "INSERT INTO erp_materials VALUES (?, ?, ?, ?, ?, ?, ?)",
}


def make(
    url: str,
    *,
    orders: int = ORDERS,
    seed: int = SEED,
    customer: str = "brouwer",
    language: str = "nl",
    as_of: datetime = AS_OF,
    within: timedelta = CHANGED_WITHIN,
    replace: bool = False,
) -> Mess:
    """Make the ERP of a customer of the demo and say what was sown into it.

    The first orders are those the customer's Suite starts with. The rows changed `within` the time before
    `as_of` (aware), orders first; the same arguments give the same rows on both databases.

    Raises:
        ErpAddressUnusable: The address is of another kind.
        ErpOrdersTooFew: Fewer orders than kinds of mess.
        ErpStandsThere: There is one already, and it is not to be replaced.
        ErpUnusable: The database cannot be reached, or refuses.
    """
    rows = Rows(Plan(orders, seed), customer, language, as_of.astimezone(UTC), within)
    with erp_at(url) as connection:
        if schema.stands(connection):
            if not replace:
                raise ErpStandsThere(address=shown(url))
            schema.drop(connection)
        schema.create_tables(connection)
        for table, given in _tables(rows):
            _fill(connection, table, given)
        schema.bring_to_life(connection, rows.last_version)
        for number in rows.mess.closed:
            close_in(connection, number)
    return rows.mess


def sown(*, orders: int = ORDERS, seed: int = SEED, customer: str = "brouwer", language: str = "nl") -> Mess:
    """What `make` sows with the same arguments, without a database."""
    return Rows(Plan(orders, seed), customer, language, AS_OF).mess


def _tables(rows: Rows) -> tuple[tuple[str, Iterable[tuple[Any, ...]]], ...]:
    return (
        ("erp_orders", rows.orders()),
        ("erp_operations", rows.operations()),
        ("erp_materials", rows.materials()),
    )


def _fill(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """By the quickest way the driver has; the names come from this module alone."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    driver.executemany(_INSERTS[table], rows)
