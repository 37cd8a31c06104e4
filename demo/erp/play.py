"""What happens at an ERP while the Suite works beside it, and what can be read back there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from demo.erp.address import erp_at, shown
from demo.erp.schema import (
    TABLES,
    erp_closed_orders,
    erp_hours_in,
    erp_materials,
    erp_materials_in,
    erp_operations,
    erp_orders,
)
from demo.errors import ErpOrdersTooFew, ErpOrderUnknown

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, TableClause

REPAIRED: Final = {"qty": "12", "item_no": "HEB-200", "due_date": "2026-12-18"}
_MOST_PIECES: Final = 96
_REVISIONS: Final = "ABCDEFGH"


@dataclass(frozen=True)
class Hours:
    """Hours as the ERP holds them; `external_key` is None where keys stand in a table of their own."""

    order_no: str
    op_no: int
    employee: str
    worked_on: str
    minutes: int
    external_key: str | None


def drawn(url: str, count: int, seed: int) -> tuple[str, ...]:
    """The numbers of the orders that `change` would change now.

    Raises:
        ErpOrdersTooFew: There are not so many.
    """
    with erp_at(url) as connection:
        return tuple(number for number, _ in _drawn(connection, count, Random(seed)))  # noqa: S311 - as below


def change(url: str, count: int, seed: int) -> tuple[str, ...]:
    """Give `count` orders, chosen by `seed`, another quantity and a new revision; returns their numbers.

    Only orders are chosen with which nothing is the matter in key and quantity.

    Raises:
        ErpOrdersTooFew: There are not so many.
    """
    random = Random(seed)  # noqa: S311 - a draw that can be repeated is what is wanted
    with erp_at(url) as connection:
        changes = [
            {
                "number": number,
                "new_qty": str((quantity + random.randrange(1, _MOST_PIECES)) % _MOST_PIECES + 1),
                "revision": f", rev. {random.choice(_REVISIONS)}",
            }
            for number, quantity in _drawn(connection, count, random)
        ]
        if changes:
            _change(connection, changes)
    return tuple(change["number"] for change in changes)


def repair(url: str, order: str) -> None:
    """Give an order what it may have lacked: a quantity, an article, a due date in this century.

    Raises:
        ErpOrderUnknown: There is no such order.
    """
    with erp_at(url) as connection:
        _set(connection, url, order, REPAIRED)


def remove(url: str, order: str) -> None:
    """Delete an order the ERP's way: it is marked, its operations and materials go.

    Raises:
        ErpOrderUnknown: There is no such order.
    """
    with erp_at(url) as connection:
        _set(connection, url, order, {"deleted": 1})
        for table in (erp_operations, erp_materials):
            connection.execute(delete(table).where(_is(table, order)))


def close(url: str, order: str) -> None:
    """Close an order: hours and materials on it are refused from now on.

    Raises:
        ErpOrderUnknown: There is no such order.
    """
    with erp_at(url) as connection:
        if not _holds(connection, erp_orders, order):
            raise ErpOrderUnknown(order=order, address=shown(url))
        close_in(connection, order)


def close_in(connection: Connection, order: str) -> None:
    """Close an order in the caller's transaction; one that is closed stays so."""
    if _holds(connection, erp_closed_orders, order):
        return
    connection.execute(insert(erp_closed_orders).values(order_no=order))
    if connection.dialect.name != "sqlite":
        return
    # SQLite says only what stands in a trigger word for word, so each closed order has triggers of its own.
    number = _literal(connection, order)
    said = _literal(connection, f"Order {order} is closed for registrations")
    for table, name in _refusals(order):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN rtrim(NEW.order_no) = {number}"
            f" BEGIN SELECT RAISE(ABORT, {said}); END"
        )


def reopen(url: str, order: str) -> None:
    """Take registrations on an order again."""
    with erp_at(url) as connection:
        connection.execute(delete(erp_closed_orders).where(_is(erp_closed_orders, order)))
        if connection.dialect.name == "sqlite":
            for _, name in _refusals(order):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def hours(url: str) -> tuple[Hours, ...]:
    """The hours that came in, by order, operation, date and key."""
    table = erp_hours_in.c
    columns = (
        table.order_no,
        table.op_no,
        table.employee,
        table.worked_on,
        table.minutes,
        table.external_key,
    )
    by = (table.order_no, table.op_no, table.worked_on, table.external_key, table.minutes)
    with erp_at(url) as connection:
        rows = connection.execute(select(*columns).order_by(*by)).all()
    return tuple(Hours(row[0], row[1], row[2], str(row[3]), row[4], row[5]) for row in rows)


def counts(url: str) -> dict[str, int]:
    """How many rows stand in each table of the ERP."""
    with erp_at(url) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in TABLES
        }


def _drawn(connection: Connection, count: int, random: Random) -> list[tuple[str, int]]:
    fit = _fit_orders(connection)
    if count > len(fit):
        raise ErpOrdersTooFew(wanted=count, done="changed", reason=f"{len(fit)} are fit for it")
    return random.sample(fit, count)


def _fit_orders(connection: Connection) -> list[tuple[str, int]]:
    """Orders that stand there once, with a clean key and a whole quantity, by number."""
    table = erp_orders.c
    query = select(table.order_no, table.qty).where(table.deleted == 0).order_by(table.order_no)
    there = connection.execute(query).all()
    often = Counter(number for number, _ in there)
    return [
        (number, int(quantity))
        for number, quantity in there
        if quantity.isdecimal() and number == number.strip() and often[number] == 1
    ]


def _change(connection: Connection, changes: list[dict[str, str]]) -> None:
    table = erp_orders.c
    revised = table.description.concat(bindparam("revision"))
    statement = update(erp_orders).where(table.order_no == bindparam("number"))
    connection.execute(statement.values(qty=bindparam("new_qty"), description=revised), changes)


def _set(connection: Connection, url: str, order: str, values: dict[str, Any]) -> None:
    if not connection.execute(update(erp_orders).where(_is(erp_orders, order)).values(values)).rowcount:
        raise ErpOrderUnknown(order=order, address=shown(url))


def _holds(connection: Connection, table: TableClause, order: str) -> bool:
    return connection.execute(select(table.c.order_no).where(_is(table, order))).first() is not None


def _is(table: TableClause, order: str) -> ColumnElement[bool]:
    """The order's rows, whatever blanks end its number there."""
    return func.rtrim(table.c.order_no) == order


def _refusals(order: str) -> list[tuple[str, str]]:
    """The tables that refuse, each with the name of its trigger for this order, quoted."""
    quoted = order.replace('"', '""')
    tables = (erp_hours_in.name, erp_materials_in.name)
    return [(table, f'"{table}_refuses_{quoted}"') for table in tables]


def _literal(connection: Connection, value: str) -> str:
    """A text as SQLite itself writes it into SQL: a trigger takes no parameters."""
    return str(connection.exec_driver_sql("SELECT quote(?)", (value,)).scalar_one())
