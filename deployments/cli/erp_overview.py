"""Writes the overview of a period with an ERP into a file, with evidence (S-4.2.2)."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from deployments.cli import files, printing
from deployments.cli.erp_view import opened
from deployments.cli.errors import FileExistsAlready, FileNotWritten
from nakoming.records import agreements
from nakoming.records.events import Event
from tasks.erp.period import Period
from tasks.erp.stored_overview import whole
from tasks.installation import records

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from tasks.erp.overview import Overview


def written(customer: str, days: tuple[date, date], out: Path, by: str | None, *, as_json: bool) -> None:
    """Write the workbook and print the rows of each sheet. Evidence stands before the file has its name.

    Raises:
        UnknownAgreement, NoErp, PrefectUnknown, BlockMissing: there is no ledger to write.
        PeriodInvalid: the days are no period.
        FileExistsAlready, FileNotWritten: the file cannot be written; nothing was.
        OverviewUnequal: a count or a sum is not the ledger's; nothing was delivered.
    """
    with records().read() as tx:
        language = agreements.get(tx, customer).language
        period = Period.of(*days, tx.now)
    if out.exists():
        raise FileExistsAlready(file=out)
    engine = opened(customer)
    draft = out.with_name(f".{out.name}.{secrets.token_hex(8)}.draft")
    try:
        made = whole(engine, draft, period, language)
        evidence = _prove(customer, period, made, by or files.login())
        os.link(draft, out)  # never over a file that came meanwhile
    except FileExistsError as failed:
        raise FileExistsAlready(file=out) from failed
    except OSError as failed:
        raise FileNotWritten(file=out, reason=(failed.strerror or str(failed)).lower()) from failed
    finally:
        draft.unlink(missing_ok=True)
    _say(out, made, evidence, as_json=as_json)


def _prove(customer: str, period: Period, made: Overview, by: str) -> str:
    with records().write() as tx:
        payload = {
            "first_day": str(period.first_on),
            "last_day": str(period.last_on),
            "sha256": made.written.sha256,
            "by": by,
            **_counts(made),
        }
        entry = tx.prove(Event.ERP_OVERVIEW_WRITTEN, customer, payload, clause="S-4.2.2")
    return f"{entry.chain}:{entry.seq}"


def _counts(made: Overview) -> dict[str, Any]:
    return {"incoming": made.incoming, "outgoing": made.outgoing, "held_back": made.held_back}


def _say(out: Path, made: Overview, evidence: str, *, as_json: bool) -> None:
    sheets, rows = dict(made.sheets), made.rows
    if as_json:
        data = {"file": out, "sha256": made.written.sha256, "rows": rows, "sheets": sheets}
        printing.emit(data | _counts(made) | {"equals_ledger": made.difference is None, "evidence": evidence})
        return
    printing.table(("sheet", "rows"), list(sheets.items()))
    counted = made.incoming + made.outgoing + made.held_back
    printing.line(f"{out}: {rows} rows, equal to the {counted} of the ledger.")
    if made.at_least_once:
        printing.line(f"{made.at_least_once} rows were written at least once, with detection.")
    printing.facts([("SHA-256", made.written.sha256), ("Evidence", evidence)])
