"""Leases of things that are shared: an environment, a customer's sync, the postman, the reconciler.

As with a case, the epoch fences the holders before: whoever writes on the strength of a lease calls `fence`
in that transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from nakoming.records import schema
from nakoming.records.errors import LeaseLost, ResourceBusy
from nakoming.records.owners import is_dead

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import Row

    from nakoming.records.store import Tx

_table = schema.resource_leases


@dataclass(frozen=True, kw_only=True)
class ResourceLease:
    """The right to use a shared thing until an instant, unless it is extended."""

    resource: str
    owner: str
    epoch: int
    until: datetime
    case_id: str | None


def take(tx: Tx, resource: str, owner: str, *, lease: timedelta, case_id: str | None = None) -> ResourceLease:
    """Take a shared thing: when it is free, its lease has run out, or its holder is certainly dead.

    A holder that takes it again gets a new epoch; its former lease is fenced off.

    Raises:
        ResourceBusy: somebody else, or another case of the same owner, uses it.
    """
    tx.insert_once(_table, {"resource": resource, "epoch": 0})
    row = _locked(tx, resource)
    if _is_held(tx, row) and (row.owner, row.case_id) != (owner, case_id):
        raise ResourceBusy(resource=resource, owner=row.owner, until=row.until)
    epoch, until = row.epoch + 1, tx.now + lease
    values = {"owner": owner, "epoch": epoch, "until": until, "case_id": case_id}
    tx.connection.execute(update(_table).where(_table.c.resource == resource).values(values))
    return ResourceLease(resource=resource, owner=owner, epoch=epoch, until=until, case_id=case_id)


def _locked(tx: Tx, resource: str) -> Row[Any]:
    query = select(_table).where(_table.c.resource == resource)
    return tx.connection.execute(query.with_for_update(key_share=True)).one()


def _is_held(tx: Tx, row: Row[Any]) -> bool:
    return row.owner is not None and row.until > tx.now and not is_dead(row.owner)


def fence(tx: Tx, lease: ResourceLease) -> None:
    """Refuse a holder that lost the thing; lock its row until this transaction ends for one that did not.

    Raises:
        LeaseLost: another holder has taken over, or this one let go.
    """
    row = _locked(tx, lease.resource)
    if (row.owner, row.epoch) != (lease.owner, lease.epoch):
        raise LeaseLost(what=lease.resource, epoch=lease.epoch)


def extend(tx: Tx, held: ResourceLease, *, lease: timedelta) -> ResourceLease:
    """Keep the thing for `lease` from now; `LeaseLost` when it is no longer ours."""
    fence(tx, held)
    until = tx.now + lease
    tx.connection.execute(update(_table).where(_table.c.resource == held.resource).values(until=until))
    return ResourceLease(
        resource=held.resource, owner=held.owner, epoch=held.epoch, until=until, case_id=held.case_id
    )


def release(tx: Tx, held: ResourceLease) -> None:
    """Let go of the thing; nothing when somebody else has taken it over."""
    c = _table.c
    ours = update(_table).where(c.resource == held.resource, c.owner == held.owner, c.epoch == held.epoch)
    tx.connection.execute(ours.values(owner=None, until=None, case_id=None))


def holder(tx: Tx, resource: str) -> ResourceLease | None:
    """Who uses the thing now; none when it is free."""
    row = tx.connection.execute(select(_table).where(_table.c.resource == resource)).one_or_none()
    if row is None or not _is_held(tx, row):
        return None
    return ResourceLease(
        resource=resource, owner=row.owner, epoch=row.epoch, until=row.until, case_id=row.case_id
    )
