"""Stage 2, judgement: specific to this customer or generic, by the vendor's analyst (S-2.3.2a, S-2.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.rfc.plan import RELEASE_FACT
from flows.rfc.request import Request, tell
from nakoming.agreement.gate_rules import Kind, Verb
from nakoming.records import case_facts
from nakoming.records.events import Event
from tasks.questions import desk_of

if TYPE_CHECKING:
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

CHOICE = "judgement/choice"
_RELEASE = "judgement/release"


def judged(case: CaseRun, request: Request) -> tuple[bool, str]:
    """Whether the request is specific, and why."""
    case.stage("judgement")
    case.ask(CHOICE, lambda tx: _choice(tx, case, request))
    answer = case.answer(CHOICE)
    reason = " ".join(answer.remarks)
    by = answer.decided_by
    case.prove(
        "judgement/evidence", Event.RFC_JUDGED, clause="S-2.3.2a", judged=answer.option, by=by, why=reason
    )
    return answer.option == "specific", reason


def assigned_to_release(case: CaseRun, request: Request, reason: str) -> None:
    """Generic: the vendor decides in which release it comes, and the customer is told (S-2.3.6)."""
    case.ask(_RELEASE, lambda tx: _release(tx, case, request))
    release = case.answer(_RELEASE).facts["release"]

    def plan(tx: Tx) -> str:
        case_facts.put(tx, case.lease.case_id, case.customer, RELEASE_FACT, release)
        return release

    case.record("judgement/release/planned", plan)
    case.prove("judgement/release/evidence", Event.RFC_PLANNED, clause="S-2.3.6", release=release)
    tell(case, "judgement/release/told", "generic_release", {"release": release, "reason": reason})


def _choice(tx: Tx, case: CaseRun, request: Request) -> GateSpec:
    here = desk_of(tx, case)
    return here.gate(
        CHOICE,
        Kind.CHOICE,
        here.vendor_seats("analyst"),
        "judgement",
        request.words,
        verbs=(Verb.CHOOSE,),
        options=("specific", "generic"),
        documents=request.documents,
        due=here.our_duty("lead_times.judgement"),
        label=f"{request.label}: specific or generic?",
    )


def _release(tx: Tx, case: CaseRun, request: Request) -> GateSpec:
    here = desk_of(tx, case)
    return here.delivery(
        _RELEASE,
        "release_manager",
        "release",
        request.words,
        due=here.our_duty("lead_times.generic_notice"),
        label=f"{request.label}: which release?",
    )
