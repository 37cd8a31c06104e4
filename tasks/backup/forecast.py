"""Whether a night's backups will be done before its window closes, reckoned from how long they took."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOOK_BACK = timedelta(days=14)


def in_order(customers: Sequence[str], took: Mapping[str, timedelta]) -> list[str]:
    """Whose backup comes first: one never made, then the longest, so that no long one is left to the end."""
    return sorted(customers, key=lambda each: (each in took, -took.get(each, timedelta(0)), each))


def length(customers: Sequence[str], took: Mapping[str, timedelta], at_once: int) -> timedelta:
    """How long a night takes with so many at once; one without a duration counts as the others do."""
    known = [took[each] for each in customers if each in took]
    if not known:
        return timedelta(0)
    mean = sum(known, timedelta(0)) / len(known)
    ends = [timedelta(0)] * at_once
    for customer in in_order(customers, took):
        first = min(range(at_once), key=ends.__getitem__)
        ends[first] += took.get(customer, mean)
    return max(ends)
