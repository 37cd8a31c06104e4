"""What is set from outside while a case runs (the release a request is planned for); read by steps only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from nakoming.records import schema

if TYPE_CHECKING:
    from nakoming.records.store import Tx

_table = schema.case_facts


def put(tx: Tx, case_id: str, customer: str, name: str, value: Any) -> Any:
    """Set a fact; the value it had before."""
    before = get(tx, case_id, customer, name)
    sealed = tx.seal(customer, f"fact/{case_id}/{name}", value)
    c = _table.c
    changed = update(_table).where(c.case_id == case_id, c.name == name)
    if not tx.connection.execute(changed.values(value_sealed=sealed, set_at=tx.now)).rowcount:
        row = {"case_id": case_id, "name": name, "value_sealed": sealed, "set_at": tx.now}
        tx.connection.execute(insert(_table).values(row))
    return before


def get(tx: Tx, case_id: str, customer: str, name: str) -> Any:
    """A fact of a case; nothing when it was never set."""
    c = _table.c
    query = select(c.value_sealed).where(c.case_id == case_id, c.name == name)
    sealed = tx.connection.execute(query).scalar_one_or_none()
    return None if sealed is None else tx.unseal(customer, f"fact/{case_id}/{name}", sealed)
