"""Holds the rows of an ERP against the contracts by great_expectations: a second opinion, and a page of it.

The exchange judges with statements of its own; this is somebody else's program on the same contract, for a
check by hand. The rows pass through a SQLite file that goes away again, so a table may be of any size.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from data_contracts.names import ROW_ID
from deployments.cli import printing
from deployments.cli.files import write_new
from tasks.erp import staging
from tasks.installation import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blocks.erp.protocol import ErpSession
    from data_contracts.contract import Contract
    from data_contracts.report import Report

_TABLE: Final = "erp_rows"


def checked(session: ErpSession, contract: Contract) -> Report:
    """Check all rows of a contract's table; what they refer to in the Suite is not looked at.

    Raises:
        ErpError: the connection failed.
        ValidationBroke: the library gave up on a rule.
    """
    from data_contracts.validation import StagedRows, validate  # takes seconds

    with tempfile.TemporaryDirectory(prefix="nakoming-rows-") as folder:
        engine = sa.create_engine(f"sqlite:///{Path(folder) / 'rows.sqlite'}")
        try:
            table = _staged(engine, session, contract)
            return validate(contract, StagedRows(engine, table, references=False))
        finally:
            engine.dispose()


def _staged(engine: sa.Engine, session: ErpSession, contract: Contract) -> sa.Table:
    names = [column.name for column in contract.table.columns]
    number = sa.Column(ROW_ID, sa.Integer, primary_key=True)
    table = sa.Table(_TABLE, sa.MetaData(), number, *(sa.Column(name, sa.Text) for name in names))
    with engine.begin() as connection:
        table.create(connection)
        staging.fill(connection, table, session.read(contract.table.source_name, names))
    return table


def written(reports: Iterable[Report], folder: Path) -> list[Path]:
    """A page of each report in a folder; the files.

    Raises:
        FileExistsAlready, FileNotWritten: a page cannot be written.
    """
    from data_contracts.report_page import page_of

    with records().read() as tx:
        at = tx.now
    pages = []
    for report in reports:
        page = folder / f"{report.interface}.html"
        write_new(page, (page_of(report, "en", at).encode(),))
        pages.append(page)
    return pages


def shown(reports: Iterable[Report]) -> None:
    """Print how each contract was kept, and the rules that were not."""
    rows: list[tuple[Any, ...]] = []
    for report in reports:
        verdict = "refused" if report.over_limit else "bad rows" if report.bad_rows else "ok"
        rows.append((report.interface, report.rows, report.bad_rows, verdict, ""))
        rows += [
            (report.interface, "", finding.broken, finding.rule, _reason(finding))
            for finding in report.findings
            if finding.broken
        ]
    printing.table(("contract", "rows", "bad", "result", "such as"), rows)


def _reason(finding: Any) -> str:
    return str(finding.samples[0].words["en"]) if finding.samples else ""
