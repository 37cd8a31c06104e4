"""From the ledger to a document of the customer, in constant memory all the way (S-4.2.2).

The workbook is written to a file of its own, and sealed from there piece by piece.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from nakoming.records import documents
from tasks.erp.errors import OverviewUnequal
from tasks.erp.overview import write_overview

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from nakoming.agreement.people import Language
    from nakoming.records.store import Records
    from tasks.erp.overview import Overview
    from tasks.erp.period import Period

MOST_BYTES: Final = 1 << 30
"""An overview may be larger than what people send in: about fifteen million rows."""
_WRITER: Final = "erp_overview"


class Kept(BaseModel):
    """What was written. `document` is None when it is larger than an overview may be: `size` tells."""

    model_config = ConfigDict(frozen=True)

    document: str | None
    name: str
    sha256: str
    size: int
    sheets: dict[str, int]
    incoming: int
    outgoing: int
    held_back: int
    at_least_once: int = 0


def keep(records: Records, customer: str, engine: Engine, period: Period, language: Language) -> Kept:
    """Write the workbook of a period and store it.

    Raises:
        OverviewUnequal: a count or a sum is not the ledger's.
        StorageFull: there is no room.
    """
    name = f"erp-{customer}-{period.first_on}-{period.last_on}.xlsx"
    with tempfile.TemporaryDirectory(prefix="nakoming-overview-") as folder:
        path = Path(folder) / name
        made = whole(engine, path, period, language)
        document = None
        if made.written.size <= MOST_BYTES:
            stored = documents.add_file(records, customer, name, path, by=_WRITER, limit=MOST_BYTES)
            document = stored.id
    return Kept(
        document=document,
        name=name,
        sha256=made.written.sha256,
        size=made.written.size,
        sheets=dict(made.sheets),
        incoming=made.incoming,
        outgoing=made.outgoing,
        held_back=made.held_back,
        at_least_once=made.at_least_once,
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
