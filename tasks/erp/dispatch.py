"""All customers whose exchange is due, worked through in one run: each a case, none in another's way."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed

from nakoming.records import agreements, cases
from nakoming.records.case_model import State
from tasks.erp import shown
from tasks.erp.timetable import connected, due_subject
from tasks.installation import records as installed_records
from tasks.process import Worked, work_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect.client.schemas.objects import State as PrefectState

    from nakoming.records.store import Records
    from tasks.process import Process

# Each holds a connection to an ERP, one to a Suite, and two of the records' pool of eight.
AT_ONCE = 4


@dataclass(frozen=True)
class Due:
    """A customer whose exchange is due, and the occasion."""

    customer: str
    subject: str


def due(records: Records, kind: str, mode: str) -> list[Due]:
    """The customers whose last occasion was not worked on yet, in alphabetical order.

    Occasions that were missed are not made up for: one exchange catches up with everything.
    """
    with records.read() as tx:
        intervals = connected({each: agreements.get(tx, each) for each in agreements.customers(tx)})
        occasions = [
            Due(customer, due_subject(customer, every, mode, tx.now)) for customer, every in intervals.items()
        ]
        found = [(each, cases.find(tx, kind, each.customer, each.subject)) for each in occasions]
    return [each for each, case in found if case is None or case.state == State.OPEN]


def through(process: Process, mode: str) -> PrefectState[Any]:
    """Work through all who are due, so many at once as the flow's task runner lets; the state of the run."""
    asked = due(installed_records(), process.kind, mode)
    futures = [_node(process, each, mode).submit() for each in asked]
    done: list[Worked] = [future.result() for future in futures]
    shown.publish_all(mode, done)
    return _state(done)


def _work(process: Process, each: Due, mode: str) -> Worked:
    given = {"mode": mode, "order": "", "dry_run": False, "subject": each.subject}
    return work_within(process, customer=each.customer, subject=each.subject, parameters=given)


def _nothing() -> None:
    """What the pattern of all nodes does."""


_PATTERN: Task[[], Any] = Task(
    _nothing, name="exchange", retries=0, cache_policy=NO_CACHE, persist_result=False
)


def _node(process: Process, each: Due, mode: str) -> Task[[], Worked]:
    node: Task[[], Worked] = copy.copy(_PATTERN)
    node.fn = lambda: _work(process, each, mode)
    node.name = node.task_run_name = each.customer
    return node


def _state(done: Sequence[Worked]) -> PrefectState[Any]:
    red = [each for each in done if each.is_red]
    if red:
        said = "; ".join(f"{each.key}: {each.said}" for each in red)
        return Failed(message=f"{len(red)} of {len(done)} exchanges need a look: {said}"[:2000])
    return Completed(message=f"{len(done)} exchanges.")
