"""Whether an ERP still changes as its contracts say: one that fell silent looks like one that is well."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from nakoming.agreement.calendar import WorkingCalendar
from nakoming.agreement.clocks import service_elapsed
from nakoming.agreement.errors import CalendarYearError
from nakoming.records import agreements
from tasks import operators

if TYPE_CHECKING:
    from blocks.erp.protocol import ErpSession
    from nakoming.agreement.term_groups import ServiceHours
    from tasks.erp.interfaces import Interface
    from tasks.steps import Work

_LONGEST = timedelta(days=28)  # what is older is old enough, and needs no calendar of years ago


def look(work: Work, session: ErpSession, interface: Interface) -> dict[str, int]:
    """How old the newest change is, when that is older than the contract allows; counted in service hours.

    The operators are told once a day for a customer, whichever of its interfaces it is.

    Returns:
        `stale_minutes` for the report; empty when all is well or the contract names no change time.
    """
    contract = interface.contract
    if contract.freshness_column is None:
        return {}
    newest = session.newest(interface.source, contract.freshness_column, contract.change.column)
    if newest is None:
        return {}
    now = session.now()
    with work.records.read() as tx:
        terms = agreements.get(tx, work.customer)
    try:
        calendar = WorkingCalendar.from_terms(terms)
        since = max(newest, now - _LONGEST)
        elapsed = service_elapsed(since, now, terms.service_hours, calendar).duration
        allowed = _allowed(contract.freshness, terms.service_hours)
    except CalendarYearError:  # the clock of the ERP may say any year
        return {}
    if elapsed <= allowed:
        return {}
    values = {
        "interface": interface.name,
        "newest": f"{newest:%Y-%m-%d %H:%M} UTC",
        "allowed": str(int(allowed / timedelta(minutes=1))),
    }
    with work.records.write() as tx:
        operators.tell_exchange(tx, work.customer, f"stale/{tx.now:%Y-%m-%d}", "exchange_stale", values)
    return {"stale_minutes": int(elapsed / timedelta(minutes=1))}


def _allowed(freshness: timedelta, hours: ServiceHours) -> timedelta:
    """What a contract allows, in service hours: of its days each is as long as a working day of theirs."""
    day = datetime.combine(date.min, hours.end) - datetime.combine(date.min, hours.start)
    return freshness.days * day + (freshness - timedelta(days=freshness.days))
