"""Cases that want to run, as those who start Prefect runs need to see them: no question and no parameter.

The truth is `cases.wake_at` and the lease; there is no queue that could lose anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, update

from nakoming.records import schema
from nakoming.records.case_model import State
from nakoming.records.owners import is_dead

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Row, Select

    from nakoming.records.store import Tx

TELL_AGAIN = timedelta(seconds=30)  # a run that was started or resumed needs so long until it holds its case
_WOKEN = (State.WAITING, State.CLOSED)
_cases, _runs, _wake_ups = schema.cases, schema.case_runs, schema.wake_ups


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a case stands towards Prefect at the instant `now`; `run_id` worked on it last."""

    case_id: str
    kind: str
    customer: str
    subject: str
    state: State
    epoch: int
    attempts: int
    opened_at: datetime
    closed_at: datetime | None
    wake_at: datetime | None
    woken_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    run_id: str | None
    run_started_at: datetime | None
    deployment_id: str | None
    now: datetime

    @property
    def key(self) -> str:
        """The business key."""
        return f"{self.kind}/{self.customer}/{self.subject}"

    @property
    def is_abandoned(self) -> bool:
        """Whether it is open and nobody works on it: its holder is gone, or nobody ever took it up."""
        if self.state != State.OPEN:
            return False
        if self.owner is None or self.lease_until is None:
            return self.epoch > 0 or self.opened_at <= self.now - TELL_AGAIN
        return self.lease_until <= self.now or is_dead(self.owner)

    @property
    def wants_to_run(self) -> bool:
        """Whether a run should take it up now; of a withdrawn case: should see that it is over."""
        due = self.wake_at is not None and self.wake_at <= self.now
        return (self.state in _WOKEN and due) or self.is_abandoned


def of_case(tx: Tx, case_id: str) -> Wish | None:
    """How one case stands; none when there is no such case."""
    row = tx.connection.execute(_query().where(_cases.c.id == case_id)).one_or_none()
    return None if row is None else _wish(tx, row)


def of_run(tx: Tx, run_id: str) -> Wish | None:
    """How the case stands that a run works on, or whose wake-up it shows; none when it is none of ours."""
    case_id = tx.connection.execute(
        select(_runs.c.case_id).where(_runs.c.run_id == run_id)
    ).scalar_one_or_none()
    if case_id is None:
        shown = select(_wake_ups.c.case_id).where(_wake_ups.c.prefect_run_id == run_id).limit(1)
        case_id = tx.connection.execute(shown).scalar_one_or_none()
    return None if case_id is None else of_case(tx, case_id)


def of_runs(tx: Tx, run_ids: Collection[str]) -> dict[str, Wish]:
    """The cases that these runs worked on, by run."""
    query = select(_runs.c.run_id, _runs.c.case_id).where(_runs.c.run_id.in_(run_ids))
    cases = {row.run_id: row.case_id for row in tx.connection.execute(query)}
    rows = tx.connection.execute(_query().where(_cases.c.id.in_(set(cases.values())))).all()
    wishes = {row.id: _wish(tx, row) for row in rows}
    return {run_id: wishes[case_id] for run_id, case_id in cases.items()}


def wanting(tx: Tx, limit: int = 200) -> list[Wish]:
    """Cases that want to run and of which Prefect was not told lately, the longest waiting first."""
    c = _cases.c
    not_told = or_(c.woken_at.is_(None), c.woken_at <= tx.now - TELL_AGAIN)
    due = and_(c.state.in_(_WOKEN), c.wake_at <= tx.now, not_told)
    rows = tx.connection.execute(_query().where(due).order_by(c.wake_at).limit(limit)).all()
    # Those that are worked on are as many as there are workers' slots; each is looked at.
    taken_up = tx.connection.execute(_query().where(c.state == State.OPEN, not_told)).all()
    found = [_wish(tx, row) for row in [*rows, *taken_up]]
    return [wish for wish in found if wish.wants_to_run][:limit]


def told(tx: Tx, wish: Wish) -> None:
    """Note that Prefect was told; nothing when a run took the case up in the meantime.

    A case that has ended is told of once.
    """
    c = _cases.c
    same = update(_cases).where(c.id == wish.case_id, c.lease_epoch == wish.epoch, c.state == wish.state)
    noted = {"woken_at": tx.now} | ({"wake_at": None} if wish.state == State.CLOSED else {})
    tx.connection.execute(same.values(noted))


def _query() -> Select[Any]:
    c, r = _cases.c, _runs.c
    newest = select(func.max(r.number)).where(r.case_id == c.id).correlate(_cases).scalar_subquery()
    joined = _cases.outerjoin(_runs, and_(r.case_id == c.id, r.number == newest))
    columns = (c.id, c.kind, c.customer, c.subject, c.state, c.lease_epoch, c.attempts, c.opened_at)
    more = (c.closed_at, c.wake_at, c.woken_at, c.lease_owner, c.lease_until)
    return select(*columns, *more, r.run_id, r.started_at, r.deployment_id).select_from(joined)


def _wish(tx: Tx, row: Row[Any]) -> Wish:
    return Wish(
        case_id=row.id,
        kind=row.kind,
        customer=row.customer,
        subject=row.subject,
        state=State(row.state),
        epoch=row.lease_epoch,
        attempts=row.attempts,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        wake_at=row.wake_at,
        woken_at=row.woken_at,
        owner=row.lease_owner,
        lease_until=row.lease_until,
        run_id=row.run_id,
        run_started_at=row.started_at,
        deployment_id=row.deployment_id,
        now=tx.now,
    )
