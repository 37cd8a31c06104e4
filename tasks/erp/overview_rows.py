"""The rows of an overview, from the ledger in constant memory, and what they count and add up to."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from tasks.erp.bookkeeping import batches, outgoing, quarantine, transactions
from tasks.erp.interfaces import INBOUND, interface
from tasks.erp.overview_ledger import PLACES, WRITTEN, Figures
from tasks.erp.overview_words import DETECTED, HELD_BACK, IN, OUT, SUMMED, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

    from nakoming.agreement.people import Language
    from tasks.erp.overview_ledger import Group

_FETCHED_AT_ONCE: Final = 2000
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_ISO: Final = len("2026-11-23")
(_MATERIALS, _QUANTITY), (_HOURS, _MINUTES) = PLACES["quantity"], PLACES["minutes"]
_PLAIN: Final = json.JSONDecoder(parse_float=Decimal).decode


class OverviewRows:
    """Makes the rows of each direction, and counts them as they go into the workbook."""

    def __init__(self, connection: Connection, start: datetime, end: datetime, language: Language) -> None:
        self._connection = connection
        self._between = (start, end)
        self._language = language
        self._words = WORDS[language]
        self._parts = {name: len(interface(name).contract.key) for name in INBOUND}
        self.written: dict[Group, Figures] = defaultdict(Figures)
        self.at_least_once = 0

    def of(self, direction: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a direction, oldest first; each has a value for each column of the contract."""
        query, made = {
            IN: (_in, self._incoming),
            OUT: (_out, self._outgoing),
            HELD_BACK: (_back, self._held),
        }[direction]
        options = {"stream_results": True, "max_row_buffer": _FETCHED_AT_ONCE}
        found = self._connection.execution_options(**options).execute(query(*self._between))
        for row in found.yield_per(_FETCHED_AT_ONCE):
            yield made(row)

    def totals(self) -> Iterator[tuple[Any, ...]]:
        """What was written so far, a row for each direction, interface and state."""
        for (direction, name, state), each in sorted(self.written.items()):
            sums = [each.sums[summed] or None for summed in SUMMED]
            yield (self._words[direction], name, self._words[state], each.rows, *sums)

    def _incoming(self, row: Row[Any]) -> tuple[Any, ...]:
        self.written[IN, row.interface, row.change].rows += 1
        order = row.key.rsplit("/", self._parts[row.interface] - 1)[0]
        told = (self._words[IN], row.id, row.interface, order, row.key, self._words[row.change])
        return (*told, None, None, None, row.loaded_at, None, None, None, None, None, row.run)

    def _outgoing(self, row: Row[Any]) -> tuple[Any, ...]:
        # Taken apart at once: looking each up by its name takes longer than all the rest.
        number, name, order, payload, state, created_at, sent_at, settled_at, guarantee, said, because = row
        carried = _carried(payload)
        quantity = minutes = worked_on = None
        if carried is not None:
            if name == _HOURS:
                minutes, worked_on = _whole(carried.get(_MINUTES)), _day(carried.get("worked_on"))
            elif name == _MATERIALS:
                quantity = _number(carried.get(_QUANTITY))
        counted = self.written[OUT, name, state]
        counted.rows += 1
        if state in WRITTEN:
            if minutes:
                counted.sums["minutes"] += minutes
            if quantity:
                counted.sums["quantity"] += quantity
            if guarantee == DETECTED:
                self.at_least_once += 1
        words = self._words
        return (
            words[OUT],
            number,
            name,
            order,
            order,
            words[state],
            quantity,
            minutes,
            worked_on,
            created_at,
            sent_at,
            settled_at,
            None if guarantee is None else words[guarantee],
            payload if carried is None else _content(carried),
            said or because,
            None,
        )

    def _held(self, row: Row[Any]) -> tuple[Any, ...]:
        self.written[HELD_BACK, row.interface, row.state].rows += 1
        order = row.key.rsplit("/", self._parts.get(row.interface, 1) - 1)[0]
        return (
            self._words[HELD_BACK],
            row.id,
            row.interface,
            order,
            row.key or "–",
            self._words[row.state],
            None,
            None,
            None,
            row.quarantined_at,
            None,
            row.settled_at,
            None,
            _content({name: value for name, value in json.loads(row.row).items() if value is not None}),
            " ".join(json.loads(row.reasons)[self._language]),
            row.run,
        )


def _carried(payload: str) -> dict[str, Any] | None:
    """What a row of the outbox carries; None where that is no JSON: such a row is a dead letter."""
    try:
        found = _PLAIN(payload)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _number(value: Any) -> Decimal | None:
    """A number that is one; what breaks its contract stands in the content as it is."""
    text = str(value)
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _whole(value: Any) -> int | None:
    if type(value) is int:
        return value if value >= 0 else None
    number = _number(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == _ISO else None
    except ValueError:
        return None


def _content(values: dict[str, Any]) -> str:
    return "; ".join([f"{name} {value}" for name, value in values.items()])


def _in(start: datetime, end: datetime) -> Select[Any]:
    b, t = batches.c, transactions.c
    query = select(b.id, b.interface, b.loaded_at, b.run, t.key, t.change)
    query = query.join_from(batches, transactions, t.batch == b.id)
    return query.where(b.loaded_at >= start, b.loaded_at < end).order_by(b.id, t.key)


def _out(start: datetime, end: datetime) -> Select[Any]:
    o = outgoing.c
    carried = (o.id, o.interface, o.order_number, o.payload, o.state)
    became = (o.created_at, o.sent_at, o.acknowledged_at, o.guarantee, o.message, o.settled_because)
    return select(*carried, *became).where(o.created_at >= start, o.created_at < end).order_by(o.id)


def _back(start: datetime, end: datetime) -> Select[Any]:
    q = quarantine.c
    query = select(quarantine, batches.c.run).outerjoin_from(quarantine, batches, batches.c.id == q.batch)
    return query.where(q.quarantined_at >= start, q.quarantined_at < end).order_by(q.id)
