"""How the exchange with a customer's ERP stands: from the records, and from the Suite's database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from blocks.secrets import redacted
from nakoming.errors import NakomingError
from nakoming.records import agreements, connections, duties, ended_cases
from nakoming.records.engine import writing
from tasks.erp import settled
from tasks.erp.bookkeeping import marks, outgoing, prepare, quarantine, suite_outbox
from tasks.erp.checking import WAITING
from tasks.erp.connections import suite_engine
from tasks.erp.exchange import ends_of
from tasks.erp.occasion import COMPARE
from tasks.erp.schedules import duty_of
from tasks.erp.timetable import INCREMENTAL
from tasks.erp.write_back import DEAD, SENT, TAKEN

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Select

    from blocks.erp.outcomes import Guarantee
    from nakoming.records.connections import Standing
    from nakoming.records.ended_cases import Ended
    from nakoming.records.store import Records, Tx

KIND = "erp_sync"
AT_LEAST_ONCE: Guarantee = "at-least-once with detection"


@dataclass(frozen=True, kw_only=True)
class Waits:
    """What stands in the Suite's database: rows that wait, and when each interface was loaded last.

    `at_least_once` counts what was written at an ERP that holds no keys.
    """

    quarantined: int
    dead_letters: int
    outbox: int
    at_least_once: int = 0
    loaded_at: dict[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ExchangeStanding:
    """How it stands. `waits` is None when the Suite's database could not be read: `trouble` says why.

    Attributes:
        customer: whose.
        interval_minutes: how often transactions are exchanged.
        exchanged: the exchange that ended last.
        compared: the comparison that ended last.
        connections: the ERP's database and inbox, as the records know them, by the names of their blocks.
        paused: the duties whose schedule an operator paused, and since when.
        waits: what waits there.
        trouble: why that is not known.
        now: the instant of all this.
    """

    customer: str
    interval_minutes: int
    exchanged: Ended | None
    compared: Ended | None
    connections: dict[str, Standing]
    paused: dict[str, datetime]
    waits: Waits | None
    trouble: str | None
    now: datetime

    @property
    def fails(self) -> dict[str, Standing]:
        """The connections that fail."""
        return {name: each for name, each in self.connections.items() if each.failures}

    @property
    def needs_a_look(self) -> bool:
        """Whether an operator has something to do."""
        waits = self.waits
        if waits is None or self.paused or self.fails:
            return True
        return bool(waits.quarantined or waits.dead_letters)


def customers_with_erp(tx: Tx) -> list[str]:
    """The customers whose agreement names an ERP."""
    return [each for each in agreements.customers(tx) if agreements.get(tx, each).erp.is_exchanged]


def standing(records: Records, customer: str) -> ExchangeStanding:
    """How the exchange with a customer stands now.

    Raises:
        UnknownAgreement: there is no such customer.
        NoErp: it has no ERP.
    """
    waits, trouble = _waits(records, customer, _suite(records, customer))
    with records.read() as tx:
        erp = agreements.get(tx, customer).erp
        since = {mode: duties.paused_since(tx, customer, duty_of(mode)) for mode in (INCREMENTAL, COMPARE)}
        return ExchangeStanding(
            customer=customer,
            interval_minutes=erp.sync_interval_minutes,
            exchanged=ended_cases.newest(tx, KIND, customer, without=COMPARE),
            compared=ended_cases.newest(tx, KIND, customer, prefix=COMPARE),
            connections={
                name: connections.standing(tx, customer, name)
                for name in (erp.connection, erp.inbox)
                if name is not None
            },
            paused={duty_of(mode): at for mode, at in since.items() if at is not None},
            waits=waits,
            trouble=trouble,
            now=tx.now,
        )


def suite_of(records: Records, customer: str) -> Engine:
    """An engine on the Suite's database of a customer.

    Raises:
        UnknownAgreement: there is no such customer.
        NoErp: it has no ERP.
        BlockMissing: the block that its agreement names is not there.
    """
    return suite_engine(_suite(records, customer))


def _suite(records: Records, customer: str) -> str:
    with records.read() as tx:
        return ends_of(tx, customer, agreements.newest_version(tx, customer)).suite


def _waits(records: Records, customer: str, suite: str) -> tuple[Waits | None, str | None]:
    """What waits in the Suite's database; else why that is not known: one must not hide the others."""
    try:
        engine = suite_engine(suite)
        settled.prove(records, engine, customer)
        with engine.connect() as connection, writing(connection).begin():
            prepare(connection)
            return _counted(connection), None
    except SQLAlchemyError as failed:
        said = redacted(str(getattr(failed, "orig", None) or failed)).strip().splitlines()
        return None, f"the Suite's database cannot be read: {said[0] if said else type(failed).__name__}"
    except NakomingError as failed:
        return None, str(failed)


def _counted(connection: Connection) -> Waits:
    def count(query: Select[tuple[int]]) -> int:
        return connection.execute(query).scalar_one()

    number = func.count()
    o = outgoing.c
    taken = select(number).where(o.state.in_((TAKEN, SENT)))
    loaded = connection.execute(select(marks.c.interface, marks.c.loaded_at))
    return Waits(
        quarantined=count(select(number).where(quarantine.c.state == WAITING)),
        dead_letters=count(select(number).where(o.state == DEAD)),
        outbox=count(taken) + count(select(number).select_from(suite_outbox)),
        at_least_once=count(select(number).where(o.guarantee == AT_LEAST_ONCE)),
        loaded_at={row.interface: row.loaded_at for row in loaded},
    )
