"""The steps of an exchange: each once in a case, and harmless when a crash repeats it (S-4.2.1)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from blocks.erp.errors import ErpError
from nakoming.records import agreements
from tasks import operators, shared_things
from tasks.erp import comparing, fetching, freshness, health, mending, outward, rehearsing, settled, told
from tasks.erp import write_back as writing_back
from tasks.erp.agreed import contracts_of, interface_of
from tasks.erp.connections import erp_session, suite_engine
from tasks.erp.errors import NoErp, OtherRunLoads, SchemaDrifted
from tasks.erp.exchange_messages import tell_dead_letters, tell_refused
from tasks.erp.interfaces import INBOUND, OUTBOUND, interface
from tasks.erp.rehearsing import REFUSALS
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Engine

    from blocks.erp.protocol import ErpSession
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

_HOUR = timedelta(hours=1)


class Link(BaseModel):
    """A customer's ERP and Suite, by the names of their blocks."""

    model_config = ConfigDict(frozen=True)

    erp: str
    suite: str


@dataclass(frozen=True, kw_only=True)
class Ends:
    """All that is connected for a customer: the Suite, and of the ERP its database, its inbox or both."""

    suite: str
    erp: str | None
    inbox: str | None

    @property
    def link(self) -> Link | None:
        """The two databases; None where the ERP gives files alone."""
        return None if self.erp is None else Link(erp=self.erp, suite=self.suite)


class Fetched(BaseModel):
    """What became of one interface. `refused`: nothing more was loaded, and why; `down`: nobody answered."""

    model_config = ConfigDict(frozen=True)

    interface: str
    counts: dict[str, int] = {}
    refused: str | None = None
    down: str | None = None


class SentBack(BaseModel):
    """What became of the Suite's outbox."""

    model_config = ConfigDict(frozen=True)

    counts: dict[str, int] = {}
    refused: str | None = None
    down: str | None = None


class SideBySide(BaseModel):
    """One table on both sides."""

    model_config = ConfigDict(frozen=True)

    interface: str
    equal: bool
    found: dict[str, Any] = {}
    refused: str | None = None
    down: str | None = None


class Registrations(BaseModel):
    """Hours and materials at the ERP, where the Suite wins; `unmended` is what still differs."""

    model_config = ConfigDict(frozen=True)

    read_back: int = 0
    not_read: int = 0
    overruled: int = 0
    mended: int = 0
    unmended: tuple[str, ...] = ()
    down: str | None = None


@step(
    doubt=repeat("a watermark is committed with its rows; a row that is there is left alone"), timeout=_HOUR
)
def fetch(work: Work, *, link: Link, table: str, full: bool, order: str | None) -> Fetched:
    """Bring one interface up to date."""
    asked = fetching.Asked(customer=work.customer, run=work.lease.key, full=full, order=order)
    try:
        with both_sides(work, link) as (session, engine):
            wanted = interface_of(work, table)
            loaded = fetching.fetch(session, engine, wanted, asked, _clock(work))
            stale = freshness.look(work, session, wanted) if order is None else {}
    except REFUSALS as refused:
        tell_refused(work, table, str(refused))
        return Fetched(interface=table, refused=str(refused))
    except OtherRunLoads as other:
        return Fetched(interface=table, refused=str(other))
    except ErpError as failed:
        return Fetched(interface=table, **_trouble(work, table, failed))
    return Fetched(interface=table, counts=asdict(loaded) | stale)


@step(doubt=repeat("nothing of it stays"), timeout=_HOUR)
def rehearse(work: Work, *, link: Link, full: bool, order: str | None) -> list[Fetched]:
    """What `fetch` would do with every interface."""
    asked = fetching.Asked(customer=work.customer, run=work.lease.key, full=full, order=order)
    try:
        with both_sides(work, link) as (session, engine):
            own = contracts_of(work)
            every = [interface(name, own) for name in INBOUND]
            found = rehearsing.rehearse(session, engine, every, asked, _clock(work)())
    except ErpError as failed:
        return [Fetched(interface=INBOUND[0], **_trouble(work, INBOUND[0], failed))]
    return [
        Fetched(interface=name, refused=said)
        if isinstance(said, str)
        else Fetched(interface=name, counts=asdict(said))
        for name, said in found.items()
    ]


@step(doubt=repeat("each row has a key that the ERP keeps unique"), timeout=_HOUR)
def send_back(work: Work, *, link: Link, order: str | None) -> SentBack:
    """Send what the Suite has put into its outbox."""
    try:
        with both_sides(work, link) as (session, engine):
            sent = writing_back.write_back(
                session, engine, work.customer, _clock(work), order=order, own=contracts_of(work)
            )
            if sent.dead:
                tell_dead_letters(work, engine)
            settled.prove(work.records, engine, work.customer)  # what a command owed when it was killed
    except SchemaDrifted as drifted:
        tell_refused(work, "outbox", str(drifted))
        return SentBack(refused=str(drifted))
    except ErpError as failed:
        return SentBack(**_trouble(work, "outbox", failed))
    return SentBack(counts=asdict(sent))


