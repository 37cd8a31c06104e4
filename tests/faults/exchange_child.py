"""One process of the exchange, until everything is in and out, or until it is killed.

It remembers nothing: a new one goes on from what stands in the databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

from blocks.erp.database import ErpDatabase
from blocks.suite_database import SuiteDatabase
from tasks.erp import fetching
from tasks.erp import write_back as back
from tasks.erp.interfaces import INBOUND, interface
from tests.faults import broken_exchange

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
CUSTOMER = "brouwer"
BEGUN, COMMITTED, ENDED = b"begun", b"committed", b"ended"


@dataclass(frozen=True)
class Order:
    """What the process is to do.

    Attributes:
        erp: the address of the one database.
        suite: that of the other.
        batch_rows: so many rows, about, in one transaction in.
        chunk: so many rows out at a time.
        damage: how it is to be broken, one of `broken_exchange.DAMAGES`; None: not at all.
    """

    erp: dict[str, Any]
    suite: dict[str, Any]
    batch_rows: int
    chunk: int
    damage: str | None = None


def run(order: Order, pipe: Connection) -> None:
    """Exchange in both directions until there is nothing more; tell each commit that brought it further."""
    if order.damage is not None:
        broken_exchange.DAMAGES[order.damage]()
    for module, name in ((fetching, "_merged"), (back, "take"), (back, "_note"), (back, "_acknowledge")):
        setattr(module, name, _told(getattr(module, name), pipe))
    engine = SuiteDatabase(**order.suite).engine()
    asked = fetching.Asked(customer=CUSTOMER, run="erp_sync/brouwer/killed", batch_rows=order.batch_rows)
    pipe.send_bytes(BEGUN)
    with ErpDatabase(**order.erp).connect() as session:
        for name in INBOUND:
            fetching.fetch(session, engine, interface(name), asked, lambda: AT)
            back.write_back(session, engine, CUSTOMER, lambda: AT, chunk=order.chunk)
    pipe.send_bytes(ENDED)


def _told(work: Callable[..., Any], pipe: Connection) -> Callable[..., Any]:
    @wraps(work)
    def told(*given: Any, **named: Any) -> Any:
        done = work(*given, **named)
        pipe.send_bytes(COMMITTED)  # its transaction has committed when it returns
        return done

    return told
