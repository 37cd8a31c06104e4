"""Which occasion a run of the exchange is: a scheduled instant, or one that an operator names.

After an outage the runs that were missed all come at once; only the newest of them does the work (one
exchange catches up with everything), the others end and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext
from prefect.states import Completed

from nakoming.records import agreements
from tasks.installation import records as installed_records

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


@dataclass(frozen=True)
class Occasion:
    """The subject of the case; `due_at` of a scheduled run."""

    subject: str
    due_at: datetime | None

    def is_overtaken(self, customer: str) -> bool:
        """Whether a later scheduled run of this customer is due already."""
        if self.due_at is None:
            return False
        with installed_records().read() as tx:
            terms = agreements.get(tx, customer)
            return tx.now >= self.due_at + timedelta(minutes=terms.erp.sync_interval_minutes)

    def overtaken(self) -> State[Any]:
        """The end of a run whose work the next one does."""
        return Completed(message=f"The exchange of {self.subject} was overtaken: a later one is due already.")


def of_run(given: str) -> Occasion:
    """The occasion of this run; `given` is what an operator called it."""
    if given:
        return Occasion(given, None)
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    if run is None:
        return Occasion("by-hand", None)
    if run.auto_scheduled and run.expected_start_time is not None:
        due_at = run.expected_start_time
        return Occasion(f"{due_at:%Y-%m-%dT%H:%MZ}", due_at)
    return Occasion(f"run-{str(run.id)[:13]}", None)
