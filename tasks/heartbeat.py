"""Keeps the lease of a case alive while its run works."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from nakoming.errors import NakomingError
from nakoming.records import cases
from nakoming.records.errors import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nakoming.records.cases import Lease
    from nakoming.records.store import Records


@contextmanager
def heartbeat(records: Records, lease: Lease) -> Iterator[None]:
    """Extend the lease every few seconds, until the block ends.

    A lease that was lost is not fought for: the next write of the run is refused, and that ends it.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(cases.HEARTBEAT.total_seconds()):
            try:
                with records.write() as tx:
                    cases.heartbeat(tx, lease)
            except LeaseLost:
                return
            except (SQLAlchemyError, NakomingError):
                continue  # the database is away or locked: the next beat tries again

    thread = threading.Thread(target=beat, name="case-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
