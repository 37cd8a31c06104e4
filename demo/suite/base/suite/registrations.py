"""What the shop floor adds to an order: hours, materials, documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from suite import values
from suite.outbox import hold_order, tell_erp
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
    """Add one person's minutes on one operation of order `number`, and tell the ERP.

    Raises:
        RefusedValueError: A field is wrong, or the operation is of another order.
    """
    fields = values.read_fields(dict(given), HOURS_FIELDS, {})
    operation = fields.pop("operation")
    belongs = select(operations.c.sequence).where(
        operations.c.id == operation, operations.c.order_number == number
    )
    sequence = connection.execute(belongs).scalar()
    if sequence is None:
        msg = f"operation: order {number} has no operation {operation}"
        raise values.RefusedValueError(msg)
    hold_order(connection, number)
    connection.execute(insert(registered_hours).values(operation_id=operation, **fields))
    tell_erp(connection, "hours_out", number, {"op_no": sequence} | fields)


def register_material(connection: Connection, number: str, given: Mapping[str, Any]) -> None:
    """Add material used for order `number` as its next line, and tell the ERP.

    Raises:
        RefusedValueError: A field is wrong.
    """
    fields = values.read_fields(dict(given), MATERIAL_FIELDS, {})
    hold_order(connection, number)
    table = used_materials.c
    last = select(func.coalesce(func.max(table.line), 0)).where(table.order_number == number)
    line = connection.execute(last).scalar_one() + 1
    connection.execute(insert(used_materials).values(order_number=number, line=line, **fields))
    told = {"line_no": line, "item_no": fields["article"], "qty": fields["quantity"], "unit": fields["unit"]}
    tell_erp(connection, "materials_out", number, told)


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
