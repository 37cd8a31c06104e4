"""Stage 3, planning: a date agreed with the customer, on which a production window opens (S-2.3.4)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final

from nakoming.agreement.errors import CalendarYearError, WindowTooShortError
from nakoming.agreement.gate_rules import Verb
from nakoming.agreement.in_words import day_in_words
from nakoming.agreement.local_time import local_date
from nakoming.agreement.production import production_slot
from nakoming.agreement.windows import WindowKind, first_weekend
from nakoming.records.events import Event
from tasks.questions import desk_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.rfc.request import Request
    from nakoming.agreement.terms import Agreement
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun, Outcome
    from tasks.questions import Desk

_SHOWN: Final = 3


@dataclass(frozen=True, kw_only=True)
class ProductionDate:
    """A day on which a production window opens, and the last day for a beta that is to go with it."""

    on: date
    beta_on: date


@dataclass(frozen=True, kw_only=True)
class _Before:
    """What the release manager is told of the proposal before: the customer's remarks, why it goes back."""

    remarks: str = "–"
    why_nl: str = "–"
    why_en: str = "–"


def planned(case: CaseRun, request: Request) -> date:
    """The date agreed with the customer: proposed and answered, round and round.

    A date that cannot be kept goes back to the release manager without bothering the customer.
    """
    case.stage("planning")
    number, before = 1, _Before()
    while True:
        proposal, agreement = f"planning/{number}/proposal", f"planning/{number}/approval"
        number += 1
        case.ask(proposal, partial(_proposal, case, request, proposal, before))
        proposed = case.answer(proposal)
        planned_on = proposed.facts["planned_on"]
        # A date that the customer was asked about stands, also one from before such dates went back.
        back = None if case.was_asked(agreement) else _not_kept(case, proposed, before)
        if back is not None:
            before = back
            continue
        case.ask(agreement, partial(_date, case, request, agreement, planned_on))
        answer = case.answer(agreement)
        if answer.is_yes:
            case.prove("planning/evidence", Event.RFC_PLANNED, clause="S-2.3.4", planned_on=planned_on)
            return date.fromisoformat(planned_on)
        before = _Before(remarks=" ".join(answer.remarks) or "–")


def production_dates(here: Desk) -> Iterator[ProductionDate]:
    """The days that can be kept from now on, without end or until the years that the agreement knows.

    The reserve Sunday of a first weekend (S-2.6.10) is kept as a reserve.
    """
    window, after = here.terms.windows.production_release, here.now
    with suppress(CalendarYearError, WindowTooShortError):
        while True:
            found = production_slot(
                here.terms,
                here.calendar,
                beta_installed_at=here.now,
                accepted_at=here.now,
                now=after,
                needed=here.terms.deployment.needed,
            )
            if found.slot is None:
                return
            after = window.following(found.slot)
            if not _is_reserve(here.terms, found.release_on):
                yield ProductionDate(on=found.release_on, beta_on=local_date(found.beta_by))


def _is_reserve(terms: Agreement, on: date) -> bool:
    kind = terms.windows.production_release.kind
    return kind is WindowKind.FIRST_WEEKEND and on != first_weekend(on)[0]


def _not_kept(case: CaseRun, proposed: Outcome, before: _Before) -> _Before | None:
    """Why a date cannot be kept, judged on the day of the proposal: it has passed, or no window opens."""
    on = date.fromisoformat(proposed.facts["planned_on"])
    nl, en = day_in_words(on, "nl"), day_in_words(on, "en")
    if on < local_date(proposed.closed_at):
        why = (
            f"De voorgestelde datum, {nl}, is al voorbij.",
            f"The proposed date, {en}, has passed already.",
        )
    elif case.agreement().windows.production_release.opening_on(on) is None:
        why = (f"Op {nl} gaat geen productievenster open.", f"No production window opens on {en}.")
    else:
        return None
    return _Before(remarks=before.remarks, why_nl=why[0], why_en=why[1])


def _proposal(case: CaseRun, request: Request, name: str, before: _Before, tx: Tx) -> GateSpec:
    here = desk_of(tx, case)
    dates = [each for each, _ in zip(production_dates(here), range(_SHOWN), strict=False)]
    words = {
        "remarks": before.remarks,
        "why_nl": before.why_nl,
        "why_en": before.why_en,
        "dates_nl": _in_words(dates, "nl", "{on} (beta uiterlijk {beta_on})"),
        "dates_en": _in_words(dates, "en", "{on} (beta by {beta_on})"),
    }
    return here.delivery(
        name,
        "release_manager",
        "planning",
        request.words | words,
        due=here.our_duty("lead_times.planning"),
        label=f"{request.label}: propose a date",
    )


def _in_words(dates: list[ProductionDate], language: str, words: str) -> str:
    said = [
        words.format(on=day_in_words(each.on, language), beta_on=day_in_words(each.beta_on, language))
        for each in dates
    ]
    return "; ".join(said) or "–"


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
