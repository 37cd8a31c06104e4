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
from tasks.erp.overview_words import HELD_BACK, IN, OUT, SUMMED, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

    from nakoming.agreement.people import Language
    from tasks.erp.overview_ledger import Group

_FETCHED_AT_ONCE: Final = 2000
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
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
        carried = _carried(row.payload)
        quantity, minutes = (_number(row.interface, name, carried) for name in SUMMED)
        counted = self.written[OUT, row.interface, row.state]
        counted.rows += 1
        if row.state in WRITTEN:
            counted.sums["quantity"] += quantity or 0
            counted.sums["minutes"] += minutes or 0
        settled = row.acknowledged_at
        return (
            self._words[OUT],
            row.id,
            row.interface,
            row.order_number,
            row.order_number,
            self._words[row.state],
            quantity,
            None if minutes is None else int(minutes),
            _day(carried),
            row.created_at,
            row.sent_at,
            settled,
            None if row.guarantee is None else self._words[row.guarantee],
            row.payload if carried is None else _content(carried),
            row.message or row.settled_because,
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


def _number(name: str, summed: str, carried: dict[str, Any] | None) -> Decimal | None:
    """A number that is one; what breaks its contract stands in the content as it is."""
    wanted, place = PLACES[summed]
    value = carried.get(place) if carried is not None and name == wanted else None
    text = str(value)
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _day(carried: dict[str, Any] | None) -> date | None:
    text = str((carried or {}).get("worked_on"))
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _content(values: dict[str, Any]) -> str:
    return "; ".join(f"{name} {value}" for name, value in values.items())


def _in(start: datetime, end: datetime) -> Select[Any]:
    b, t = batches.c, transactions.c
    query = select(b.id, b.interface, b.loaded_at, b.run, t.key, t.change)
    query = query.join_from(batches, transactions, t.batch == b.id)
    return query.where(b.loaded_at >= start, b.loaded_at < end).order_by(b.id, t.key)


def _out(start: datetime, end: datetime) -> Select[Any]:
    o = outgoing.c
    return select(outgoing).where(o.created_at >= start, o.created_at < end).order_by(o.id)


def _back(start: datetime, end: datetime) -> Select[Any]:
    q = quarantine.c
    query = select(quarantine, batches.c.run).outerjoin_from(quarantine, batches, batches.c.id == q.batch)
    return query.where(q.quarantined_at >= start, q.quarantined_at < end).order_by(q.id)
