"""The exchange with a customer's ERP: transactions fetched, checked, loaded, and written back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from pydantic import Field

from flows.erp import both_ways, files_in
from tasks.erp import occasion
from tasks.process import Process, run_process

if TYPE_CHECKING:
    from tasks.case_run import CaseRun

Mode = Literal["incremental", "full", "compare"]
Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{0,60}$")]


@flow(name="erp-sync", flow_run_name="erp {mode} {customer}", retries=0, persist_result=False)
def erp_sync(
    customer: str,
    mode: Mode = "incremental",
    order: Annotated[str, Field(max_length=60)] = "",
    subject: Subject = "",
    *,
    dry_run: bool = False,
) -> State[Any]:
    """Exchange transactions with a customer's ERP.

    Clauses: S-4.2.1, S-2.6.7a.
    Gates: none.
    Records: one case `erp_sync/<customer>/<occasion>`; each transaction stands in the Suite's own ledger.
    Artifacts: the state of the case; erp-<customer>, what was exchanged, held back and refused;
        erp-files-<customer>, what became of files; erp-held-back-<customer>, the pages about it;
        erp-overruled-<customer>, who won where both sides had changed the same.

    Args:
        customer: Short name of the customer, as in its agreement.
        mode: What changed since the last time, everything, or a comparison of both sides: it catches up
            first, follows what the ERP removed, and of the ERP it changes nothing but hours and materials
            that somebody changed there, for of those the Suite is the master.
        order: This order only; empty for all.
        subject: Name of the occasion; empty: the scheduled instant, or the run itself.
        dry_run: Do everything but the commit, and write nothing back.
    """
    moment = occasion.of_run(subject, mode)
    if moment.is_overtaken(customer):
        return moment.overtaken()
    # The subject too: a run that goes on with this case is given what the case was opened with.
    given = {"mode": mode, "order": order, "dry_run": dry_run, "subject": moment.subject}
    return run_process(PROCESS, customer=customer, subject=moment.subject, parameters=given)


def walk(case: CaseRun) -> str:
    """One exchange (S-4.2.1); the outcome of the case."""
    ends = both_ways.ends_of(case)
    taken = files_in.taken(case, ends)
    if ends.link is None:
        return both_ways.of_files(case, ends.suite, taken)
    exchange = both_ways.of_case(case, ends.link, taken)
    if exchange.is_left_alone():
        return both_ways.LEFT_ALONE
    if exchange.compares:
        return exchange.compared()
    return exchange.fetched_and_sent()


PROCESS = Process(kind="erp_sync", revision=4, walk=walk, red=both_ways.RED)
