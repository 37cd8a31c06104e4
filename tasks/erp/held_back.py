"""What a run held back or refused, as a page for each interface among the customer's documents (S-4.2.1).

The reasons stand in quarantine in words; which rule spoke them is found by saying them again.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from data_contracts.report import SAMPLES, report_of
from data_contracts.rules import rules_of
from nakoming.records import agreements, documents
from nakoming.records.engine import writing
from tasks.erp.agreed import contracts_of
from tasks.erp.bookkeeping import batches, prepare, quarantine
from tasks.erp.connections import suite_engine
from tasks.erp.interfaces import INBOUND, interface
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from data_contracts.report import Report
    from data_contracts.rules import Rule
    from tasks.erp.interfaces import Interface

_WRITER = "erp_sync"
_CHUNK = 1_000


class Page(BaseModel):
    """A page that was stored."""

    model_config = ConfigDict(frozen=True)

    interface: str
    document: str
    rows: int
    held_back: int
    refused: str = ""


@step(doubt=repeat("a page that was stored is found by its content"), timeout=timedelta(minutes=30))
def keep_pages(
    work: Work, *, suite: str, refused: dict[str, str], at: datetime, every: bool = False
) -> list[Page]:
    """Write and store a page for each interface of which this run held something back, or refused all.

    Args:
        work: of the step.
        suite: block of the Suite's database.
        refused: interface -> why nothing more of it was loaded.
        at: the instant that the pages show; a repeated step shows the same.
        every: a page too for each interface of which all rows were good.
    """
    from data_contracts.report_page import page_of  # its templates, which most runs do not need

    with work.records.read() as tx:
        language = agreements.get(tx, work.customer).language
    engine, own, pages = suite_engine(suite), contracts_of(work), []
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        reports = [
            report
            for name in INBOUND
            if (
                report := report_on(
                    connection, interface(name, own), work.lease.key, refused.get(name, ""), every=every
                )
            )
        ]
    for report in reports:
        content = page_of(report, language, at).encode()
        name = f"erp-{report.interface}-{at:%Y-%m-%d-%H%M}.html"
        kept = documents.add(work.records, work.customer, name, content, by=_WRITER, made_here=True)
        pages.append(
            Page(
                interface=report.interface,
                document=kept.id,
                rows=report.rows,
                held_back=report.bad_rows,
                refused=report.refused,
            )
        )
    return pages


def report_on(
    connection: Connection, wanted: Interface, run: str, refused: str, *, every: bool = False
) -> Report | None:
    """What a run held back of an interface; None when there is nothing to tell.

    With `every` rows that are all good are something to tell.
    """
    mine = (batches.c.run == run, batches.c.interface == wanted.name)
    total = select(func.coalesce(func.sum(batches.c.staged), 0)).where(*mine)
    q = quarantine.c
    held = select(q.id, q.reasons, q.row).where(q.batch.in_(select(batches.c.id).where(*mine)))
    broken: Counter[str] = Counter()
    samples: list[tuple[str, int, Mapping[str, Any]]] = []
    bad = 0
    for number, rules, row in _told(connection.execute(held.order_by(q.id)), wanted):
        bad += 1
        for rule in rules:
            broken[rule] += 1
            if broken[rule] <= SAMPLES:
                samples.append((rule, number, row))
    rows = int(connection.execute(total).scalar_one())
    if not bad and not refused and not (every and rows):
        return None
    return report_of(
        wanted.contract, rows=rows, bad_rows=bad, broken=broken, samples=samples, refused=refused
    )


def _told(rows: Any, wanted: Interface) -> Iterator[tuple[int, list[str], dict[str, Any]]]:
    """Number, broken rules and values of each row."""
    rules = [rule for rule in rules_of(wanted.contract) if rule.counts]
    for row in rows.yield_per(_CHUNK):
        values = json.loads(row.row)
        yield row.id, _broken(rules, values, json.loads(row.reasons)["en"]), values


def _broken(rules: list[Rule], values: Mapping[str, Any], said: list[str]) -> list[str]:
    left = set(said)
    found = []
    for rule in rules:
        words = rule.words("en", values)
        if words in left:
            found.append(rule.name)
            left.remove(words)
            if not left:
                break
    return found
