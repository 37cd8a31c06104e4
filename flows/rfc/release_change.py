"""A generic request comes in another release than was said: the customer is told again (S-2.3.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flows.rfc.judgement import CHOICE
from flows.rfc.plan import RELEASE_FACT
from flows.rfc.request import request_from
from nakoming.agreement.local_time import local_date
from nakoming.errors import NakomingError, UsageError
from nakoming.records import case_facts, cases, gates, steps
from nakoming.records.errors import CaseClosed
from nakoming.records.events import Event
from nakoming.records.store import new_id
from tasks.notices import put_notice
from tasks.questions import Desk

if TYPE_CHECKING:
    from nakoming.records.cases import Case
    from nakoming.records.gate_model import Contact
    from nakoming.records.store import Tx

_RELEASE: Final = re.compile(r"20[0-9]{2}\.(0[1-9]|1[0-2])")


class ReleaseMalformed(UsageError):
    """A release is not written as one."""

    template = "'{release}' is no release; allowed: year.month, such as 2027.03, from {first} on."
    code = "NK7170"


class NotGeneric(NakomingError):
    """Only a generic request is planned for a release."""

    template = "{key} has no release to change: {why}."
    code = "NK7171"


class ReleaseUnchanged(UsageError):
    """The request is planned for that release already."""

    template = "{key} is planned for release {release} already."
    code = "NK7172"


class AlreadyLive(NakomingError):
    """The change is on production, or on its way there at this instant."""

    template = "{key} cannot be planned anew: it is {where}."
    code = "NK7173"


@dataclass(frozen=True)
class Changed:
    """What was changed, and who is told."""

    before: str
    told: tuple[Contact, ...]


def change_release(tx: Tx, key: str, release: str, *, by: str, reason: str) -> Changed:
    """Plan a generic request for another release: fact, evidence and notice in this transaction.

    The case wakes, so that a window it waits for is chosen again.

    Raises:
        UnknownCase: there is no such case.
        CaseClosed: it has ended.
        ReleaseMalformed: it is not written as one, or its month has passed.
        NotGeneric: it is specific, a problem, not judged yet, or has no release yet.
        ReleaseUnchanged: it is planned for it already.
        AlreadyLive: it is on production, or being installed there.
    """
    case = _locked(tx, key)
    _check_form(tx, release)
    before = _release_of(tx, case)
    _refuse_live(tx, case)
    if before == release:
        raise ReleaseUnchanged(key=key, release=release)
    case_facts.put(tx, case.id, case.customer, RELEASE_FACT, release)
    payload = {"release": release, "before": before, "by": by, "reason": reason}
    tx.prove(Event.RFC_PLANNED, case.customer, payload, case_id=case.id, clause="S-2.3.6")
    told = _tell(tx, case, release, before, reason)
    cases.wake(tx, case.id)
    return Changed(before, told)


def _locked(tx: Tx, key: str) -> Case:
    """The case with its row locked: an installation that begins now begins before or after the change."""
    cases.lock(tx, cases.by_key(tx, key).id)
    case = cases.by_key(tx, key)
    if case.kind != "rfc":
        raise NotGeneric(key=key, why="it is no request for change")
    if case.state == cases.State.CLOSED:
        raise CaseClosed(key=key, outcome=case.outcome)
    return case


def _check_form(tx: Tx, release: str) -> None:
    first = f"{local_date(tx.now):%Y.%m}"
    if not _RELEASE.fullmatch(release) or release < first:
        raise ReleaseMalformed(release=release, first=first)


def _release_of(tx: Tx, case: Case) -> str:
    planned = case_facts.get(tx, case.id, case.customer, RELEASE_FACT)
    if planned is not None:
        return str(planned)
    if case.parameters["kind"] == "problem":
        raise NotGeneric(key=case.key, why="it is a problem, and those are solved without a release")
    judged = [gate.option for gate in gates.of_case(tx, case.id) if gate.name == CHOICE]
    why = {
        "specific": "it was judged specific, and has a date agreed with the customer",
        "generic": "it was judged generic, but its first release is not chosen yet",
    }
    raise NotGeneric(key=case.key, why=why.get(str(judged[0]) if judged else "", "it is not judged yet"))


def _refuse_live(tx: Tx, case: Case) -> None:
    if case.stage == "closing":
        raise AlreadyLive(key=case.key, where="in production already")
    began = {step.name: step.state for step in steps.listed(tx, case.id)}
    attempt = max(
        (int(n.split("/")[1]) for n in began if re.fullmatch(r"production/\d+/stage", n)), default=0
    )
    if case.stage == "production" and began.get(f"production/{attempt}/install") in _UNDER_WAY:
        raise AlreadyLive(key=case.key, where="being installed on production")


_UNDER_WAY: Final = (steps.StepState.INTENT, steps.StepState.DONE)


def _tell(tx: Tx, case: Case, release: str, before: str, reason: str) -> tuple[Contact, ...]:
    values = {
        "release": release,
        "before": before,
        "reason_nl": f"Reden: {reason}" if reason else "",
        "reason_en": f"Reason: {reason}" if reason else "",
    }
    here = Desk.open(tx, case.customer, case.agreement_version)
    said = request_from(tx, case).words | values
    return put_notice(tx, case, here, f"release-changed/{new_id()}", "release_changed", said)
