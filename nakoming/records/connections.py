"""How a connection to a customer's system stands: since when it fails, and until when it is left alone.

Kept in the records, so that a customer whose system is down is one message and not a hundred, whichever
worker meets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from nakoming.records import schema

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.store import Tx

_table = schema.connections


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a connection stands; without failures all is well. `open_until`: it is left alone until then."""

    failures: int = 0
    failing_since: datetime | None = None
    open_until: datetime | None = None
    reason: str | None = None


def standing(tx: Tx, customer: str, name: str) -> Standing:
    """How a connection stands now; locks its row, so that two runs count one failure after the other."""
    c = _table.c
    query = select(_table).where(c.customer == customer, c.name == name)
    row = tx.connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        return Standing()
    reason = tx.unseal(customer, f"connection/{name}", row.reason_sealed) if row.reason_sealed else None
    return Standing(
        failures=row.failures, failing_since=row.failing_since, open_until=row.open_until, reason=reason
    )


def put(tx: Tx, customer: str, name: str, now: Standing) -> None:
    """Write how a connection stands; one that is well leaves no row."""
    c = _table.c
    tx.connection.execute(delete(_table).where(c.customer == customer, c.name == name))
    if now.failures:
        row = {
            "customer": customer,
            "name": name,
            "failures": now.failures,
            "failing_since": now.failing_since,
            "open_until": now.open_until,
            "reason_sealed": tx.seal(customer, f"connection/{name}", now.reason) if now.reason else None,
        }
        tx.connection.execute(insert(_table).values(row))
