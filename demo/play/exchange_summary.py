"""What the exchange brought: read from the cases, the Suite's own database and the workbook."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select

from demo import exchange_ends
from demo.erp.making import sown
from demo.play.errors import HeldBackError, WorkbookDiffersError
from nakoming.agreement.local_time import local_date
from nakoming.records import proofs
from nakoming.records.engine import make_engine
from nakoming.records.events import Event
from tasks.erp.bookkeeping import outgoing, overrulings, quarantine
from tasks.erp.overview import write_overview
from tasks.erp.period import Period

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from demo.erp.mess import Mess
    from demo.play.exchange import Ended
    from nakoming.records.cases import Case
    from nakoming.records.store import Records

INTERFACES = ("orders", "operations", "materials")


@dataclass(frozen=True, kw_only=True)
class Summed:
    """What the exchange brought, in rows; by interface where there are more. Evidence is `chain:number`."""

    seconds: float
    fetched: dict[str, int]
    loaded: dict[str, int]
    held_back: dict[str, int]
    changed: int
    overruled: int
    written_back: dict[str, int]
    dead_letters: list[str]
    workbook: str
    workbook_rows: int
    workbook_sha256: str
    evidence: dict[str, str]

    def keep(self, path: Path) -> None:
        """Write the figures down, whole or not at all."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(path)


def noted(path: Path) -> Summed | None:
    """The figures that were kept; None when there are none, or the workbook is not what it was."""
    try:
        known = Summed(**json.loads(path.read_text(encoding="utf-8")))
        digest = digest_of(Path(known.workbook))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return known if digest == known.workbook_sha256 else None


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def summed(
    records: Records, root: Path, full: Ended, incremental: Ended, compared: Ended, changed: tuple[str, ...]
) -> Summed:
    """Count, write the overview, and see that all of it fits.

    Raises:
        HeldBackError: other rows are held back than were sown.
        WorkbookDiffersError: a count or a sum of the overview is not the ledger's.
    """
    engine = make_engine(_with_driver(exchange_ends.suite_address(root)))
    try:
        with engine.connect() as connection:
            held = _held_back(connection, sown())
            written_back, dead = _written_back(connection)
            overruled = _count(connection, overrulings, overrulings.c.key.in_(changed))
        path = root / f"overview-{exchange_ends.CUSTOMER}.xlsx"
        rows, sha256 = _overview(records, engine, path, full.case)
    finally:
        engine.dispose()
    ends = [full.case.opened_at, compared.case.closed_at or compared.case.opened_at]
    return Summed(
        seconds=round((ends[1] - ends[0]).total_seconds(), 2),
        fetched={name: full.outputs[f"fetch/1/{name}"]["counts"]["staged"] for name in INTERFACES},
        loaded={name: compared.outputs[f"compare/1/{name}"]["found"]["suite_rows"] for name in INTERFACES},
        held_back=held,
        changed=len(changed),
        overruled=overruled,
        written_back=written_back,
        dead_letters=dead,
        workbook=str(path),
        workbook_rows=rows,
        workbook_sha256=sha256,
        evidence={
            "full": _proof(records, full.case, Event.ERP_EXCHANGED),
            "incremental": _proof(records, incremental.case, Event.ERP_EXCHANGED),
            "compare": _proof(records, compared.case, Event.ERP_COMPARED),
        },
    )


def _with_driver(address: str) -> str:
    return address.replace("postgresql://", "postgresql+psycopg://", 1)


def _held_back(connection: Connection, mess: Mess) -> dict[str, int]:
    q = quarantine.c
    found = {
        name: _count(connection, quarantine, q.interface == name, q.state == "waiting") for name in INTERFACES
    }
    wanted = {
        "orders": mess.bad_orders,
        "operations": mess.orphan_operations + mess.operations_of_bad_orders,
        "materials": mess.orphan_materials + mess.materials_of_bad_orders + mess.negative_materials,
    }
    for name in INTERFACES:
        if found[name] != wanted[name]:
            customer = exchange_ends.CUSTOMER
            raise HeldBackError(interface=name, held=found[name], sown=wanted[name], customer=customer)
    return found


def _written_back(connection: Connection) -> tuple[dict[str, int], list[str]]:
    o = outgoing.c
    done = select(o.interface, func.count()).where(o.state == "acknowledged").group_by(o.interface)
    counts = {interface: int(count) for interface, count in connection.execute(done.order_by(o.interface))}
    refused = select(o.interface, o.order_number, o.message).where(o.state == "dead").order_by(o.id)
    letters = [f"{each[0]} of order {each[1]}: {each[2]}" for each in connection.execute(refused)]
    return counts, letters


def _count(connection: Connection, table: Any, *which: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*which)).scalar_one())


def _overview(records: Records, engine: Engine, path: Path, first: Case) -> tuple[int, str]:
    """Write the workbook, in the customer's language; its rows and digest."""
    with records.read() as tx:
        period = Period.of(local_date(first.opened_at), local_date(tx.now), tx.now)
    draft = path.with_suffix(".draft.xlsx")
    overview = write_overview(engine, draft, start=period.start, end=period.end, language="nl")
    if overview.difference is not None:
        raise WorkbookDiffersError(path=draft, difference=overview.difference)
    draft.replace(path)
    return overview.rows, overview.written.sha256


def _proof(records: Records, case: Case, event: Event) -> str:
    with records.read() as tx:
        proof = proofs.find_of_case(tx, case.id, event)
    return f"{proof.chain}:{proof.seq}" if proof else ""


def as_table(found: Summed) -> Table:
    """The table of the exchange: what, how much, evidence number."""
    title = f"The exchange with the ERP of {exchange_ends.CUSTOMER}: {found.seconds:.0f} seconds"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, highlight=False)
    table.add_column("What", no_wrap=True)
    table.add_column("Rows", overflow="fold")
    table.add_column("Evidence", no_wrap=True)
    for what, rows, mode in _lines(found):
        table.add_row(what, escape(rows), found.evidence.get(mode, ""))
    return table


def _lines(found: Summed) -> list[tuple[str, str, str]]:
    letters = "; ".join(found.dead_letters) or "none"
    workbook = f"{found.workbook} ({found.workbook_rows:,} rows, SHA-256 {found.workbook_sha256})"
    return [
        ("Fetched", _each(found.fetched), "full"),
        ("Loaded", _each(found.loaded), "full"),
        ("Held back", f"{_each(found.held_back)}: as many as were sown", "full"),
        (
            "Changed at the ERP",
            f"{found.changed} orders; {found.overruled} changed in the Suite too",
            "incremental",
        ),
        ("Written back", _each(found.written_back), "incremental"),
        ("Dead letters", letters, "incremental"),
        ("Both sides", "equal, row for row and in sums", "compare"),
        ("Overview in Excel", workbook, ""),
    ]


def _each(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
