"""What the ERP is to be told: rows written with what they tell, taken away by the exchange.

The names in a payload are the ERP's columns.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import insert, select

from suite.instants import now
from suite.tables import erp_outbox, production_orders

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    Interface = Literal["status_out", "hours_out", "materials_out"]


def hold_order(connection: Connection, number: str) -> RowMapping:
    """The order's own row, which nobody else changes until this transaction ends.

    Whoever tells the ERP something holds the order first, so that the numbers of its rows in the outbox are
    in the order in which they happened.
    """
    query = select(production_orders).where(production_orders.c.number == number).with_for_update()
    return connection.execute(query).mappings().one()


def tell_erp(connection: Connection, interface: Interface, number: str, values: dict[str, Any]) -> None:
    """Write what happened to order `number` for the ERP, in the transaction in which it happened."""
    row = {
        "interface": interface,
        "order_number": number,
        "payload": json.dumps({"order_no": number} | values, default=_plain, ensure_ascii=False),
        "created_at": now(connection),
    }
    connection.execute(insert(erp_outbox).values(row))


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")  # as text: a number of JSON may lose a decimal
    msg = f"{type(value).__name__} has no form in the outbox"
    raise TypeError(msg)
