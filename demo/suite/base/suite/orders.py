"""Production orders: what the ERP sends in, what pages and API show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from suite.order_changes import NEXT_STATUSES
from suite.order_fields import OPERATION_FIELDS, ORDER_DEFAULTS, ORDER_FIELDS
from suite.tables import (
    documents,
    operations,
    planned_materials,
    production_orders,
    registered_hours,
    used_materials,
)
from suite.values import RefusedValueError, read_fields

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = dict[str, Any]


def list_orders(
    connection: Connection, *, begins: str = "", skip: int = 0, most: int | None = None
) -> list[Row]:
    """At most `most` orders after the first `skip` whose number begins so, the earliest due date first."""
    table = production_orders.c
    query = select(production_orders).where(table.number.startswith(begins, autoescape=True))
    query = query.order_by(table.due_on, table.number).offset(skip).limit(most)
    return [dict(row) for row in connection.execute(query).mappings()]


def find_order(connection: Connection, number: str) -> Row | None:
    """One order with everything that hangs on it, or None."""
    query = select(production_orders).where(production_orders.c.number == number)
    found = connection.execute(query).mappings().first()
    if found is None:
        return None
    return {
        **found,
        "next_statuses": NEXT_STATUSES[found["status"]],
        "operations": _operations(connection, number),
        "hours": _hours(connection, number),
        "planned_materials": _planned_materials(connection, number),
        "materials": _materials(connection, number),
        "documents": _documents(connection, number),
    }


def import_orders(connection: Connection, payload: Any) -> int:
    """Store the orders the ERP sends; one that is known by its number is brought up to date.

    A field the ERP does not send keeps its value. Operations are stored with a new order only: hours hang
    on them.

    Raises:
        RefusedValueError: A field is wrong; nothing of the payload may then be stored.
    """
    given = payload.get("orders") if isinstance(payload, dict) else None
    if not isinstance(given, list):
        msg = "orders: a list of orders is needed"
        raise RefusedValueError(msg)
    for order in given:
        _store(connection, order)
    return len(given)


def _store(connection: Connection, given: Any) -> None:
    order = dict(given) if isinstance(given, dict) else {}
    steps = order.pop("operations", [])
    fields = read_fields(order, ORDER_FIELDS, ORDER_DEFAULTS)
    sent = {name: value for name, value in fields.items() if name in order}
    known = update(production_orders).where(production_orders.c.number == fields["number"]).values(sent)
    if connection.execute(known).rowcount:
        return
    connection.execute(insert(production_orders).values(fields))
    for step in steps:
        row = read_fields(step, OPERATION_FIELDS, {}) | {"order_number": fields["number"]}
        connection.execute(insert(operations).values(row))


def _operations(connection: Connection, number: str) -> list[Row]:
    spent = func.coalesce(func.sum(registered_hours.c.minutes), 0).label("spent_minutes")
    query = (
        select(operations.c.id, operations.c.sequence, operations.c.name, operations.c.planned_minutes, spent)
        .select_from(operations.outerjoin(registered_hours))
        .where(operations.c.order_number == number)
        .group_by(operations.c.id, operations.c.sequence, operations.c.name, operations.c.planned_minutes)
        .order_by(operations.c.sequence)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _hours(connection: Connection, number: str) -> list[Row]:
    query = (
        select(
            registered_hours.c.id,
            operations.c.name.label("operation"),
            registered_hours.c.employee,
            registered_hours.c.worked_on,
            registered_hours.c.minutes,
        )
        .select_from(registered_hours.join(operations))
        .where(operations.c.order_number == number)
        .order_by(registered_hours.c.worked_on, registered_hours.c.id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _planned_materials(connection: Connection, number: str) -> list[Row]:
    table = planned_materials.c
    query = select(table.line, table.article, table.quantity, table.unit)
    query = query.where(table.order_number == number).order_by(table.line)
    return [dict(row) for row in connection.execute(query).mappings()]


def _materials(connection: Connection, number: str) -> list[Row]:
    table = used_materials.c
    query = select(table.id, table.line, table.article, table.quantity, table.unit)
    query = query.where(table.order_number == number).order_by(table.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _documents(connection: Connection, number: str) -> list[Row]:
    table = documents.c
    query = select(table.id, table.name, table.content_type)
    query = query.where(table.order_number == number).order_by(table.id)
    return [dict(row) for row in connection.execute(query).mappings()]
