"""Stage 3, the quote: without the customer's approval nothing is planned or built (S-2.3.3, S-2.3.4)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from flows.rfc.request import Request, tell
from nakoming.agreement.clocks import end_of_day
from nakoming.agreement.gate_rules import Verb
from nakoming.records.events import Event
from nakoming.records.gate_model import GateState
from tasks.questions import Due, desk_of
from tasks.steps import plain

if TYPE_CHECKING:
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun, Outcome
    from tasks.questions import Desk

_QUOTE = "quote/delivery"
_APPROVAL = "quote/approval"
_VALIDITY: Final = "lead_times.quote_validity"


def approved(case: CaseRun, request: Request, reason: str) -> bool:
    """Whether the customer approved the quote; refusal or expiry ends the request with a message.

    The account manager may say how many days it is valid. S-2.3.4 names 30 days as the default only, so that
    any number from 1 on is allowed; where the customer's own agreement names the number, it is their right
    and fewer days are not taken. Nothing said: the agreement's number.
    """
    case.stage("quote")
    case.ask(_QUOTE, lambda tx: _delivery(tx, case, request))
    quote = case.answer(_QUOTE)
    amount = quote.facts["amount"]
    valid_until = _quoted(case, quote)
    case.ask(_APPROVAL, lambda tx: _approval(tx, case, request, quote, reason, valid_until))
    answer = case.answer(_APPROVAL)
    if answer.is_yes:
        return True
    expired = answer.state == GateState.EXPIRED
    how = ("niet op tijd beantwoord", "was not answered in time") if expired else ("afgewezen", "was refused")
    said = {"amount": amount, "how_nl": how[0], "how_en": how[1]}
    tell(case, "quote/ended", "quote_ended", said, roles=("cluster_manager",))
    return False


def _quoted(case: CaseRun, quote: Outcome) -> date | None:
    """Leave evidence of the quote; the last day on which it is valid, None when it was left before that was.

    `documents` are the ids of the quote's documents.
    """
    quoted = {"amount": quote.facts["amount"], "documents": quote.documents}

    def write(tx: Tx) -> date:
        here = desk_of(tx, case)
        valid_until = _valid_until(here, quote.facts.get("validity_days"))
        body = plain(quoted | {"valid_until": valid_until})
        tx.prove(Event.RFC_QUOTED, case.customer, body, case_id=case.lease.case_id, clause="S-2.3.3")
        return valid_until

    found = case.record("quote/evidence", write, payload=quoted)
    return date.fromisoformat(found) if found else None


def _valid_until(here: Desk, days: str | None = None) -> date:
    return here.today + timedelta(days=int(days or here.terms.lead_times.quote_validity))


def _delivery(tx: Tx, case: CaseRun, request: Request) -> GateSpec:
    here = desk_of(tx, case)
    validity = here.terms.term(_VALIDITY)
    least = validity.value if validity.origin == "agreement" else 1
    return here.delivery(
        _QUOTE,
        "account_manager",
        "quote",
        request.words | {"validity": str(validity.value), "validity_least": str(least)},
        documents=request.documents,
        due=here.our_duty("lead_times.quote"),
        label=f"{request.label}: make the quote",
    )


def _approval(
    tx: Tx, case: CaseRun, request: Request, quote: Outcome, reason: str, valid_until: date | None
) -> GateSpec:
    here = desk_of(tx, case)
    last_on = valid_until or _valid_until(here)
    words = {"amount": quote.facts["amount"], "reason": reason or "–", "valid_until": last_on.isoformat()}
    return here.approval(
        _APPROVAL,
        "cluster_manager",
        "quote_approval",
        request.words | words,
        otherwise=Verb.REFUSE,
        documents=quote.documents,
        due=Due(by=end_of_day(last_on), clause="S-2.3.4", origin="customer", closes=True),
        label=f"{request.label}: quote of € {quote.facts['amount']}",
    )
