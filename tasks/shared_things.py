"""Things that two cases must not use at once, such as an environment on which something is installed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nakoming.records import resource_leases
from nakoming.records.errors import ResourceBusy
from nakoming.records.owners import this_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from nakoming.records.store import Records
    from tasks.steps import Work

PRODUCTION = "production"
_ASK_AGAIN_SECONDS = 0.25


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


@contextmanager
def held(records: Records, resource: str, *, lease: timedelta, patience: float) -> Iterator[None]:
    """Hold a shared thing for a command, outside any case; waits `patience` seconds for whoever has it.

    Raises:
        ResourceBusy: it is in use for longer.
    """
    until = time.monotonic() + patience
    while True:
        try:
            with records.write() as tx:
                taken = resource_leases.take(tx, resource, this_process(), lease=lease)
            break
        except ResourceBusy:
            if time.monotonic() > until:
                raise
        time.sleep(_ASK_AGAIN_SECONDS)
    try:
        yield
    finally:
        with records.write() as tx:
            resource_leases.release(tx, taken)
