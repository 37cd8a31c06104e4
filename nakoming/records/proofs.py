"""Where the proof of something stands in its chain: the number and the leaf that a receipt tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from nakoming.records import schema

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from nakoming.records.events import Event
    from nakoming.records.store import Tx

_evidence = schema.evidence


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A place in a chain. `leaf` was the chain's head when it was written."""

    chain: str
    seq: int
    at: datetime
    leaf: str


def find(tx: Tx, about: str, event: Event) -> Proof | None:
    """The last evidence of this event about this thing (`answer:<id>`); none when there is no such."""
    return _last(tx, event, _evidence.c.about == about)


def find_of_case(tx: Tx, case_id: str, event: Event) -> Proof | None:
    """The last evidence of this event in a case; none when there is no such."""
    return _last(tx, event, _evidence.c.case_id == case_id)


def _last(tx: Tx, event: Event, which: ColumnElement[bool]) -> Proof | None:
    e = _evidence.c
    query = select(e.chain, e.seq, e.at, e.leaf).where(which, e.event == str(event))
    row = tx.connection.execute(query.order_by(e.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Proof(chain=row.chain, seq=row.seq, at=row.at, leaf=row.leaf)
