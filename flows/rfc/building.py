"""Stages 6 and 7, build and test: what does not build or is red goes back with the list (S-2.3.2d, e)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.rfc import beta
from nakoming.records.events import Event
from tasks.artefacts import build_artefact, test_artefact
from tasks.questions import desk_of

if TYPE_CHECKING:
    from flows.rfc.request import Request
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Tx
    from tasks.artefacts import Artefact, Tested
    from tasks.case_run import CaseRun

_NAMES_TOLD = 20


@dataclass(frozen=True)
class GoesBack:
    """A round that made nothing usable; `why` is what the builder is told."""

    why: str


def built_and_tested(case: CaseRun, request: Request, number: int, why: str) -> Artefact | GoesBack:
    """The artefact of this round when it was built and every test is green; else why it goes back."""
    case.stage("build", number)
    gate = f"build/{number}/revision"
    refused = beta.why_not_installed(case, number - 1)
    why = why if refused is None else f"{why} {refused}"
    case.ask(gate, lambda tx: _ready(tx, case, request, gate, why))
    revision = case.answer(gate).facts["revision"]
    command = request.build_command
    built = case.do(f"build/{number}/artefact", build_artefact, command=command, revision=revision)
    if built.artefact is None:
        return GoesBack(f"{revision}: {built.reason}")
    made = {"revision": revision, "version": built.artefact.version, "sha256": built.artefact.sha256}
    case.prove(f"build/{number}/evidence", Event.BUILD_MADE, clause="S-2.3.2d", **made)
    case.stage("test", number)
    tested = case.do(
        f"test/{number}/run", test_artefact, command=request.test_command, artefact=built.artefact
    )
    event = Event.TEST_PASSED if tested.green else Event.TEST_FAILED
    result = {"total": tested.total, "failed": tested.failed, "reason": tested.reason}
    case.prove(f"test/{number}/evidence", event, clause="S-2.3.2e", sha256=built.artefact.sha256, **result)
    return built.artefact if tested.green else _red(revision, tested)


def _red(revision: str, tested: Tested) -> GoesBack:
    names = "\n".join(f"{name}: {message}" for name, message in tested.failed[:_NAMES_TOLD])
    return GoesBack(f"{revision}: {tested.reason}\n{names}".strip())


def _ready(tx: Tx, case: CaseRun, request: Request, name: str, why: str) -> GateSpec:
    here = desk_of(tx, case)
    return here.delivery(
        name,
        "builder",
        "build",
        request.words | {"remarks": why},
        label=f"{request.label}: which revision?",
    )
