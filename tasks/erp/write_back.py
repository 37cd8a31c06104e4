"""What the Suite has to tell the ERP: status, hours, materials, each once, in order per order (S-4.2.1).

Each row carries a key that the ERP keeps unique in the same transaction, so that sending it again is
harmless. It counts as acknowledged only after it was read back. What the ERP refuses is a dead letter with
the ERP's own words; later rows of that order wait behind it, and no other order does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import aliased

from blocks.erp.protocol import Applied, Found, OutEffect
from data_contracts.own import OUR_KEY
from nakoming.records.engine import writing
from tasks.erp import outbox_check
from tasks.erp.bookkeeping import outgoing, prepare, suite_outbox
from tasks.erp.fetching import columns_seen
from tasks.erp.interfaces import OUTBOUND, PRODUCTS, interface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine, Row

    from blocks.erp.protocol import ErpSession, Refused
    from tasks.erp.interfaces import Contracts

TAKEN, SENT, ACKNOWLEDGED, DEAD, DROPPED = "taken", "sent", "acknowledged", "dead", "dropped"
KEY_COLUMN = OUR_KEY
CHUNK = 500
MOST_ATTEMPTS = 5
_TYPES: dict[str, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "number": lambda value: Decimal(str(value)),
    "integer": int,
}


@dataclass(frozen=True, kw_only=True)
class WrittenBack:
    """What became of the Suite's outbox, in rows. `waiting` will be tried again by the next run."""

    acknowledged: int = 0
    dead: int = 0
    waiting: int = 0
    at_least_once: int = 0

    def __add__(self, other: WrittenBack) -> WrittenBack:
        """Both together; what waits is counted once."""
        return WrittenBack(
            acknowledged=self.acknowledged + other.acknowledged,
            dead=self.dead + other.dead,
            waiting=other.waiting,
            at_least_once=self.at_least_once + other.at_least_once,
        )


def write_back(
    session: ErpSession,
    engine: Engine,
    customer: str,
    now: Callable[[], datetime],
    *,
    order: str | None = None,
    chunk: int = CHUNK,
    own: Contracts = PRODUCTS,
) -> WrittenBack:
    """Send what waits, read it back, acknowledge it; `own` are the texts of the customer's own contracts.

    Raises:
        SchemaDrifted: a table at the ERP broke its contract; nothing was sent to any.
        ErpError: the connection failed; what was sent is found by its key the next time.
    """
    take(engine, now())
    total, after = WrittenBack(), -1
    looked: set[str] = set()
    while rows := _waiting(engine, order, after, chunk):
        after = rows[-1].id
        for name in {row.interface for row in rows} & set(OUTBOUND) - looked:
            columns_seen(session, interface(name, own))
            looked.add(name)
        total += _sent(_To(session, customer, own), engine, rows, now)
    return total


def take(engine: Engine, at: datetime) -> int:
    """Move what the Suite put into its outbox to the exchange's own table; how many rows."""
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        rows = connection.execute(select(suite_outbox).order_by(suite_outbox.c.id).with_for_update()).all()
        if not rows:
            return 0
        connection.execute(insert(outgoing), [_taken(row, at) for row in rows])
        last = rows[-1].id
        known = select(outgoing.c.id).where(outgoing.c.id == suite_outbox.c.id)
        connection.execute(delete(suite_outbox).where(suite_outbox.c.id <= last, known.exists()))
        return len(rows)


def _taken(row: Row[Any], at: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "interface": row.interface,
        "order_number": row.order_number,
        "payload": row.payload,
        "created_at": _instant(row.created_at, at),
        "state": TAKEN,
        "attempts": 0,
    }


def _instant(written: Any, at: datetime) -> datetime:
    try:
        stamped = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
    except ValueError:
        return at
    return stamped if stamped.tzinfo else stamped.replace(tzinfo=UTC)


def _waiting(engine: Engine, order: str | None, after: int, chunk: int) -> Sequence[Row[Any]]:
    """The next rows to send, oldest first; none of an order that has a dead letter before them."""
    before = aliased(outgoing)
    blocked = (
        select(before.c.id)
        .where(
            before.c.order_number == outgoing.c.order_number,
            before.c.state == DEAD,
            before.c.id < outgoing.c.id,
        )
        .exists()
    )
    o = outgoing.c
    query = select(outgoing).where(o.state.in_((TAKEN, SENT)), o.id > after, ~blocked)
    if order is not None:
        query = query.where(o.order_number == order)
    with engine.connect() as connection:
        return connection.execute(query.order_by(o.id).limit(chunk)).all()


def effect_of(row: Any, customer: str, *, again: int = 0, own: Contracts = PRODUCTS) -> OutEffect:
    """The effect of a row at the ERP; `again` counts deliberate rewrites, which have keys of their own.

    Where the contract's key is the column that takes our key, the row is found by it. An ERP without such a
    column has a natural key in its contract.
    """
    wanted = interface(row.interface, own)
    contract, key_column = wanted.contract, wanted.key_column
    columns = {column.name: column for column in contract.table.columns}
    payload = wanted.at_erp(json.loads(row.payload))
    values = {name: _typed(columns[name].logical_type, value) for name, value in payload.items()}
    key = key_of(customer, row.id)
    natural = {key_column: key} if key_column else {name: values.pop(name) for name in contract.key}
    return OutEffect(
        key=key_of(customer, row.id, again),
        table=contract.table.source_name,
        order_number=row.order_number,
        natural_key=natural,
        values=values,
        action="update" if again else "insert",
        key_column=None if again else key_column,
    )


