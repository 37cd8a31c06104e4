"""A contract of a customer's own for orders: other names, changes by time, tombstones."""

from __future__ import annotations

from typing import Final

from data_contracts.loading import FOLDER, contract_text

_NAMES: Final = {
    "name: erp_orders\n": "name: mfg_orders\n",
    "element: erp_orders.changed_at": "element: mfg_orders.changed",
    "name: order_no": "name: ordno",
    "name: customer_name": "name: cust",
    "name: item_no": "name: item",
    "name: description\n        logicalType": "name: descr\n        logicalType",
    "name: due_date": "name: due",
    "column: due_date": "column: due",
    "name: status": "name: state",
    "name: changed_at": "name: changed",
    "name: deleted": "name: gone",
    "{by: row_version, column: row_version}": "{by: changed_at, column: changed, overlapMinutes: 10}",
    "column: deleted, sets": "column: gone, sets",
}


def own_orders(**changes: str) -> str:
    """The text; `changes` are made in it afterwards."""
    text = contract_text(FOLDER / "orders.yaml")
    head, version, tail = text.partition("      - name: row_version\n")
    text = head + tail[tail.index("      - name: changed_at") :] if version else text
    for before, after in (_NAMES | changes).items():
        assert before in text, before
        text = text.replace(before, after)
    return text
