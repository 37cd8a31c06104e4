"""A customer whose ERP is down: left alone for a while, and one message to the operators, not a hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.erp.breaker import Breaker
from blocks.erp.errors import (
    ErpConnectionLost,
    ErpLocked,
    ErpLoginRefused,
    ErpSlow,
    ErpUnreachable,
    OdbcMissing,
)
from nakoming.records import connections
from nakoming.records.connections import Standing
from tasks import operators
from tasks.erp.errors import EndMissing

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.erp.errors import ErpError
    from nakoming.records.store import Tx


_NO_CONNECTION = (ErpUnreachable, ErpLoginRefused, OdbcMissing, EndMissing)
_NO_ANSWER = (ErpConnectionLost, ErpSlow, ErpLocked)
AWAY = (*_NO_CONNECTION, *_NO_ANSWER)
"""Troubles that pass, or that a later try finds gone. Any other needs a person, who is told of it at once."""


def note(tx: Tx, customer: str, erp: str, step: str, trouble: ErpError | None) -> None:
    """Count how a step at an ERP fared: no connection for the ERP as a whole, the rest for the step alone.

    A step that never gets its answer is told of too, although the others of each run succeed.
    """
    here = f"{erp} ({step.rpartition('/')[2]})"
    if isinstance(trouble, _NO_CONNECTION):
        failed(tx, customer, erp, str(trouble))
        return
    succeeded(tx, customer, erp)
    if isinstance(trouble, _NO_ANSWER):
        failed(tx, customer, here, str(trouble))
    else:
        succeeded(tx, customer, here)


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
