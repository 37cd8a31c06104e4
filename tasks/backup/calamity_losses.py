"""What would be lost: ERP transactions in the live database that are younger than a backup, day by day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import case, func, select

from nakoming.agreement.local_time import local_date, next_day, start_of_day
from tasks.backup.calamity_errors import LedgerSilent
from tasks.backup.calamity_places import ledger_in, switch_of
from tasks.erp.bookkeeping import batches, outgoing
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


class Lost(BaseModel):
    """ERP transactions after each of some instants.

    Attributes:
        reason: why nothing is known; None: it was counted.
        days: per instant, how many on which local day.
    """

    model_config = ConfigDict(frozen=True)

    reason: str | None = None
    days: dict[datetime, dict[str, int]] = {}

    def after(self, instant: datetime) -> int | None:
        """How many after an instant; None: it is not known."""
        return None if self.reason is not None else sum(self.days.get(instant, {}).values())


@step(doubt=repeat("it is only read"), timeout=timedelta(minutes=10))
def count_lost(work: Work, *, database: str, suite: str | None, instants: list[datetime]) -> Lost:
    """Count what came in and what went out after each instant, in the live database if it answers."""
    try:
        switch = switch_of(work.customer, database, work.lease.case_id)
        with work.records.read() as tx:
            now = tx.now
        with ledger_in(switch, suite, switch.names.live) as connection:
            return Lost(days=counted(connection, instants, now))
    except LedgerSilent as silent:
        return Lost(reason=str(silent.data["reason"]))


def counted(
    connection: Connection, instants: list[datetime], now: datetime
) -> dict[datetime, dict[str, int]]:
    """Per instant the transactions from it on, by local day; a day without any is not named."""
    edges = _edges(instants, now)
    changes = func.coalesce(batches.c.created + batches.c.changed + batches.c.removed, 0)
    came = _between(connection, edges, batches.c.loaded_at, changes)
    went = _between(connection, edges, outgoing.c.created_at, 1)
    found: dict[datetime, dict[str, int]] = {}
    for instant in instants:
        days: dict[str, int] = {}
        for edge, more, other in zip(edges, came, went, strict=True):
            if edge >= instant and more + other:
                day = str(local_date(edge))
                days[day] = days.get(day, 0) + more + other
        found[instant] = days
    return found


def _edges(instants: list[datetime], now: datetime) -> list[datetime]:
    """The instants, and each midnight after the first of them."""
    if not instants:
        return []
    on, last_on = next_day(local_date(min(instants))), local_date(max(now, *instants))
    edges = set(instants)
    while on <= last_on:
        edges.add(start_of_day(on))
        on = next_day(on)
    return sorted(edges)


def _between(connection: Connection, edges: list[datetime], at: ColumnElement[Any], each: Any) -> list[int]:
    """The sum from each edge to the next; after the last without an end. One walk over the table."""
    if not edges:
        return []
    ends = [*edges[1:], None]
    columns = [
        func.coalesce(func.sum(case(((at >= start) if end is None else (at >= start) & (at < end), each))), 0)
        for start, end in zip(edges, ends, strict=True)
    ]
    row = connection.execute(select(*columns).where(at >= edges[0])).one()
    return [int(value) for value in row]
