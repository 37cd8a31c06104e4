"""The case of a process that ended last: what an overview needs of a process that runs every few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from nakoming.records import schema
from nakoming.records.case_model import State

if TYPE_CHECKING:
    from datetime import datetime

    from nakoming.records.store import Tx


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A case that is over."""

    subject: str
    outcome: str
    ended_at: datetime


def newest(tx: Tx, kind: str, customer: str, *, prefix: str = "", without: str = "") -> Ended | None:
    """The last one; `prefix` and `without` are how its subject begins, and does not."""
    c = schema.cases.c
    query = select(c.subject, c.outcome, c.closed_at).where(
        c.kind == kind, c.customer == customer, c.state == State.CLOSED, c.subject.startswith(prefix)
    )
    if without:
        query = query.where(~c.subject.startswith(without))
    row = tx.connection.execute(query.order_by(c.closed_at.desc()).limit(1)).one_or_none()
    return None if row is None else Ended(subject=row.subject, outcome=row.outcome, ended_at=row.closed_at)