@step(doubt=repeat("what is removed already is left alone"), timeout=_HOUR)
def follow_removals(work: Work, *, link: Link, table: str) -> Fetched:
    """Remove from the Suite what the ERP no longer has, where that is found by comparing keys."""
    wanted = interface_of(work, table)
    if wanted.contract.deletions.by != "key_comparison":
        return Fetched(interface=table)
    asked = fetching.Asked(customer=work.customer, run=work.lease.key)
    try:
        with both_sides(work, link) as (session, engine):
            loaded = fetching.removed(session, engine, wanted, asked, _clock(work)())
    except REFUSALS as refused:
        tell_refused(work, table, str(refused))
        return Fetched(interface=table, refused=str(refused))
    except OtherRunLoads as other:
        return Fetched(interface=table, refused=str(other))
    except ErpError as failed:
        return Fetched(interface=table, **_trouble(work, table, failed))
    return Fetched(interface=table, counts=asdict(loaded))


@step(doubt=repeat("it reads both sides and changes nothing"), timeout=_HOUR)
def compare(work: Work, *, link: Link, table: str) -> SideBySide:
    """Compare one table on both sides."""
    try:
        with both_sides(work, link) as (session, engine):
            compared = comparing.compare(session, engine, interface_of(work, table))
    except REFUSALS as refused:
        return SideBySide(interface=table, equal=False, refused=str(refused))
    except ErpError as failed:
        return SideBySide(interface=table, equal=False, **_trouble(work, table, failed))
    return SideBySide(interface=table, equal=compared.is_equal, found=asdict(compared))


@step(doubt=repeat("it reads both sides and changes nothing"), timeout=_HOUR)
def compare_outward(work: Work, *, link: Link, table: str) -> SideBySide:
    """Compare what the Suite wrote at the ERP with what stands there."""
    try:
        with both_sides(work, link) as (session, engine):
            compared = outward.compare(
                session, engine, table, work.customer, _clock(work)(), own=contracts_of(work)
            )
    except REFUSALS as refused:
        return SideBySide(interface=table, equal=False, refused=str(refused))
    except ErpError as failed:
        return SideBySide(interface=table, equal=False, **_trouble(work, table, failed))
    return SideBySide(interface=table, equal=compared.is_equal, found=asdict(compared))


@step(
    doubt=repeat("each row that is written again has a key of its own, and is found as it should be"),
    timeout=_HOUR,
)
def mend_registrations(work: Work, *, link: Link) -> Registrations:
    """Read hours and materials back that the ERP acknowledged, and write again what was changed there."""
    try:
        with both_sides(work, link) as (session, engine):
            at, own = _clock(work)(), contracts_of(work)
            mended = mending.mend(session, engine, work.customer, at, own=own)
    except ErpError as failed:
        said = _trouble(work, "registrations", failed)
        return Registrations(down=said.get("down") or said.get("refused"))
    return Registrations(**asdict(mended))


@contextmanager
def both_sides(work: Work, link: Link) -> Iterator[tuple[ErpSession, Engine]]:
    """Both connections, for one step; how the ERP's one fares is counted.

    Nothing is installed on production meanwhile: a rollback brings the database back as it was before.

    Raises:
        ResourceBusy: something is being installed just now; the case waits and tries again.
    """
    production = shared_things.environment(work.customer, shared_things.PRODUCTION)
    try:
        with shared_things.leased(work, production, lease=_HOUR), erp_session(link.erp) as session:
            yield session, suite_engine(link.suite)
    except ErpError as failed:
        with work.records.write() as tx:
            health.note(tx, work.customer, link.erp, work.name, failed)
        raise
    with work.records.write() as tx:
        health.note(tx, work.customer, link.erp, work.name, None)


def tell_differences(case: CaseRun, found: list[SideBySide], registered: Registrations) -> None:
    """Tell the operators what differs, once for this comparison."""
    tables = [f"{each.interface}: {_said(each)}" for each in found if not each.equal]
    unmended = [told.first(registered.unmended)] if registered.unmended else []
    said = "; ".join([*tables, *unmended])

    def write(tx: Tx) -> None:
        operators.tell_exchange(
            tx, case.customer, f"differs/{case.lease.case_id}", "exchange_differs", {"error": said}
        )

    case.record("told/1/differences", write, said=said)


def _said(each: SideBySide) -> str:
    return each.refused or each.down or told.difference(each.found)


def _clock(work: Work) -> Any:
    def now() -> datetime:
        with work.records.read() as tx:
            return tx.now

    return now


def _trouble(work: Work, name: str, failed: ErpError) -> dict[str, str]:
    """What a result says of a failure: nobody answered, or somebody did and cannot do it as it is."""
    if isinstance(failed, health.AWAY):
        return {"down": str(failed)}
    tell_refused(work, name, str(failed))
    return {"refused": str(failed)}


def ends_of(tx: Tx, customer: str, version: int) -> Ends:
    """The connections that the agreement names.

    Raises:
        NoErp: it names none.
    """
    erp = agreements.get(tx, customer, version).erp
    if erp.suite is None:
        raise NoErp(customer=customer)
    return Ends(suite=erp.suite, erp=erp.connection, inbox=erp.inbox)


def link_of(tx: Tx, customer: str, version: int) -> Link:
    """The two databases that the agreement names.

    Raises:
        NoErp: it names none.
    """
    link = ends_of(tx, customer, version).link
    if link is None:
        raise NoErp(customer=customer)
    return link


INTERFACES = INBOUND
OUTWARDS = OUTBOUND
