"""Evidence of what operators settled, brought from the Suite's database into the records.

The two are different databases, so no transaction holds both. The settling is written with the row that it
settles, in one transaction of the Suite's database. Its evidence follows, named by the settling's identity;
only then is the settling marked as proven. A crash in between leaves a settling that is not marked: whoever
calls `prove` next (each command does) writes the evidence, or finds it there and marks it. Nothing is proven
that did not happen, nothing twice, and nothing that happened stays unproven.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from nakoming.records import cases, proofs
from nakoming.records.engine import writing
from nakoming.records.errors import UnknownCase
from nakoming.records.events import Event
from tasks.erp.bookkeeping import prepare, settlings

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

    from nakoming.records.store import Records, Tx

QUARANTINE, DEAD_LETTER = "quarantine", "dead_letter"
REPLAYED, DROPPED = "replayed", "dropped"
_EVENTS = {
    QUARANTINE: Event.ERP_QUARANTINE_SETTLED,
    DEAD_LETTER: Event.ERP_DEAD_LETTER_SETTLED,
}
_CLAUSE = "S-4.2.1"
_AT_ONCE = 200


def note(
    connection: Connection,
    *,
    kind: str,
    number: int,
    interface: str,
    act: str,
    by: str,
    details: dict[str, Any],
    run: str | None,
    at: datetime,
) -> None:
    """Note a settling in the transaction of what it settles; `details` holds no customer content."""
    row = {
        "id": uuid.uuid4().hex,
        "kind": kind,
        "number": number,
        "interface": interface,
        "act": act,
        "by": by,
        "details": json.dumps(details),
        "run": run,
        "settled_at": at,
    }
    connection.execute(insert(settlings).values(row))


def prove(records: Records, engine: Engine, customer: str) -> int:
    """Write the evidence that is still owed; how many settlings were proven."""
    count = 0
    while proven := _prove_some(records, engine, customer):
        count += proven
    return count


def _prove_some(records: Records, engine: Engine, customer: str) -> int:
    # The rows stay locked until they are marked, so that two who prove at once do not both write.
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        s = settlings.c
        owed = select(settlings).where(s.proven_at.is_(None)).order_by(s.settled_at, s.id).limit(_AT_ONCE)
        rows = connection.execute(owed.with_for_update()).all()
        if not rows:
            return 0
        with records.write() as tx:
            for row in rows:
                _prove_one(tx, customer, row)
            at = tx.now
        marked = update(settlings).where(s.id.in_([row.id for row in rows])).values(proven_at=at)
        connection.execute(marked)
        return len(rows)


def _prove_one(tx: Tx, customer: str, row: Row[Any]) -> None:
    about, event = f"settling:{row.id}", _EVENTS[row.kind]
    if proofs.find(tx, about, event) is not None:
        return
    payload = {
        "number": row.number,
        "interface": row.interface,
        "act": row.act,
        "by": row.by,
        "settled_at": row.settled_at.isoformat(),
        **json.loads(row.details),
    }
    tx.prove(event, customer, payload, case_id=_case_id(tx, row.run), about=about, clause=_CLAUSE)


def _case_id(tx: Tx, run: str | None) -> str | None:
    try:
        return None if run is None else cases.by_key(tx, run).id
    except UnknownCase:
        return None
