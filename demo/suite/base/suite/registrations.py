"""What the shop floor adds to an order: hours, materials, documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from suite import values
from suite.tables import documents, operations, registered_hours, used_materials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

LARGEST_DOCUMENT = 5 * 1024 * 1024

HOURS_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "operation": lambda name, value: values.whole_number(name, value, 2**31 - 1),
    "employee": lambda name, value: values.text(name, value, 120),
    "worked_on": values.day,
    "minutes": lambda name, value: values.whole_number(name, value, values.MINUTES_A_DAY),
}

MATERIAL_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "article": lambda name, value: values.text(name, value, 60),
    "quantity": values.amount,
    "unit": lambda name, value: values.text(name, value, 10),
}


def register_hours(connection: Connection, number: str, given: Mapping[str, Any]) -> None:
    """Add one person's minutes on one operation of order `number`.

    Raises:
        RefusedValueError: A field is wrong, or the operation is of another order.
    """
    fields = values.read_fields(dict(given), HOURS_FIELDS, {})
    operation = fields.pop("operation")
    belongs = select(operations.c.id).where(operations.c.id == operation, operations.c.order_number == number)
    if connection.execute(belongs).first() is None:
        msg = f"operation: order {number} has no operation {operation}"
        raise values.RefusedValueError(msg)
    connection.execute(insert(registered_hours).values(operation_id=operation, **fields))


def register_material(connection: Connection, number: str, given: Mapping[str, Any]) -> None:
    """Add material used for order `number`.

    Raises:
        RefusedValueError: A field is wrong.
    """
    fields = values.read_fields(dict(given), MATERIAL_FIELDS, {})
    connection.execute(insert(used_materials).values(order_number=number, **fields))


def add_document(connection: Connection, number: str, name: str, content_type: str, content: bytes) -> None:
    """Keep a document with order `number`.

    Raises:
        RefusedValueError: It is empty, too large or has no proper name.
    """
    if not 0 < len(content) <= LARGEST_DOCUMENT:
        msg = f"file: a file of 1 to {LARGEST_DOCUMENT} bytes is needed"
        raise values.RefusedValueError(msg)
    row = {
        "order_number": number,
        "name": values.text("file", name, 200),
        "content_type": values.text("content_type", content_type, 100),
        "content": content,
    }
    connection.execute(insert(documents).values(row))


def read_document(connection: Connection, number: str, document: int) -> tuple[str, str, bytes] | None:
    """Name, content type and content of one document of order `number`, or None."""
    query = select(documents.c.name, documents.c.content_type, documents.c.content).where(
        documents.c.id == document, documents.c.order_number == number
    )
    found = connection.execute(query).first()
    return None if found is None else (found.name, found.content_type, found.content)
