"""Shows how exchanges with ERPs stand, and what waits in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deployments.cli import prefect_server, printing
from nakoming.records import agreements
from tasks.erp import overruled as overrulings
from tasks.erp import settled, settling
from tasks.erp.standing import customers_with_erp, standing, suite_of
from tasks.installation import records

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tasks.erp.standing import ExchangeStanding

_LANGUAGE = "en"


def status(customer: str | None, *, as_json: bool) -> None:
    """Print how each exchange stands, or one.

    Raises:
        UnknownAgreement: there is no such customer.
        NoErp: it has no ERP.
        PrefectUnknown: there is no server that knows the connections.
    """
    with records().read() as tx:
        if customer is not None:
            agreements.newest_version(tx, customer)
        customers = [customer] if customer is not None else customers_with_erp(tx)
    prefect_server.enter()
    found = [standing(records(), each) for each in customers]
    if as_json:
        printing.emit([printing.plain(each) | {"needs_a_look": each.needs_a_look} for each in found])
        return
    columns = ("customer", "exchanged", "outcome", "loaded", "quarantine", "dead letters", "outbox", "ERP")
    printing.table(columns, [_row(each) for each in found], empty="No agreement names an ERP.")
    for each in found:
        _trouble(each)
        _guarantee(each)


def _row(found: ExchangeStanding) -> tuple[Any, ...]:
    ended, waits = found.exchanged, found.waits
    loaded = [at for at in waits.loaded_at.values() if at is not None] if waits else []
    return (
        found.customer,
        ended.ended_at if ended else None,
        ended.outcome if ended else "never yet",
        _age(found, loaded),
        waits.quarantined if waits else "?",
        waits.dead_letters if waits else "?",
        waits.outbox if waits else "?",
        "fails" if found.fails else "well",
    )


def _age(found: ExchangeStanding, loaded: list[Any]) -> str | None:
    """How long ago the newest row was loaded."""
    if not loaded:
        return None
    minutes = int((found.now - max(loaded)).total_seconds() // 60)
    return f"{minutes} min ago" if minutes < _HOURS else f"{minutes // 60} h ago"


def _guarantee(found: ExchangeStanding) -> None:
    """Where the ERP holds no keys, a row may have been written twice: that is said."""
    count = found.waits.at_least_once if found.waits else 0
    if count:
        said = f"{count} rows were written at least once, with detection: the ERP holds no keys of ours."
        printing.line(f"{found.customer}: {said}")


_HOURS = 180


def _trouble(found: ExchangeStanding) -> None:
    """What a person has to do something about, a line each."""
    for duty, since in found.paused.items():
        printing.line(f"{found.customer}: {duty} is paused since {printing.moment(since)}: a missed duty.")
    for name, each in found.fails.items():
        when = printing.moment(each.failing_since) if each.failing_since else "?"
        printing.line(f"{found.customer}: {name} fails since {when}: {each.reason}")
    if found.trouble is not None:
        printing.line(f"{found.customer}: {found.trouble}")
    if found.compared is not None and found.compared.outcome != "both sides are equal":
        printing.line(f"{found.customer}: last comparison: {found.compared.outcome}")


def quarantined(customer: str, *, as_json: bool) -> None:
    """Print the rows that wait; raises as `status`, and `BlockMissing`."""
    rows = settling.waiting(opened(customer))
    if as_json:
        printing.emit(
            [
                {
                    "number": row.id,
                    "interface": row.interface,
                    "key": row.key,
                    "case": row.run,
                    "quarantined_at": row.quarantined_at,
                    "reasons": json.loads(row.reasons),
                    "row": json.loads(row.row),
                }
                for row in rows
            ]
        )
        return
    lines = [
        (row.id, row.interface, row.key, row.quarantined_at, " ".join(json.loads(row.reasons)[_LANGUAGE]))
        for row in rows
    ]
    columns = ("number", "interface", "key", "since", "reason")
    printing.table(columns, lines, empty=f"Nothing of {customer} waits in quarantine.")


def dead_letters(customer: str, *, as_json: bool) -> None:
    """Print what the ERP refuses; raises as `quarantined`."""
    rows = settling.dead_letters(opened(customer))
    if as_json:
        printing.emit(
            [
                {
                    "number": row.id,
                    "interface": row.interface,
                    "order": row.order_number,
                    "attempts": row.attempts,
                    "created_at": row.created_at,
                    "message": row.message,
                    "payload": json.loads(row.payload),
                }
                for row in rows
            ]
        )
        return
    lines = [
        (row.id, row.interface, row.order_number, row.created_at, row.attempts, row.message) for row in rows
    ]
    columns = ("number", "interface", "order", "since", "attempts", "the ERP says")
    printing.table(columns, lines, empty=f"The ERP of {customer} refuses nothing.")


def overruled(customer: str, *, as_json: bool) -> None:
    """Print the newest overrulings, and how many more there are; raises as `quarantined`."""
    found = overrulings.overruled(opened(customer))
    if as_json:
        printing.emit({"overruled": [each.model_dump() for each in found.newest], "count": found.count})
        return
    lines = [(each.overruled_at, each.interface, each.key, each.winner, each.words) for each in found.newest]
    columns = ("at", "interface", "key", "winner", "lost → won")
    printing.table(columns, lines, empty=f"Nothing of {customer} was overruled.")
    if found.more:
        printing.line(f"And {found.more} more.")


def opened(customer: str) -> Engine:
    """The Suite's database of a customer; evidence that is owed is written on the way.

    Raises:
        UnknownAgreement: there is no such customer.
        NoErp: it has no ERP.
        PrefectUnknown: there is no server that knows the connections.
        BlockMissing: it does not know this one.
    """
    with records().read() as tx:
        agreements.newest_version(tx, customer)
    prefect_server.enter()
    engine = suite_of(records(), customer)
    settled.prove(records(), engine, customer)
    return engine
