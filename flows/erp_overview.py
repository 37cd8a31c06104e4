"""An overview of all transactions of a period with a customer's ERP, in Excel."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from pydantic import Field

from nakoming.records.events import Event
from tasks.erp import kept_overview, shown
from tasks.erp.exchange import ends_of
from tasks.process import Process, run_process

if TYPE_CHECKING:
    from tasks.case_run import CaseRun
    from tasks.erp.stored_overview import Kept

WRITTEN = "written"
TOO_LARGE = "too large to be kept as a document"


@flow(
    name="erp-overview",
    flow_run_name="overview {customer} {first_day} {last_day}",
    retries=0,
    persist_result=False,
)
def erp_overview(
    customer: str,
    first_day: date,
    last_day: date,
    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{0,80}$")] = "",
) -> State[Any]:
    """Write all transactions of a period with a customer's ERP into a workbook, kept as its document.

    Clauses: S-4.2.2.
    Gates: none.
    Records: one case `erp_overview/<customer>/<period>`; the workbook is a document of the customer.
    Artifacts: the state of the case; erp-overview-<customer>, which document it is and what it counts.

    Args:
        customer: Short name of the customer, as in its agreement.
        first_day: First day of the period, on the clock of Amsterdam.
        last_day: Last day of the period, included. One that is not over yet is written as far as it is.
        subject: Name of the overview; empty: the period.
    """
    period, name = kept_overview.occasion(first_day, last_day, subject)
    given = {"first_day": str(period.first_on), "last_day": str(period.last_on), "subject": name}
    return run_process(PROCESS, customer=customer, subject=name, parameters=given)


def walk(case: CaseRun) -> str:
    """Write, keep, prove (S-4.2.2); the outcome of the case."""
    given = case.case.parameters
    kept = case.do(
        "overview/1/workbook",
        kept_overview.keep_overview,
        suite=_suite(case),
        first_day=date.fromisoformat(given["first_day"]),
        last_day=date.fromisoformat(given["last_day"]),
        language=case.agreement().language,
    )
    if kept.document is None:
        return TOO_LARGE
    case.prove(
        "evidence/1/written",
        Event.ERP_OVERVIEW_WRITTEN,
        clause="S-4.2.2",
        first_day=given["first_day"],
        last_day=given["last_day"],
        document=kept.document,
        sha256=kept.sha256,
        incoming=kept.incoming,
        outgoing=kept.outgoing,
        held_back=kept.held_back,
    )
    shown.publish_report(case.customer, "overview", _report(case.case.subject, kept))
    return WRITTEN


def _suite(case: CaseRun) -> str:
    with case.records.read() as tx:
        return ends_of(tx, case.customer, case.case.agreement_version).suite


def _report(subject: str, kept: Kept) -> str:
    lines = [f"| {title} | {rows} |" for title, rows in kept.sheets.items()]
    which = f"Document `{kept.document}` ({subject}), {kept.size} bytes, SHA-256 `{kept.sha256}`."
    command = f"nakoming document get {kept.document} --out {kept.name}"
    return "\n".join(
        [
            f"# {kept.name}",
            "",
            f"{which} Its counts and sums equal the ledger's. To get it: `{command}`.",
            *_at_least_once(kept),
            "",
            "| sheet | rows |",
            "| --- | --- |",
            *lines,
        ]
    )


def _at_least_once(kept: Kept) -> list[str]:
    if not kept.at_least_once:
        return []
    said = f"{kept.at_least_once} rows were written at least once, with detection: the ERP holds no keys."
    return ["", said]


PROCESS = Process(kind="erp_overview", revision=1, walk=walk, red=frozenset({TOO_LARGE}))
