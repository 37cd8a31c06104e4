"""Which occasion a run of the exchange is: a scheduled instant, or one that an operator names.

After an outage the runs that were missed all come at once; only the newest of them does the work (one
exchange catches up with everything), the others end and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext
from prefect.states import Completed

from nakoming.agreement.local_time import local_date
from nakoming.records import agreements
from tasks.installation import records as installed_records

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

COMPARE = "compare"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Occasion:
    """The subject of the case; `due_at` of a scheduled run."""

    subject: str
    due_at: datetime | None = None
    mode: str = "incremental"

    def is_overtaken(self, customer: str) -> bool:
        """Whether a later scheduled run of this customer is due already."""
        if self.due_at is None:
            return False
        with installed_records().read() as tx:
            minutes = agreements.get(tx, customer).erp.sync_interval_minutes
            every = _DAY if self.mode == COMPARE else timedelta(minutes=minutes)
            return tx.now >= self.due_at + every

    def overtaken(self) -> State[Any]:
        """The end of a run whose work the next one does."""
        return Completed(message=f"The exchange of {self.subject} was overtaken: a later one is due already.")


def of_run(given: str, mode: str) -> Occasion:
    """The occasion of this run; `given` is what an operator, or the case it goes on with, called it."""
    if given:
        return Occasion(given)
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    if run is None:
        return Occasion("by-hand")
    if run.auto_scheduled and run.expected_start_time is not None:
        due_at = run.expected_start_time
        return Occasion(subject_of(mode, due_at), due_at, mode)
    return Occasion(f"run-{str(run.id)[:13]}")


def subject_of(mode: str, due_at: datetime) -> str:
    """The subject of what is due at an instant: one comparison a day, one exchange at each instant."""
    if mode == COMPARE:
        return f"compare-{local_date(due_at)}"
    return f"{due_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
