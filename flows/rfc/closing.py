"""Stage 11, closing: documentation and a short description, and the customer is told (S-2.2.22, S-2.2.23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records.events import Event
from tasks.notices import tell_closed
from tasks.questions import desk_of

if TYPE_CHECKING:
    from flows.rfc.request import Request
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.artefacts import Artefact
    from tasks.case_run import CaseRun

_GATE = "closing/delivery"


def closed(case: CaseRun, request: Request, artefact: Artefact) -> None:
    """Nothing closes without documentation and a description of what was changed."""
    case.stage("closing")
    case.ask(_GATE, lambda tx: _delivery(tx, case, request, artefact))
    answer = case.answer(_GATE)
    facts = {"documents": answer.documents, "by": answer.decided_by, "version": artefact.version}
    case.prove("closing/evidence", Event.RFC_CLOSED, clause="S-2.2.22", **facts)
    tell_closed(
        case,
        "closing/told",
        "closed",
        request.words | {"version": artefact.version, "description": answer.facts["description"]},
        event=Event.RFC_CLOSED,
        documents=answer.documents,
        roles=("cluster_manager",),
    )


def _delivery(tx: Tx, case: CaseRun, request: Request, artefact: Artefact) -> GateSpec:
    here = desk_of(tx, case)
    return here.delivery(
        _GATE,
        "analyst",
        "closing",
        request.words | {"version": artefact.version},
        due=here.our_duty("lead_times.document_delivery"),
        label=f"{request.label}: documentation and description",
    )
