"""Stages 8 and 9: the beta on the customer's acceptance environment, and their acceptance (S-2.3.2f, g)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.rfc.plan import plan_of
from flows.rfc.request import Request, tell
from nakoming.agreement.gate_rules import Verb
from nakoming.records import reservations
from nakoming.records.events import Event
from tasks.deployment import Installed, Standing, Target, install, look_at
from tasks.questions import Due, desk_of
from tasks.waits import CaseWaits

if TYPE_CHECKING:
    from datetime import date, datetime

    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.artefacts import Artefact
    from tasks.case_run import CaseRun


@dataclass(frozen=True, kw_only=True)
class Beta:
    """A beta that stands on acceptance; `built_on` is what production held then."""

    artefact: Artefact
    installed: Installed
    installed_at: datetime
    built_on: Standing


def target(case: CaseRun, environment: str) -> Target:
    """An environment of the customer, by the block that the agreement names."""
    environments = case.agreement().environments
    named = environments.acceptance if environment == "acceptance" else environments.production
    return Target(block=named.deploy, customer=case.customer, environment=environment)


def installed_on_acceptance(case: CaseRun, number: int, artefact: Artefact) -> Beta | None:
    """The beta, when health, version and digest were verified; one request at a time has the environment."""
    case.stage("beta", number)
    _reserved(case, number)
    built_on = case.do(f"beta/{number}/production", look_at, target=target(case, "production"))
    where = target(case, "acceptance")
    done = case.do(f"beta/{number}/install", install, target=where, artefact=artefact)
    if not done.ok:
        failed = {"sha256": artefact.sha256, "reason": done.reason, "environment": "acceptance"}
        case.prove(f"beta/{number}/failed", Event.DEPLOYMENT_FAILED, clause="S-2.3.2f", **failed)
        give_up_acceptance(case, number)
        return None
    at = case.now(f"beta/{number}/installed-at")
    facts = {"sha256": done.sha256, "version": done.version, "script": done.script_sha256, "at": at}
    case.prove(f"beta/{number}/evidence", Event.BETA_INSTALLED, clause="S-2.3.2f", **facts)
    said = {"version": artefact.version, "sha256": artefact.sha256, "url": done.url or "–"}
    tell(case, f"beta/{number}/told", "beta", said)
    return Beta(artefact=artefact, installed=done, installed_at=at, built_on=built_on)


def why_not_installed(case: CaseRun, number: int) -> str | None:
    """What the installation of a round's beta said when it failed; none when it did not, or was not tried."""
    _, installed = case.finished.get(f"beta/{number}/install", (None, {"ok": True}))
    return None if installed["ok"] else str(installed["reason"])


def ask_acceptance(case: CaseRun, request: Request, number: int, beta: Beta, planned_on: date | None) -> str:
    """Ask the customer to accept; the name of the gate. Silence is never consent here (S-2.3.2g)."""
    case.stage("acceptance", number)
    gate = f"acceptance/{number}/approval"
    case.ask(gate, lambda tx: _acceptance(tx, case, request, gate, beta, planned_on))
    return gate


def give_up_acceptance(case: CaseRun, number: int) -> None:
    """Leave the acceptance environment to the next request."""
    resource = target(case, "acceptance").resource

    def write(tx: Tx) -> None:
        reservations.free(tx, case.lease.case_id, resource)

    case.record(f"beta/{number}/given-up", write)


def _reserved(case: CaseRun, number: int) -> None:
    resource = target(case, "acceptance").resource

    def write(tx: Tx) -> bool:
        holder = reservations.reserve(tx, case.lease, resource)
        if holder is not None:
            waits: dict[str, Any] = {"resource": resource, "what": f"acceptance is in use by {holder}"}
            raise CaseWaits([waits])
        return True

    case.record(f"beta/{number}/reserved", write)


def _acceptance(
    tx: Tx, case: CaseRun, request: Request, name: str, beta: Beta, planned_on: date | None
) -> GateSpec:
    here = desk_of(tx, case)
    # The first window that would be taken if they accepted at this instant.
    plan = plan_of(tx, case, planned_on, beta_installed_at=beta.installed_at, accepted_at=here.now)
    on = plan.window.release_on
    words = request.words | {
        "version": beta.artefact.version,
        "url": beta.installed.url or "–",
        "release_on": on.isoformat(),
        "planned_nl": f" (gepland: release {plan.release})" if plan.release else "",
        "planned_en": f" (planned: release {plan.release})" if plan.release else "",
    }
    return here.approval(
        name,
        "functional_administrator",
        "acceptance",
        words,
        otherwise=Verb.REQUEST_CHANGES,
        due=Due(by=plan.window.accept_by, clause="S-2.3.2g", origin="customer"),
        label=f"{request.label}: accept {beta.artefact.version}",
    )
