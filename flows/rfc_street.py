"""The RFC development street: from a request for change to production, decided through approval links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from pydantic import Field

from flows.rfc import agreed_document, beta, building, closing, intake, judgement, planning, production, quote
from flows.rfc.request import Request, request_of
from tasks.process import Process, run_process

if TYPE_CHECKING:
    from datetime import date

    from tasks.artefacts import Artefact
    from tasks.case_run import CaseRun

Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")]


@flow(name="rfc-street", flow_run_name="{kind} {customer} {reference}", retries=0, persist_result=False)
def rfc_street(
    customer: str,
    reference: Reference,
    title: Annotated[str, Field(max_length=200)],
    requester: Annotated[str, Field(max_length=200)],
    kind: Literal["rfc", "problem"] = "rfc",
    description: Annotated[str, Field(max_length=4000)] = "",
    documents: list[str] | None = None,
    build_command: str = "suite",
    test_command: str = "suite",
) -> State[Any]:
    """Take a request for change through the development street.

    Clauses: S-2.2.1, S-2.2.22, S-2.2.25, S-2.3.2a, S-2.3.2b, S-2.3.2c, S-2.3.2d, S-2.3.2e, S-2.3.2f,
        S-2.3.2g, S-2.3.2h, S-2.3.3, S-2.3.4, S-2.3.6, S-2.6.3, S-2.6.7a, S-2.6.13.
    Gates: intake/confirmation, judgement/choice, judgement/release, quote/delivery, quote/approval,
        planning/N/proposal, planning/N/approval, requirement-analysis/N/delivery and /approval,
        functional-specification/N/delivery and /approval, technical-specification/N/delivery and /approval,
        build/N/revision, acceptance/N/approval, closing/delivery.
    Records: one case `rfc/<customer>/<reference>`; starting it again joins it.
    Artifacts: the state of the case, and open-gates.

    Args:
        customer: Short name of the customer, as in its agreement.
        reference: The customer's reference, the subject of the case.
        title: What is asked, in a few words.
        requester: E-mail address of whoever asks for it.
        kind: A request for change, or a problem to be solved.
        description: What is asked, in full.
        documents: Ids of documents (`nakoming document add` gives them).
        build_command: Block of the vendor's build command.
        test_command: Block of the vendor's test command.
    """
    given = {
        "kind": kind,
        "reference": reference,
        "title": title,
        "requester": requester,
        "description": description,
        "documents": documents or [],
        "build_command": build_command,
        "test_command": test_command,
    }
    return run_process(PROCESS, customer=customer, subject=reference, parameters=given)


def walk(case: CaseRun) -> str:
    """The street itself (S-2.3.2); the outcome of the case."""
    request = request_of(case)
    if not intake.taken_in(case, request):
        return "not taken up"
    planned_on: date | None = None
    if not request.is_problem:
        specific, reason = judgement.judged(case, request)
        if specific:
            if not quote.approved(case, request, reason):
                return "no order"
            planned_on = planning.planned(case, request)
        else:
            judgement.assigned_to_release(case, request, reason)
    agreed_document.agreed(case, request, agreed_document.REQUIREMENT_ANALYSIS)
    agreed_document.agreed(case, request, agreed_document.FUNCTIONAL_SPECIFICATION)
    if request.is_problem:
        agreed_document.agreed(case, request, agreed_document.TECHNICAL_SPECIFICATION)
    artefact = _realised(case, request, planned_on)
    closing.closed(case, request, artefact)
    return "in production"


def _realised(case: CaseRun, request: Request, planned_on: date | None) -> Artefact:
    """Build, test, beta, acceptance, production: round and round until it is live."""
    number, why = 1, "–"
    while True:
        made = building.built_and_tested(case, request, number, why)
        if isinstance(made, building.GoesBack):
            number, why = number + 1, made.why
            continue
        standing = beta.installed_on_acceptance(case, number, made)
        if standing is None:
            number, why = number + 1, "The beta could not be installed on acceptance."
            continue
        gate = None
        if not request.is_problem:
            gate = beta.ask_acceptance(case, request, number, standing, planned_on)
        result = production.taken_into_production(case, number, standing, gate, planned_on)
        beta.give_up_acceptance(case, number)
        if result.went is production.Went.LIVE:
            return made
        number, why = number + 1, result.why


PROCESS = Process(kind="rfc", revision=2, walk=walk)