def _typed(logical_type: str, value: Any) -> Any:
    """A value of the outbox as the ERP's driver takes it: JSON has neither dates nor decimals."""
    return value if value is None or logical_type not in _TYPES else _TYPES[logical_type](value)


def key_of(customer: str, number: int, again: int = 0) -> str:
    """The idempotency key of a row: the same in every attempt."""
    return hashlib.sha256(f"{customer}|{number}|{again}".encode()).hexdigest()[:40]


@dataclass(frozen=True)
class _To:
    """Where rows go, and by which contracts."""

    session: ErpSession
    customer: str
    own: Contracts


def _sent(to: _To, engine: Engine, rows: Sequence[Row[Any]], now: Callable[[], datetime]) -> WrittenBack:
    session = to.session
    rows, effects, dead = _readable(to, engine, rows)
    if not rows:
        return WrittenBack(dead=dead)
    answers = dict(zip((row.id for row in rows), session.apply(effects), strict=True))
    applied = {number: answer for number, answer in answers.items() if isinstance(answer, Applied)}
    _note(engine, now(), rows, answers)
    sent = [effect for row, effect in zip(rows, effects, strict=True) if row.id in applied]
    seen = dict(zip(applied, session.read_back(sent), strict=True))
    found = [number for number, answer in seen.items() if isinstance(answer, Found)]
    _acknowledge(engine, now(), found, {number: seen[number] for number in seen if number not in found})
    refused = sum(_is_dead(row, answers[row.id]) for row in rows)
    return WrittenBack(
        acknowledged=len(found),
        dead=dead + refused,
        waiting=len(rows) - len(found) - refused,
        at_least_once=sum(answer.guarantee != "exactly-once" for answer in applied.values()),
    )


def _readable(
    to: _To, engine: Engine, rows: Sequence[Row[Any]]
) -> tuple[list[Row[Any]], list[OutEffect], int]:
    """The rows that can be sent, with their effects; how many others are dead letters by now.

    What breaks its data contract is never sent, also when somebody replays it as it was.
    """
    effects: dict[int, OutEffect] = {}
    with engine.connect() as connection, writing(connection).begin():
        bad = outbox_check.refusals(connection, rows, to.own)
        for row in rows:
            if row.id not in bad:
                try:
                    effects[row.id] = effect_of(row, to.customer, own=to.own)
                except (LookupError, ValueError, ArithmeticError) as unreadable:
                    bad[row.id] = f"it cannot be written: {unreadable}"
        for number, reason in bad.items():
            dead = update(outgoing).where(outgoing.c.id == number).values(state=DEAD, message=reason)
            connection.execute(dead)
    # What follows of an order waits behind its dead letter.
    stopped = {row.order_number: row.id for row in reversed(rows) if row.id in bad}
    good = [row for row in rows if row.id < stopped.get(row.order_number, row.id + 1)]
    return good, [effects[row.id] for row in good], len(bad)


def _is_dead(row: Row[Any], answer: Applied | Refused) -> bool:
    if isinstance(answer, Applied) or answer.behind is not None:
        return False
    return not answer.again or row.attempts + 1 >= MOST_ATTEMPTS


def _note(
    engine: Engine, at: datetime, rows: Sequence[Row[Any]], answers: dict[int, Applied | Refused]
) -> None:
    with engine.connect() as connection, writing(connection).begin():
        for row in rows:
            values = _noted(row, answers[row.id], at)
            if values:
                connection.execute(update(outgoing).where(outgoing.c.id == row.id).values(values))


def _noted(row: Row[Any], answer: Applied | Refused, at: datetime) -> dict[str, Any]:
    if isinstance(answer, Applied):
        first = row.sent_at or at
        return {"state": SENT, "sent_at": first, "guarantee": answer.guarantee, "message": None}
    if answer.behind is not None:
        return {}  # it was not tried
    state = DEAD if _is_dead(row, answer) else row.state
    return {"state": state, "attempts": row.attempts + 1, "message": answer.message}


def _acknowledge(engine: Engine, at: datetime, found: list[int], odd: dict[int, Any]) -> None:
    with engine.connect() as connection, writing(connection).begin():
        if found:
            done = update(outgoing).where(outgoing.c.id.in_(found))
            connection.execute(done.values(state=ACKNOWLEDGED, acknowledged_at=at))
        for number, answer in odd.items():
            _not_as_written(connection, number, answer)


def _not_as_written(connection: Connection, number: int, answer: Any) -> None:
    """The ERP took it and shows something else: tried again, and a dead letter in the end."""
    differences = getattr(answer, "differences", None)
    said = "it is not there when it is read back"
    if differences:
        said = "read back differently: " + "; ".join(
            f"{name} is {there!r}, not {ours!r}" for name, (ours, there) in differences.items()
        )
    o = outgoing.c
    attempts = connection.execute(select(o.attempts).where(o.id == number)).scalar_one() + 1
    state = DEAD if attempts >= MOST_ATTEMPTS else SENT
    values = {"state": state, "attempts": attempts, "message": said}
    connection.execute(update(outgoing).where(o.id == number).values(values))


def dead_letters(connection: Connection) -> Iterator[Row[Any]]:
    """What the ERP refused and nobody has settled, oldest first."""
    yield from connection.execute(select(outgoing).where(outgoing.c.state == DEAD).order_by(outgoing.c.id))
