"""Things that two cases must not use at once, such as an environment on which something is installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from nakoming.records import resource_leases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from tasks.steps import Work

PRODUCTION = "production"


def environment(customer: str, name: str) -> str:
    """The name under which an environment is leased."""
    return f"environment/{customer}/{name}"


@contextmanager
def leased(work: Work, resource: str, *, lease: timedelta) -> Iterator[None]:
    """Hold a shared thing for an effect; `lease` bounds it when this process dies.

    Raises:
        ResourceBusy: another case uses it; the case waits and tries again.
    """
    owner = work.lease.owner
    with work.records.write() as tx:
        held = resource_leases.take(tx, resource, owner, lease=lease, case_id=work.lease.case_id)
    try:
        yield
    finally:
        with work.records.write() as tx:
            resource_leases.release(tx, held)
