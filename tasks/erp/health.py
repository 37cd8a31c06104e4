"""A customer whose ERP is down: left alone for a while, and one message to the operators, not a hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.erp.breaker import Breaker
from nakoming.records import connections
from nakoming.records.connections import Standing
from tasks import operators

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.store import Tx


def left_alone_until(tx: Tx, customer: str, name: str) -> datetime | None:
    """Until when a connection is left alone; None: it may be tried now."""
    now = connections.standing(tx, customer, name)
    return None if _breaker(now).allows(tx.now) else now.open_until


def failed(tx: Tx, customer: str, name: str, reason: str) -> Standing:
    """Count a failure; the one that opens the breaker for the first time tells the operators."""
    before = connections.standing(tx, customer, name)
    after = _breaker(before).after_failure(tx.now)
    standing = Standing(
        failures=after.failures,
        failing_since=before.failing_since or tx.now,
        open_until=after.open_until,
        reason=reason,
    )
    connections.put(tx, customer, name, standing)
    if _breaker(before).opens(tx.now):
        operators.tell_connection_fails(tx, customer, name, standing.failing_since or tx.now, reason)
    return standing


def succeeded(tx: Tx, customer: str, name: str) -> None:
    """Forget failures; operators who were told that it fails are told that it is back."""
    before = connections.standing(tx, customer, name)
    if not before.failures:
        return
    connections.put(tx, customer, name, Standing())
    if before.open_until is not None and before.failing_since is not None:
        operators.tell_connection_back(tx, customer, name, before.failing_since)


def _breaker(standing: Standing) -> Breaker:
    return Breaker(standing.failures, standing.open_until)
