"""Who won where both sides had changed the same (S-4.2.1), recorded by the exchange and named here.

The ERP wins on master data, the Suite on hours and materials. Of what comes in only orders can be changed in
the Suite as well (`localChange` of their contract); of operations and materials the ERP is the only writer,
and a row that differs there all the same is a difference of the nightly comparison.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from nakoming.records.engine import writing
from tasks.erp.bookkeeping import overrulings, prepare
from tasks.erp.connections import suite_engine
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from sqlalchemy import Engine

NAMED = 100


class Overruling(BaseModel):
    """One overruling; `details` are column -> what lost, what won."""

    model_config = ConfigDict(frozen=True)

    interface: str
    key: str
    winner: str
    details: dict[str, tuple[str, str]]
    overruled_at: datetime

    @property
    def words(self) -> str:
        """What lost and what won, column by column."""
        return "; ".join(f"{name}: {lost} → {won}" for name, (lost, won) in self.details.items())


class Overruled(BaseModel):
    """The newest overrulings, and how many there are in all."""

    model_config = ConfigDict(frozen=True)

    newest: tuple[Overruling, ...] = ()
    count: int = 0

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.count - len(self.newest)


@step(doubt=repeat("it only reads"), timeout=timedelta(minutes=10))
def name_overrulings(work: Work, *, suite: str, since: datetime) -> Overruled:
    """What was overruled since an instant."""
    del work
    return overruled(suite_engine(suite), since=since)


def overruled(engine: Engine, *, since: datetime | None = None, most: int = NAMED) -> Overruled:
    """The newest overrulings, of those from `since` on."""
    o = overrulings.c
    which = [] if since is None else [o.overruled_at >= since]
    query = select(overrulings).where(*which).order_by(o.overruled_at.desc(), o.id.desc()).limit(most)
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        count = connection.execute(select(func.count()).select_from(overrulings).where(*which)).scalar_one()
        newest = tuple(
            Overruling(
                interface=row.interface,
                key=row.key,
                winner=row.winner,
                details=json.loads(row.details),
                overruled_at=row.overruled_at,
            )
            for row in connection.execute(query)
        )
    return Overruled(newest=newest, count=count)
