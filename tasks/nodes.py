"""Shows what a case does as nodes of Prefect's run graph: one task per step that is made in this run."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


def show(name: str, work: Callable[[], R]) -> R:
    """Do `work` as a node called `name`; outside a flow run just do it.

    Prefect's retries and caches are off: the ledger decides what is done again.
    """
    if FlowRunContext.get() is None:
        return work()
    node: Task[[], R] = Task(work, name=name, task_run_name=name, retries=0, cache_policy=NO_CACHE)
    return node()
