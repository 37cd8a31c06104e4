"""The overview of a period as a step of its flow (S-4.2.2)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from tasks.erp.connections import suite_engine
from tasks.erp.period import Period
from tasks.erp.stored_overview import Kept, keep
from tasks.installation import records as installed_records
from tasks.steps import Work, repeat, step

if TYPE_CHECKING:
    from nakoming.agreement.people import Language

_HOUR = timedelta(hours=1)


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
    return keep(work.records, work.customer, suite_engine(suite), Period(first_day, last_day), language)
