"""Stage 1, intake: only who is authorised may ask; else the functional administrator is asked (S-2.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.rfc.request import Request, tell
from nakoming.agreement.gate_rules import Verb
from nakoming.records import documents
from nakoming.records.events import Event
from tasks.questions import desk_of

if TYPE_CHECKING:
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

_AUTHORISED = {"functional_administrator", "key_user"}
_GATE = "intake/confirmation"


def taken_in(case: CaseRun, request: Request) -> bool:
    """Whether the request is the customer's own; what is not confirmed goes no further."""
    case.stage("intake")
    received = case.record("intake/received", lambda tx: _received(tx, case, request))
    if received["authorised"]:
        case.prove("intake/evidence", Event.RFC_RECEIVED, clause="S-2.2.1", **received)
        return True
    case.ask(_GATE, lambda tx: _confirmation(tx, case, request))
    answer = case.answer(_GATE)
    if answer.is_yes:
        case.prove("intake/evidence", Event.RFC_CONFIRMED, clause="S-2.2.1", by=answer.decided_by)
        return True
    case.prove("intake/evidence", Event.RFC_REFUSED, clause="S-2.2.1", state=answer.state)
    tell(case, "intake/not-taken", "not_taken")
    return False


def _received(tx: Tx, case: CaseRun, request: Request) -> dict[str, Any]:
    """Match the requester to the authorised list of this very date; see that the documents are theirs."""
    here = desk_of(tx, case)
    address = request.requester.strip().lower()
    listed = [person for person in here.listed.persons if person.email.lower() == address]
    known = [person for person in listed if person.is_valid_on(here.today)]
    found = [documents.get(tx, case.customer, document) for document in request.documents]
    return {
        "authorised": any(person.own_roles & _AUTHORISED for person in known),
        "person": f"{case.customer}:{listed[0].id}" if listed else None,
        "on": here.today.isoformat(),
        "documents": [document.sha256 for document in found],
    }


def _confirmation(tx: Tx, case: CaseRun, request: Request) -> GateSpec:
    here = desk_of(tx, case)
    return here.approval(
        _GATE,
        "functional_administrator",
        "intake",
        request.words,
        otherwise=Verb.REFUSE,
        documents=request.documents,
        due=here.their_right("lead_times.intake_confirmation"),
        label=f"{request.label}: is this request yours?",
    )
