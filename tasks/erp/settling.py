"""What waits for an operator in the exchange: bad and refused rows are replayed, or dropped with a reason.

A settling is one transaction of the Suite's database: the row's way through staging, contract and upsert, its
new state, and the note of who did it. Evidence in the records follows (`tasks.erp.settled`): a crash before
the commit leaves the row waiting as it was, a crash after it is made up for by the next command.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from blocks.erp.protocol import Rows
from nakoming.records.engine import writing
from tasks import shared_things
from tasks.erp import loading, settled, staging
from tasks.erp.bookkeeping import batches, outgoing, prepare, quarantine
from tasks.erp.checking import WAITING
from tasks.erp.errors import OtherRunLoads, RepairRefused, UnknownEntry
from tasks.erp.interfaces import interface
from tasks.erp.write_back import DEAD, DROPPED, TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row, Table

    from nakoming.records.store import Records
    from tasks.erp.interfaces import Contracts, Interface

REPLAYED = "replayed"
ROW, LETTER = "Quarantined row", "Dead letter"
_TRIES = 5
PATIENCE_SECONDS = 30.0  # an exchange holds the Suite for seconds
_LEASE = timedelta(minutes=5)


@dataclass(frozen=True)
class Desk:
    """Where an operator settles: the records, the Suite's database of a customer, and who it is.

    `own` are the texts of the customer's own contracts, by interface, as they are now.
    """

    records: Records
    engine: Engine
    customer: str
    by: str
    own: Contracts = field(default_factory=dict)

    def now(self) -> datetime:
        """The present instant."""
        with self.records.read() as tx:
            return tx.now

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nothing is installed on production meanwhile: a rollback would undo what is settled here.

        Raises:
            ResourceBusy: something is being installed, or an exchange takes long.
        """
        production = shared_things.environment(self.customer, shared_things.PRODUCTION)
        with shared_things.held(self.records, production, lease=_LEASE, patience=PATIENCE_SECONDS):
            yield

    def prove(self) -> None:
        """Write the evidence that is owed."""
        settled.prove(self.records, self.engine, self.customer)


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of a row that was tried again; `reasons` (per language) are empty when it is loaded."""

    number: int
    interface: str
    key: str
    reasons: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_loaded(self) -> bool:
        """Whether the Suite has it now."""
        return not self.reasons


def waiting(engine: Engine) -> list[Row[Any]]:
    """The rows that wait in quarantine, oldest first, each with the `run` that brought it."""
    q = quarantine.c
    query = (
        select(quarantine, batches.c.run)
        .outerjoin_from(quarantine, batches, batches.c.id == q.batch)
        .where(q.state == WAITING)
        .order_by(q.id)
    )
    return _read(engine, query)


def dead_letters(engine: Engine) -> list[Row[Any]]:
    """What the ERP refused and nobody has settled, oldest first."""
    return _read(engine, select(outgoing).where(outgoing.c.state == DEAD).order_by(outgoing.c.id))


def _read(engine: Engine, query: Any) -> list[Row[Any]]:
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        return list(connection.execute(query))


def replay(desk: Desk, number: int, repairs: Mapping[str, str] | None = None) -> Replayed:
    """Load a row again, with what the operator repaired; one that is still bad stays with its new reasons.

    Raises:
        UnknownEntry: it does not wait (any more).
        RepairRefused: a column that the contract does not have.
        OtherRunLoads: the exchange kept loading meanwhile; nothing happened.
        ResourceBusy: something is being installed on production; nothing happened.
    """
    for left in reversed(range(_TRIES)):
        try:
            with desk.alone():
                done = _replayed(desk, number, repairs or {})
            break
        except OtherRunLoads:
            if not left:
                raise
    desk.prove()
    return done


def replay_case(desk: Desk, key: str) -> list[Replayed]:
    """Load again all rows that the batches of a case quarantined and that still wait."""
    numbers = [row.id for row in waiting(desk.engine) if row.run == key]
    done = []
    for number in numbers:
        try:
            done.append(replay(desk, number))
        except UnknownEntry:
            continue  # a newer version of the row came meanwhile
    return done


def drop(desk: Desk, number: int, reason: str) -> None:
    """Let a row go; `UnknownEntry` when it does not wait (any more)."""
    with desk.alone(), desk.engine.connect() as connection, writing(connection).begin():
        row = _waiting_row(connection, desk, number)
        at = desk.now()
        values = {"state": DROPPED, "settled_at": at, "settled_because": reason}
        gone = update(quarantine).where(quarantine.c.id == number, quarantine.c.state == WAITING)
        if connection.execute(gone.values(values)).rowcount != 1:
            raise _unknown(ROW, number, desk)
        _note_row(connection, desk, row, settled.DROPPED, at, reason_sha256=_digest(reason))
    desk.prove()


def replay_letter(desk: Desk, number: int) -> None:
    """Let the next exchange send a refused row again; `UnknownEntry` when it is none (any more)."""
    values = {"state": TAKEN, "attempts": 0, "message": None}
    _settle_letter(desk, number, values, settled.REPLAYED)


def drop_letter(desk: Desk, number: int, reason: str) -> None:
    """Let a refused row go, so that what waits behind it goes on; `UnknownEntry` when it is none."""
    values = {"state": DROPPED, "settled_because": reason}
    _settle_letter(desk, number, values, settled.DROPPED, reason_sha256=_digest(reason))


def _settle_letter(desk: Desk, number: int, values: dict[str, Any], act: str, **details: str) -> None:
    with desk.alone(), desk.engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        at = desk.now()
        ours = update(outgoing).where(outgoing.c.id == number, outgoing.c.state == DEAD).values(values)
        row = connection.execute(ours.returning(outgoing.c.interface, outgoing.c.payload)).one_or_none()
        if row is None:
            raise _unknown(LETTER, number, desk)
        settled.note(
            connection,
            kind=settled.DEAD_LETTER,
            number=number,
            interface=row.interface,
            act=act,
            by=desk.by,
            details={"row_sha256": _digest(row.payload), **details},
            run=None,
            at=at,
        )
    desk.prove()


def _replayed(desk: Desk, number: int, repairs: Mapping[str, str]) -> Replayed:
    with desk.engine.connect() as connection, writing(connection).begin():
        row = _waiting_row(connection, desk, number)
        table = interface(row.interface, desk.own)
        values = _repaired(table, json.loads(row.row), repairs)
        at = desk.now()
        with connection.begin_nested() as attempt:
            loaded = loading.load(
                connection, table, _batch(connection, desk, row, at), _fill(desk, row, values)
            )
            reasons = _new_reasons(connection, row) if loaded.quarantined else {}
            if reasons:
                attempt.rollback()  # with the batch: a row that is not loaded leaves none
        if reasons:
            _keep(connection, desk, row, values, reasons)
        else:
            done = update(quarantine).where(quarantine.c.id == number)
            connection.execute(done.values(state=REPLAYED, settled_at=at, settled_because=f"by {desk.by}"))
            _note_row(connection, desk, row, settled.REPLAYED, at, repaired=sorted(repairs))
    return Replayed(number=number, interface=row.interface, key=row.key, reasons=reasons)


def _batch(connection: Connection, desk: Desk, row: Row[Any], at: datetime) -> loading.Batch:
    return loading.Batch(
        customer=desk.customer,
        run=f"quarantine/{desk.customer}/{row.id}",
        at=at,
        seen_batches=loading.mark_of(connection, row.interface).batches,
        mark=None,
        types={},
    )


def _fill(desk: Desk, row: Row[Any], values: Mapping[str, str | None]) -> Any:
    """What stages the row, when the interface is locked: nobody can supersede it any more."""

    def fill(connection: Connection, table: Table) -> int:
        _waiting_row(connection, desk, row.id)
        return staging.fill(connection, table, [Rows([tuple(values.values())])])

    return fill


def _repaired(
    table: Interface, row: Mapping[str, str | None], repairs: Mapping[str, str]
) -> dict[str, str | None]:
    unknown = sorted(set(repairs) - set(table.column_names))
    if unknown:
        allowed = ", ".join(table.column_names)
        raise RepairRefused(column=unknown[0], interface=table.name, allowed=allowed)
    return {name: repairs.get(name, row.get(name)) for name in table.column_names}


def _new_reasons(connection: Connection, row: Row[Any]) -> dict[str, list[str]]:
    """Why it was quarantined again: the newest row of the interface, which this transaction has locked."""
    q = quarantine.c
    newest = select(q.reasons).where(q.interface == row.interface, q.id != row.id).order_by(q.id.desc())
    reasons: dict[str, list[str]] = json.loads(connection.execute(newest.limit(1)).scalar_one())
    return reasons


def _keep(
    connection: Connection,
    desk: Desk,
    row: Row[Any],
    values: Mapping[str, str | None],
    reasons: Mapping[str, Sequence[str]],
) -> None:
    q = quarantine.c
    kept = update(quarantine).where(q.id == row.id, q.state == WAITING)
    said = {"row": json.dumps(values), "reasons": json.dumps(reasons)}
    if connection.execute(kept.values(said)).rowcount != 1:
        raise _unknown(ROW, row.id, desk)


def _waiting_row(connection: Connection, desk: Desk, number: int) -> Row[Any]:
    prepare(connection)
    q = quarantine.c
    query = (
        select(quarantine, batches.c.run)
        .outerjoin_from(quarantine, batches, batches.c.id == q.batch)
        .where(q.id == number, q.state == WAITING)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown(ROW, number, desk)
    return row


def _note_row(
    connection: Connection, desk: Desk, row: Row[Any], act: str, at: datetime, **details: Any
) -> None:
    settled.note(
        connection,
        kind=settled.QUARANTINE,
        number=row.id,
        interface=row.interface,
        act=act,
        by=desk.by,
        details={"row_sha256": _digest(row.row), **details},
        run=row.run,
        at=at,
    )


def _unknown(kind: str, number: int, desk: Desk) -> UnknownEntry:
    return UnknownEntry(kind=kind, number=number, customer=desk.customer)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
