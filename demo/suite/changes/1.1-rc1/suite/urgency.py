"""The urgency code of an order, changed on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from suite.order_fields import ORDER_FIELDS
from suite.tables import production_orders
from suite.values import read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


def set_urgency(connection: Connection, number: str, given: Mapping[str, Any]) -> None:
    """Give order `number` another urgency code.

    Raises:
        RefusedValueError: The code is none of the known ones.
    """
    fields = read_fields(dict(given), {"urgency": ORDER_FIELDS["urgency"]}, {})
    table = production_orders
    connection.execute(update(table).where(table.c.number == number).values(fields))
