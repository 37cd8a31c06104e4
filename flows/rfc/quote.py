"""Stage 3, quote and planning: without approval nothing is planned or built (S-2.3.3, S-2.3.4)."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from flows.rfc.request import Request, tell
from nakoming.agreement.clocks import end_of_day
from nakoming.agreement.gate_rules import Verb
from nakoming.records.events import Event
from nakoming.records.gate_model import GateState
from tasks.questions import Due, desk_of

if TYPE_CHECKING:
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun, Outcome

_QUOTE = "quote/delivery"
_APPROVAL = "quote/approval"


def approved(case: CaseRun, request: Request, reason: str) -> bool:
    """Whether the customer approved the quote; refusal or expiry ends the request with a message."""
    case.stage("quote")
    case.ask(_QUOTE, lambda tx: _delivery(tx, case, request))
    quote = case.answer(_QUOTE)
    amount = quote.facts["amount"]
    digests = {"amount": amount, "documents": quote.documents}
    case.prove("quote/evidence", Event.RFC_QUOTED, clause="S-2.3.3", **digests)
    case.ask(_APPROVAL, lambda tx: _approval(tx, case, request, quote, reason))
    answer = case.answer(_APPROVAL)
    if answer.is_yes:
        return True
    expired = answer.state == GateState.EXPIRED
    how = ("niet op tijd beantwoord", "was not answered in time") if expired else ("afgewezen", "was refused")
    said = {"amount": amount, "how_nl": how[0], "how_en": how[1]}
    tell(case, "quote/ended", "quote_ended", said, roles=("cluster_manager",))
    return False


def planned(case: CaseRun, request: Request) -> date:
    """The date agreed with the customer: proposed and answered, round and round."""
    case.stage("planning")
    number, remarks = 1, "–"
    while True:
        proposal, agreement = f"planning/{number}/proposal", f"planning/{number}/approval"
        case.ask(proposal, partial(_proposal, case, request, proposal, remarks))
        planned_on = case.answer(proposal).facts["planned_on"]
        case.ask(agreement, partial(_date, case, request, agreement, planned_on))
        answer = case.answer(agreement)
        if answer.is_yes:
            case.prove("planning/evidence", Event.RFC_PLANNED, clause="S-2.3.4", planned_on=planned_on)
            return date.fromisoformat(planned_on)
        number, remarks = number + 1, " ".join(answer.remarks) or "–"


def _delivery(tx: Tx, case: CaseRun, request: Request) -> GateSpec:
    here = desk_of(tx, case)
    validity = str(here.terms.lead_times.quote_validity)
    return here.delivery(
        _QUOTE,
        "account_manager",
        "quote",
        request.words | {"validity": validity},
        documents=request.documents,
        due=here.our_duty("lead_times.quote"),
        label=f"{request.label}: make the quote",
    )


def _approval(tx: Tx, case: CaseRun, request: Request, quote: Outcome, reason: str) -> GateSpec:
    here = desk_of(tx, case)
    last_on = here.today + timedelta(days=here.terms.lead_times.quote_validity)
    return here.approval(
        _APPROVAL,
        "cluster_manager",
        "quote_approval",
        request.words | {"amount": quote.facts["amount"], "reason": reason or "–"},
        otherwise=Verb.REFUSE,
        documents=quote.documents,
        due=Due(by=end_of_day(last_on), clause="S-2.3.4", origin="customer", closes=True),
        label=f"{request.label}: quote of € {quote.facts['amount']}",
    )


def _proposal(case: CaseRun, request: Request, name: str, remarks: str, tx: Tx) -> GateSpec:
    here = desk_of(tx, case)
    return here.delivery(
        name,
        "release_manager",
        "planning",
        request.words | {"remarks": remarks},
        due=here.our_duty("lead_times.planning"),
        label=f"{request.label}: propose a date",
    )


def _date(case: CaseRun, request: Request, name: str, planned_on: str, tx: Tx) -> GateSpec:
    here = desk_of(tx, case)
    return here.approval(
        name,
        "functional_administrator",
        "planning_approval",
        request.words | {"planned_on": planned_on},
        otherwise=Verb.REQUEST_CHANGES,
        due=here.their_right("lead_times.customer_response"),
        label=f"{request.label}: planned for {planned_on}",
    )
