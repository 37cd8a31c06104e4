"""So many at once on a server, and no more, whichever worker they run on.

A place is a lease in the records; who waits for one on this machine waits here first, without asking the
database. Places are taken in one order by everybody, so nobody waits in a ring.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from nakoming.errors import NakomingError
from nakoming.records import resource_leases
from nakoming.records.errors import LeaseLost, ResourceBusy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nakoming.records.resource_leases import ResourceLease
    from nakoming.records.store import Records
    from tasks.steps import Work

PER_DATABASE_SERVER: Final = 2
PER_SITE: Final = 4
_LEASE: Final = timedelta(seconds=60)
_BEAT_SECONDS: Final = 15.0
_ASK_AGAIN_SECONDS: Final = 0.25
_here: dict[str, threading.BoundedSemaphore] = {}
_making = threading.Lock()


@contextmanager
def places(work: Work, wanted: Mapping[str, int], *, patience: timedelta) -> Iterator[None]:
    """Hold one place at each thing named; `wanted` says how many places each has.

    Raises:
        ResourceBusy: all places of one were taken for longer than `patience`.
    """
    until = time.monotonic() + patience.total_seconds()
    with ExitStack() as stack:
        held: list[ResourceLease] = []
        for name in sorted(wanted):
            stack.enter_context(_place_here(name, wanted[name], until))
            held.append(_place(work, name, wanted[name], until))
            stack.callback(_let_go, work.records, held[-1])
        with _kept(work.records, held):
            yield


@contextmanager
def _place_here(name: str, count: int, until: float) -> Iterator[None]:
    with _making:
        mine = _here.setdefault(f"{name}/{count}", threading.BoundedSemaphore(count))
    # Whoever gets none here learns from the lease below who has them.
    taken = mine.acquire(timeout=max(0.0, until - time.monotonic()))
    try:
        yield
    finally:
        if taken:
            mine.release()


def _place(work: Work, name: str, count: int, until: float) -> ResourceLease:
    while True:
        for number in range(1, count + 1):
            with suppress(ResourceBusy), work.records.write() as tx:
                case_id = work.lease.case_id
                return resource_leases.take(
                    tx, f"{name}/{number}", work.lease.owner, lease=_LEASE, case_id=case_id
                )
        if time.monotonic() > until:
            with work.records.write() as tx:
                return resource_leases.take(
                    tx, f"{name}/1", work.lease.owner, lease=_LEASE, case_id=work.lease.case_id
                )
        time.sleep(_ASK_AGAIN_SECONDS)


@contextmanager
def _kept(records: Records, held: list[ResourceLease]) -> Iterator[None]:
    """Extend the leases while the block runs."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_BEAT_SECONDS):
            with suppress(LeaseLost, NakomingError, SQLAlchemyError), records.write() as tx:
                for each in held:
                    resource_leases.extend(tx, each, lease=_LEASE)

    thread = threading.Thread(target=beat, name="backup-places", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _let_go(records: Records, held: ResourceLease) -> None:
    with records.write() as tx:
        resource_leases.release(tx, held)
