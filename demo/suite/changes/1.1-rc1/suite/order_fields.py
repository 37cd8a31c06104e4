"""The fields of a production order as the ERP sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite import values

if TYPE_CHECKING:
    from collections.abc import Callable

STATUSES = ("planned", "released", "started", "finished", "cancelled")
URGENCIES = ("normal", "urgent", "critical")

ORDER_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "number": values.order_number,
    "customer": lambda name, value: values.text(name, value, 120),
    "article": lambda name, value: values.text(name, value, 60),
    "description": lambda name, value: values.text(name, value, 400),
    "quantity": lambda name, value: values.whole_number(name, value, 1_000_000),
    "due_on": values.day,
    "status": lambda name, value: values.one_of(name, value, STATUSES),
    "urgency": lambda name, value: values.one_of(name, value, URGENCIES),
}

ORDER_DEFAULTS = {"status": "planned", "urgency": "normal"}

OPERATION_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "sequence": lambda name, value: values.whole_number(name, value, 9999),
    "name": lambda name, value: values.text(name, value, 120),
    "planned_minutes": lambda name, value: values.whole_number(name, value, 100_000),
}
