"""Shows what a case does as nodes of Prefect's run graph: one task per step that is made in this run."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


def _nothing() -> None:
    """What the pattern of all nodes does."""


_PATTERN: Task[[], Any] = Task(
    _nothing, name="step", task_run_name="step", retries=0, cache_policy=NO_CACHE, persist_result=False
)


def show(name: str, work: Callable[[], R]) -> R:
    """Do `work` as a node called `name`; outside a flow run just do it.

    Prefect's retries and caches are off: the ledger decides what is done again.
    """
    if FlowRunContext.get() is None:
        return work()
    # Making a task inspects its function each time; a copy does not.
    node: Task[[], R] = copy.copy(_PATTERN)
    node.fn, node.name, node.task_run_name = work, name, name
    return node()
