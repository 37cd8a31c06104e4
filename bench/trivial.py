"""A step that does nothing: what is left is what a step costs."""

from __future__ import annotations

from datetime import timedelta

from tasks.steps import Work, repeat, step


@step(doubt=repeat("it changes nothing"), timeout=timedelta(seconds=5))
def trivial(work: Work, *, number: int) -> int:
    """Give the number back."""
    del work
    return number
