"""Things that a case keeps for itself while it waits for people, such as an acceptance environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, delete, select

from nakoming.records import cases, schema

if TYPE_CHECKING:
    from nakoming.records.cases import Lease
    from nakoming.records.store import Records, Tx

_table = schema.reservations


def reserve(tx: Tx, lease: Lease, resource: str) -> str | None:
    """Keep a thing for this case; the key of the case that keeps it, when that is another one."""
    cases.fence(tx, lease)
    tx.insert_once(_table, {"resource": resource, "case_id": lease.case_id, "since_at": tx.now})
    query = select(_table.c.case_id).where(_table.c.resource == resource)
    holder: str = tx.connection.execute(query).scalar_one()
    return None if holder == lease.case_id else cases.get(tx, holder).key


def free(tx: Tx, case_id: str, resource: str | None = None) -> None:
    """Give up one thing, or all that a case keeps.

    Whoever waits for it is woken by transactions of their own, after this one: a case never locks another.
    """
    kept = delete(_table).where(_table.c.case_id == case_id)
    if resource is not None:
        kept = kept.where(_table.c.resource == resource)
    if tx.connection.execute(kept).rowcount:
        tx.after_commit.append(lambda: wake_waiting(tx.records))


def wake_waiting(records: Records) -> list[str]:
    """Wake every case that waits for a thing which nobody keeps any more; their identities.

    Called after a thing was freed, and by each pass of the reconciler, in case that process died in between.
    """
    c = schema.cases.c
    named = c.waits_for.cast(Text).contains('"resource":')
    with records.read() as tx:
        waiting = tx.connection.execute(
            select(c.id, c.waits_for).where(c.state == cases.State.WAITING, c.wake_at.is_(None), named)
        ).all()
        kept = set(tx.connection.execute(select(_table.c.resource)).scalars())
    woken = [row.id for row in waiting if any(_is_free(wait, kept) for wait in row.waits_for)]
    for case_id in woken:
        with records.write() as tx:
            cases.wake(tx, case_id)
    return woken


def _is_free(wait: dict[str, Any], kept: set[str]) -> bool:
    return "resource" in wait and wait["resource"] not in kept
