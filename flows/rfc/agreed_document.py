"""Stages 4 and 5: a document is delivered, and approved or sent back by the customer (S-2.3.2b, c)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from nakoming.agreement.gate_rules import Verb
from nakoming.records.events import Event
from tasks.questions import desk_of

if TYPE_CHECKING:
    from flows.rfc.request import Request
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A document that is agreed with the customer, and the clause that asks for it."""

    stage: str
    clause: str
    nl: str
    en: str
    next_nl: str
    next_en: str


REQUIREMENT_ANALYSIS = Paper(
    stage="requirement-analysis",
    clause="S-2.3.2b",
    nl="requirementanalyse",
    en="requirement analysis",
    next_nl="Wij schrijven de functionele specificatie.",
    next_en="We write the functional specification.",
)
FUNCTIONAL_SPECIFICATION = Paper(
    stage="functional-specification",
    clause="S-2.3.2c",
    nl="functionele specificatie",
    en="functional specification",
    next_nl="Wij bouwen precies deze versie.",
    next_en="We build exactly this version.",
)
TECHNICAL_SPECIFICATION = Paper(
    stage="technical-specification",
    clause="S-2.2.25",
    nl="technische specificatie",
    en="technical specification",
    next_nl="Wij bouwen precies deze versie.",
    next_en="We build exactly this version.",
)


def agreed(case: CaseRun, request: Request, paper: Paper) -> tuple[str, ...]:
    """The documents of the version that the customer approved; each version is bound to its digest."""
    case.stage(paper.stage)
    number, remarks = 1, "–"
    while True:
        delivery, approval = f"{paper.stage}/{number}/delivery", f"{paper.stage}/{number}/approval"
        words = request.words | {
            "document_nl": paper.nl,
            "document_en": paper.en,
            "next_nl": paper.next_nl,
            "next_en": paper.next_en,
            "round": str(number),
            "remarks": remarks,
        }
        case.ask(delivery, partial(_delivery, case, request, delivery, words))
        papers = case.answer(delivery).documents
        case.ask(approval, partial(_approval, case, request, approval, words, papers))
        answer = case.answer(approval)
        if answer.is_yes:
            agreed_on = {"document": paper.en, "documents": papers, "round": number, "by": answer.decided_by}
            case.prove(f"{paper.stage}/evidence", Event.DOCUMENT_AGREED, clause=paper.clause, **agreed_on)
            return papers
        number, remarks = number + 1, " ".join(answer.remarks) or "–"


def _delivery(case: CaseRun, request: Request, name: str, words: dict[str, str], tx: Tx) -> GateSpec:
    here = desk_of(tx, case)
    return here.delivery(
        name,
        "analyst",
        "delivery",
        words,
        documents=request.documents,
        due=here.our_duty("lead_times.document_delivery"),
        label=f"{request.label}: deliver the {words['document_en']}",
    )


def _approval(
    case: CaseRun, request: Request, name: str, words: dict[str, str], papers: tuple[str, ...], tx: Tx
) -> GateSpec:
    here = desk_of(tx, case)
    return here.approval(
        name,
        "functional_administrator",
        "document_approval",
        words,
        otherwise=Verb.REQUEST_CHANGES,
        documents=papers,
        due=here.their_right("lead_times.customer_response"),
        label=f"{request.label}: approve the {words['document_en']}",
    )
