"""What people change of an order itself: its status, and master data until the ERP says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from suite import values
from suite.instants import now
from suite.order_fields import ORDER_FIELDS
from suite.outbox import hold_order, tell_erp
from suite.tables import production_orders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

NEXT_STATUSES = {
    "planned": ("started",),
    "released": ("started", "finished"),
    "started": ("finished",),
    "finished": (),
    "cancelled": (),  # the ERP removed the order; what was registered on it stays
}
CHANGEABLE = ("description", "quantity", "due_on")


def change_status(connection: Connection, number: str, given: Mapping[str, Any]) -> None:
    """Start or finish order `number`, and tell the ERP.

    Raises:
        RefusedValueError: The order cannot go there from where it stands.
    """
    status = values.read_fields(dict(given), {"status": ORDER_FIELDS["status"]}, {})["status"]
    was = hold_order(connection, number)["status"]
    if status not in NEXT_STATUSES[was]:
        msg = f"status: order {number} is {was}; from there it goes to {_listed(NEXT_STATUSES[was])}"
        raise values.RefusedValueError(msg)
    _update(connection, number, {"status": status})
    tell_erp(connection, "status_out", number, {"status": status, "at": now(connection)})


def change_master_data(connection: Connection, number: str, given: Mapping[str, Any]) -> None:
    """Change description, quantity or due date here, and note when; the ERP is not told, it goes before.

    Raises:
        RefusedValueError: A field is wrong.
    """
    names = [name for name in CHANGEABLE if name in given] or CHANGEABLE
    fields = values.read_fields(dict(given), {name: ORDER_FIELDS[name] for name in names}, {})
    there = hold_order(connection, number)
    changed = {name: value for name, value in fields.items() if there[name] != value}
    if changed:
        _update(connection, number, changed | {"changed_in_suite_at": now(connection)})


def _update(connection: Connection, number: str, fields: dict[str, Any]) -> None:
    table = production_orders
    connection.execute(update(table).where(table.c.number == number).values(fields))


def _listed(statuses: tuple[str, ...]) -> str:
    return " or ".join(statuses) or "no other status"
