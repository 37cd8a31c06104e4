"""Shows what a case does as nodes of Prefect's run graph: one task per step that is made in this run."""

from __future__ import annotations

import copy
import logging
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import Task
from prefect._internal.result_records import ResultRecord, ResultRecordMetadata
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.serializers import PickleSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

R = TypeVar("R")
_WITHOUT: ContextVar[bool] = ContextVar("without_nodes", default=False)
_ENDED_WELL: ContextVar[bool] = ContextVar("ended_well", default=False)


def _nothing() -> None:
    """What the pattern of all nodes does."""


_PATTERN: Task[[], Any] = Task(
    _nothing, name="step", task_run_name="step", retries=0, cache_policy=NO_CACHE, persist_result=False
)


def show(name: str, work: Callable[[], R]) -> R:
    """Do `work` as a node called `name`; outside a flow run just do it.

    Prefect's retries, caches and results are off: the ledger decides what is done again, and remembers.
    """
    if FlowRunContext.get() is None or _WITHOUT.get():
        return work()
    _hush()
    made: list[R] = []

    def noted() -> ResultRecord[None]:
        made.append(work())
        _ENDED_WELL.set(True)
        return _NOT_KEPT

    # Making a task inspects its function each time; a copy does not.
    node: Task[[], object] = copy.copy(_PATTERN)
    node.fn, node.name, node.task_run_name = noted, name, name
    before = _ENDED_WELL.set(False)
    try:
        node()
    finally:
        _ENDED_WELL.reset(before)
    return made[0]


@contextmanager
def without_nodes() -> Iterator[None]:
    """Do what is within as a part of the node it is in: of many, nodes cost more than the work."""
    before = _WITHOUT.set(True)
    try:
        yield
    finally:
        _WITHOUT.reset(before)


# Prefect makes one for each value that a task returns, and looks up where it would be stored.
_NOT_KEPT: ResultRecord[None] = ResultRecord(
    result=None, metadata=ResultRecordMetadata(serializer=PickleSerializer(), storage_key="not kept")
)


@cache
def _hush() -> None:
    """A node's end is seen in the run graph: a line for each would be a row in Prefect's database too."""
    logging.getLogger("prefect.task_runs").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not (_ENDED_WELL.get() and record.getMessage().startswith("Finished in state Completed"))
