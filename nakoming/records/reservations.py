"""Things that a case keeps for itself while it waits for people, such as an acceptance environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from nakoming.records import cases, schema

if TYPE_CHECKING:
    from nakoming.records.cases import Lease
    from nakoming.records.store import Tx

_table = schema.reservations


def reserve(tx: Tx, lease: Lease, resource: str) -> str | None:
    """Keep a thing for this case; the key of the case that keeps it, when that is another one."""
    cases.fence(tx, lease)
    query = select(_table.c.case_id).where(_table.c.resource == resource).with_for_update()
    holder = tx.connection.execute(query).scalar_one_or_none()
    if holder is None:
        row = {"resource": resource, "case_id": lease.case_id, "since_at": tx.now}
        tx.connection.execute(insert(_table).values(row))
        return None
    return None if holder == lease.case_id else cases.get(tx, holder).key


def free(tx: Tx, case_id: str, resource: str | None = None) -> None:
    """Give up one thing, or all that a case keeps; whoever waits for it is woken."""
    kept = select(_table.c.resource).where(_table.c.case_id == case_id)
    if resource is not None:
        kept = kept.where(_table.c.resource == resource)
    resources = set(tx.connection.execute(kept).scalars())
    if not resources:
        return
    tx.connection.execute(delete(_table).where(_table.c.resource.in_(resources)))
    c = schema.cases.c
    waiting = select(c.id, c.waits_for).where(c.state == cases.State.WAITING, c.id != case_id)
    for row in tx.connection.execute(waiting).all():
        if any(wait.get("resource") in resources for wait in row.waits_for or ()):
            cases.wake(tx, row.id)
