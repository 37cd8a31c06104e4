"""A step and a task that do nothing: what is left is what they cost."""

from __future__ import annotations

from datetime import timedelta

from prefect import task

from tasks.steps import Work, repeat, step


@step(doubt=repeat("it changes nothing"), timeout=timedelta(seconds=5))
def trivial(work: Work, *, number: int) -> int:
    """Give the number back."""
    del work
    return number


@task
def plain(number: int) -> int:
    """Give the number back, as a task with Prefect's defaults."""
    return number
