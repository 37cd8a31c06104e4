"""One pass over the customers of a night: each a case, a few at once, none in another's way."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nakoming.records import schema
from nakoming.records.case_model import State
from tasks.backup import one_customer
from tasks.backup.connections import loaded_once
from tasks.nodes import show, without_nodes
from tasks.process import Worked, work_within

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from nakoming.records.store import Records

# Each works with two of the records' pool of eight connections: its own, and its heartbeat's.
AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a customer's backup of a night stands.

    Attributes:
        customer: whose.
        said: its outcome, or why there is none.
        is_closed: whether nothing is left to do for it.
        is_red: whether an operator should look.
    """

    customer: str
    said: str
    is_closed: bool
    is_red: bool


def closed(records: Records, on: date) -> dict[str, Made]:
    """The backups of a night that are over, by customer."""
    c = schema.cases.c
    query = select(c.customer, c.outcome).where(
        c.kind == one_customer.KIND, c.subject == str(on), c.state == State.CLOSED
    )
    with records.read() as tx:
        rows = tx.connection.execute(query).all()
    return {
        row.customer: Made(
            customer=row.customer,
            said=row.outcome,
            is_closed=True,
            is_red=row.outcome != one_customer.VERIFIED,
        )
        for row in rows
    }


def once(records: Records, customers: Sequence[str], on: date, parent_id: str) -> list[Made]:
    """Work on all that are not over, in this order; how each of them stands afterwards."""
    over = closed(records, on)
    left = [each for each in customers if each not in over]
    with loaded_once(), ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="backup") as pool:
        # A copy of the context for each: the run's own, in which its node is shown.
        futures = [pool.submit(contextvars.copy_context().run, _node, each, on, parent_id) for each in left]
        worked = dict(zip(left, [future.result() for future in futures], strict=True))
    over = closed(records, on)
    return [over.get(each) or _not_over(each, worked[each]) for each in customers]


def _not_over(customer: str, worked: Worked) -> Made:
    return Made(customer=customer, said=worked.said, is_closed=False, is_red=True)


def _node(customer: str, on: date, parent_id: str) -> Worked:
    return show(customer, lambda: _work(customer, on, parent_id))


def _work(customer: str, on: date, parent_id: str) -> Worked:
    given: dict[str, Any] = {"night": str(on)}
    process = one_customer.PROCESS
    try:
        with without_nodes():
            return work_within(
                process, customer=customer, subject=str(on), parameters=given, parent_id=parent_id
            )
    except Exception as raised:  # noqa: BLE001 - whatever it was: the others go on, this one is tried again
        key = f"{process.kind}/{customer}/{on}"
        return Worked(key, f"failed: {type(raised).__name__}: {raised}", is_red=True)
