"""Hours and materials that somebody changed at the ERP: there the Suite wins, and its rows are written again.

What the ERP had acknowledged is read back. What differs is first recorded as overruled, then written under a
key of its own, then read back once more: only what still differs is left to a person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from blocks.erp.protocol import Different, Found, Missing, OutEffect, Refused
from nakoming.records.engine import writing
from tasks.erp.bookkeeping import outgoing, overrulings, prepare
from tasks.erp.interfaces import PRODUCTS
from tasks.erp.write_back import ACKNOWLEDGED, effect_of, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine, Row

    from blocks.erp.protocol import ErpSession
    from tasks.erp.interfaces import Contracts

SUITES_OWN = ("hours_out", "materials_out")
"""Where the Suite wins; of everything else the ERP is the master."""
PERIOD = timedelta(days=35)
"""How far back is looked: the month that is still being invoiced, and a few days."""
MOST = 10_000
"""So many rows are read back at most, the newest ones."""
SUITE = "suite"
GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What was read back. `unmended`: what stays different, in the ERP's words.

    `not_read` counts acknowledged rows that were left out: older than `PERIOD`, or beyond the newest `MOST`.
    Their keys, counts and sums are compared all the same (`tasks.erp.outward`).
    """

    read_back: int = 0
    not_read: int = 0
    overruled: int = 0
    mended: int = 0
    unmended: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Odd:
    """A row that does not stand there as it was written: `details` are column -> [theirs, ours]."""

    row: Row[Any]
    is_gone: bool
    details: dict[str, list[str]]


def mend(
    session: ErpSession,
    engine: Engine,
    customer: str,
    at: datetime,
    *,
    most: int = MOST,
    own: Contracts = PRODUCTS,
) -> Mended:
    """Read back, overrule, write again; `own` are the texts of the customer's own contracts.

    Raises:
        ErpError: the connection failed; what was recorded is written by the next comparison.
    """
    rows, not_read = _acknowledged(engine, SUITES_OWN, at - PERIOD, most)
    odd = _odd(session, rows, customer, own)
    if not odd:
        return Mended(read_back=len(rows), not_read=not_read)
    attempts = _record(engine, odd, at)
    effects = [_again(each, customer, attempts[each.row.id], own) for each in odd]
    answers = session.apply(effects)
    unmended = []
    found = session.read_back([effect_of(each.row, customer, own=own) for each in odd])
    for each, answer, seen in zip(odd, answers, found, strict=True):
        if not isinstance(seen, Found):
            unmended.append(_said(each, answer, seen))
    return Mended(
        read_back=len(rows),
        not_read=not_read,
        overruled=len(odd),
        mended=len(odd) - len(unmended),
        unmended=tuple(unmended),
    )


def changed_there(
    session: ErpSession,
    engine: Engine,
    customer: str,
    interface: str,
    at: datetime,
    *,
    most: int = MOST,
    own: Contracts = PRODUCTS,
) -> tuple[str, ...]:
    """Rows that somebody changed at the ERP where the Suite does not write again; nothing is changed.

    Raises:
        ErpError: the connection failed.
    """
    rows, _ = _acknowledged(engine, (interface,), at - PERIOD, most)
    odd = _odd(session, rows, customer, own)
    return tuple(f"{each.row.order_number} ({each.row.id})" for each in odd if not each.is_gone)


def _acknowledged(
    engine: Engine, interfaces: Sequence[str], since: datetime, most: int
) -> tuple[Sequence[Row[Any]], int]:
    """The newest that the ERP acknowledged in the period, in its order; how much else there is."""
    o = outgoing.c
    every = (o.state == ACKNOWLEDGED, o.interface.in_(interfaces))
    query = (
        select(outgoing)
        .where(*every, o.acknowledged_at >= since)
        .order_by(o.acknowledged_at.desc(), o.id.desc())
        .limit(most)
    )
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        rows = connection.execute(query).all()
        count = connection.execute(select(func.count()).select_from(outgoing).where(*every)).scalar_one()
        return sorted(rows, key=lambda row: row.id), count - len(rows)


def _odd(session: ErpSession, rows: Sequence[Row[Any]], customer: str, own: Contracts) -> list[_Odd]:
    found = []
    # All in one call: of two rows about the same thing only the later one must stand there.
    answers = session.read_back([effect_of(row, customer, own=own) for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        if isinstance(answer, Missing):
            found.append(_Odd(row, is_gone=True, details={"row": [GONE, "there"]}))
        elif isinstance(answer, Different):
            details = {name: [str(theirs), str(ours)] for name, (ours, theirs) in answer.differences.items()}
            found.append(_Odd(row, is_gone=False, details=details))
    return found


def _record(engine: Engine, odd: Sequence[_Odd], at: datetime) -> dict[int, int]:
    """Record what is overruled; the number of the attempt for each row, which no other attempt has."""
    o = outgoing.c
    numbers = {}
    with engine.connect() as connection, writing(connection).begin():
        for each in odd:
            raised = update(outgoing).where(o.id == each.row.id).values(attempts=o.attempts + 1)
            numbers[each.row.id] = connection.execute(raised.returning(o.attempts)).scalar_one()
        connection.execute(insert(overrulings), [_overruled(each, at) for each in odd])
    return numbers


def _overruled(each: _Odd, at: datetime) -> dict[str, Any]:
    return {
        "interface": each.row.interface,
        "key": f"{each.row.order_number}/{each.row.id}",
        "winner": SUITE,
        "details": json.dumps(each.details),
        "overruled_at": at,
    }


def _again(each: _Odd, customer: str, number: int, own: Contracts) -> OutEffect:
    if not each.is_gone:
        return effect_of(each.row, customer, again=number, own=own)
    first = effect_of(each.row, customer, own=own)
    if first.key_column is not None:
        return first  # the row took its key along: as the first time
    return replace(first, key=key_of(customer, each.row.id, number))


def _said(each: _Odd, answer: object, seen: object) -> str:
    what = f"{each.row.interface} {each.row.order_number} ({each.row.id})"
    if isinstance(answer, Refused):
        return f"{what}: {answer.message}"
    return f"{what}: it is not there" if isinstance(seen, Missing) else f"{what}: it still differs"
