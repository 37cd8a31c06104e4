"""Stage 10, production: the first window that keeps both lead times; same digest, same script (S-2.3.2h)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flows.rfc.beta import Beta, target
from flows.rfc.plan import RELEASE_FACT, plan_of
from flows.rfc.request import tell
from nakoming.agreement.local_time import local_date
from nakoming.records.errors import GateReopened
from nakoming.records.events import Event
from tasks import operators
from tasks.deployment import Installed, Standing, install, look_at, roll_back
from tasks.erp.after_release import start_comparison
from tasks.ledger import FactChanged, WindowPassed
from tasks.questions import desk_of

if TYPE_CHECKING:
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun


_COMPARES = 2  # the revision of the street that has the check after a release


class Went(StrEnum):
    """How it went."""

    LIVE = "live"
    REJECTED = "rejected"
    OVERTAKEN = "overtaken"
    SCRIPT_CHANGED = "script_changed"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Result:
    """How it went, and what the builder is told when it goes back."""

    went: Went
    why: str


@dataclass(frozen=True)
class _Slot:
    """The window that is waited for; `last_start` keeps installation and rollback inside it.

    `release` is the one it was chosen for: when the request is planned for another, it is chosen again.
    """

    start_at: datetime
    last_start_at: datetime
    why: str
    release: str | None

    @property
    def facts(self) -> dict[str, str | None]:
        """What must not change while it is waited for."""
        return {RELEASE_FACT: self.release}


def taken_into_production(
    case: CaseRun, number: int, beta: Beta, gate: str | None, planned_on: date | None
) -> Result:
    """Take the beta into production once it is accepted; `gate` is None where no acceptance is asked."""
    look = 0
    while True:
        look += 1
        name = f"production/{number}/{look}"
        accepted_at = beta.installed_at
        if gate is not None:
            answer = case.look(f"{name}/acceptance", gate)
            if answer is None or not answer.is_yes:
                return _rejected(case, gate)
            accepted_at = answer.closed_at
        case.stage("production", number)
        slot = _slot(case, name, beta, accepted_at, planned_on)
        if not case.wait_until(f"{name}/window", slot.start_at, slot.why, unless=gate, facts=slot.facts):
            continue  # the acceptance was taken back, or another release planned, while the case waited
        hindered = _hindered(case, name, beta)
        if hindered is not None:
            return hindered
        try:
            done = _installed(case, number, beta, gate, slot)
        except (GateReopened, FactChanged):
            continue  # taken back, or planned for another release, at the last moment
        except WindowPassed:
            continue  # the worker was away while the window was open: the next one
        return _verified(case, number, beta, done, planned_on)


def _installed(case: CaseRun, number: int, beta: Beta, gate: str | None, slot: _Slot) -> Installed:
    return case.guarded(
        f"production/{number}/install",
        (gate,) if gate else (),
        install,
        not_after=slot.last_start_at,
        facts=slot.facts,
        inputs={"target": target(case, "production"), "artefact": beta.artefact},
    )


def _rejected(case: CaseRun, gate: str) -> Result:
    remarks = " ".join(case.answer(gate).remarks)
    return Result(Went.REJECTED, f"The customer rejected the beta: {remarks or 'without remarks'}")


def _slot(case: CaseRun, name: str, beta: Beta, accepted_at: datetime, planned_on: date | None) -> _Slot:
    def read(tx: Tx) -> dict[str, Any]:
        plan = plan_of(tx, case, planned_on, beta_installed_at=beta.installed_at, accepted_at=accepted_at)
        window, needed = plan.window, desk_of(tx, case).terms.deployment.needed
        if window.slot is None:
            msg = f"no window fits: {window.reason.code}"
            raise AssertionError(msg)
        passed = "; ".join(
            f"{r.release_on}: {r.code} (by {r.by:%Y-%m-%d %H:%M} UTC)" for r in window.passed_over
        )
        return {
            "start_at": window.slot.start_at,
            "last_start_at": window.slot.end_at - needed,
            "why": f"window of {window.release_on}" + (f"; passed over {passed}" if passed else ""),
            "release": plan.release,
        }

    found = case.record(f"{name}/slot", read)
    start_at = datetime.fromisoformat(found["start_at"])
    last_start_at = datetime.fromisoformat(found["last_start_at"])
    return _Slot(start_at, last_start_at, found["why"], found.get("release"))


def _hindered(case: CaseRun, name: str, beta: Beta) -> Result | None:
    """Why this beta may not be installed any more; nothing is installed then, and it is built anew."""
    stands = case.do(f"{name}/look", look_at, target=target(case, "production"))
    if stands.sha256 not in {beta.built_on.sha256, beta.artefact.sha256}:
        return Result(Went.OVERTAKEN, _overtaken(beta.built_on, stands))
    tried, now = beta.installed.script_sha256, stands.script_sha256
    if tried is None or now is None or tried == now:  # none where an earlier version looked
        return None
    return _script_changed(case, name, tried, now)


def _overtaken(built_on: Standing, stands: Standing) -> str:
    return (
        "Production holds another version than this one was built on: "
        f"{stands.version or 'nothing'} in place of {built_on.version or 'nothing'}."
    )


def _script_changed(case: CaseRun, name: str, tried: str, now: str) -> Result:
    """One script for acceptance and production (S-2.6.3): with another one the beta was no rehearsal."""
    why = (
        f"The deploy script of production (SHA-256 {now}) is not the one that installed the beta "
        f"({tried}). Nothing was installed; a new beta is made with the script of now."
    )
    refused = {"reason": why, "environment": "production"}
    case.prove(f"{name}/refused", Event.DEPLOYMENT_FAILED, clause="S-2.6.3", **refused)
    case.record(f"{name}/operators", lambda tx: operators.tell_script_changed(tx, case.lease, name, why))
    return Result(Went.SCRIPT_CHANGED, why)


def _verified(case: CaseRun, number: int, beta: Beta, done: Installed, planned_on: date | None) -> Result:
    name = f"production/{number}"
    if not done.ok:
        return _went_back(case, name, beta, done)
    at = case.now(f"{name}/installed-at")
    facts = {
        "sha256": done.sha256,
        "version": done.version,
        "at": at,
        "script": done.script_sha256,
        "same_script_as_beta": done.script_sha256 == beta.installed.script_sha256,
        "planned_on": planned_on,
    }
    case.prove(f"{name}/evidence", Event.PRODUCTION_INSTALLED, clause="S-2.3.2h", **facts)
    if planned_on is not None and local_date(at) > planned_on:
        late = {"term": "planned_on", "agreed": planned_on, "at": at}
        case.prove(f"{name}/late", Event.TERM_BREACHED, clause="S-2.3.4", **late)
    said = {"version": beta.artefact.version, "sha256": beta.artefact.sha256}
    tell(case, f"{name}/told", "production", said)
    _compared_after(case, name)
    return Result(Went.LIVE, "")


def _compared_after(case: CaseRun, name: str) -> None:
    """The exchange with the customer's ERP still holds: checked by a run of its own (S-2.6.7a)."""
    # Cases of the first revision were opened before there was such a check.
    if case.revision >= _COMPARES and case.agreement().erp.connection is not None:
        case.do(f"{name}/compared", start_comparison, reference=case.case.subject)


def _went_back(case: CaseRun, name: str, beta: Beta, done: Installed) -> Result:
    before = Standing(sha256=beta.built_on.sha256, version=beta.built_on.version, url=beta.built_on.url)
    failed = {"sha256": beta.artefact.sha256, "reason": done.reason, "environment": "production"}
    case.prove(f"{name}/failed", Event.DEPLOYMENT_FAILED, clause="S-2.6.13", **failed)
    where = target(case, "production")
    back = case.do(f"{name}/rollback", roll_back, target=where, artefact=beta.artefact, before=before)
    restored = {"sha256": back.sha256, "version": back.version}
    case.prove(f"{name}/rolled-back", Event.DEPLOYMENT_ROLLED_BACK, clause="S-2.6.13", **restored)

    def write(tx: Tx) -> None:
        operators.tell_rolled_back(tx, case.lease, name, done.reason)

    case.record(f"{name}/operators", write)
    tell(case, f"{name}/not-installed", "not_installed")
    return Result(Went.ROLLED_BACK, f"The installation on production failed: {done.reason}")
