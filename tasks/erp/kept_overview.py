"""The overview of a period as a document of the customer (S-4.2.2)."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from nakoming.records import documents
from tasks.erp.connections import suite_engine
from tasks.erp.errors import OverviewUnequal
from tasks.erp.overview import write_overview
from tasks.erp.period import Period
from tasks.installation import records as installed_records
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from nakoming.agreement.people import Language
    from tasks.erp.overview import Overview

_HOUR = timedelta(hours=1)
_WRITER = "erp_overview"


class Kept(BaseModel):
    """What was written. `document` is None when it is larger than a document may be: `size` tells."""

    model_config = ConfigDict(frozen=True)

    document: str | None
    name: str
    sha256: str
    size: int
    sheets: dict[str, int]
    incoming: int
    outgoing: int
    held_back: int


def occasion(first_day: date, last_day: date, given: str) -> tuple[Period, str]:
    """The period, and what its overview is called: as given, or by the days.

    Raises:
        PeriodInvalid: it ends before it begins, or begins after today.
    """
    with installed_records().read() as tx:
        period = Period.of(first_day, last_day, tx.now)
        return period, given or period.subject(tx.now)


@step(
    doubt=repeat("the ledger is only read; a workbook that was stored is found by its content"), timeout=_HOUR
)
def keep_overview(work: Work, *, suite: str, first_day: date, last_day: date, language: Language) -> Kept:
    """Write the workbook and store it."""
    period = Period(first_day, last_day)
    name = f"erp-{work.customer}-{period.first_on}-{period.last_on}.xlsx"
    with tempfile.TemporaryDirectory(prefix="nakoming-overview-") as folder:
        path = Path(folder) / name
        written = whole(suite_engine(suite), path, period, language)
        size = path.stat().st_size
        document = None
        if size <= work.records.document_limit:
            content = path.read_bytes()
            document = documents.add(work.records, work.customer, name, content, by=_WRITER).id
    return Kept(
        document=document,
        name=name,
        sha256=written.written.sha256,
        size=size,
        sheets=rows_of(written),
        incoming=written.incoming,
        outgoing=written.outgoing,
        held_back=written.held_back,
    )


def whole(engine: Engine, path: Path, period: Period, language: Language) -> Overview:
    """Write the workbook of a period.

    Raises:
        OverviewUnequal: a count or a sum is not the ledger's; the file is gone.
    """
    written = write_overview(engine, path, start=period.start, end=period.end, language=language)
    difference = written.difference
    if difference is not None:
        path.unlink()
        raise OverviewUnequal(difference=difference)
    return written


def rows_of(overview: Overview) -> dict[str, int]:
    """The rows of each sheet of data."""
    return dict(overview.sheets)
