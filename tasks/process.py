"""One run of a process: open or join its case, work until it waits or ends, and let go of it.

Flows call `run_process` and nothing else of this module. Whatever ends the run (a kill included), the next
run of the same case goes on from the last finished step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from prefect.context import FlowRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.states import Completed, Failed

from nakoming.records import agreements, case_runs, cases, failures, steps
from nakoming.records.cases import State
from nakoming.records.errors import CaseHeld, LeaseLost
from nakoming.records.owners import this_process
from nakoming.records.store import new_id
from tasks import artifacts, operators
from tasks.case_run import CaseRun
from tasks.heartbeat import heartbeat
from tasks.installation import records as installed_records
from tasks.nodes import show
from tasks.waits import CaseWaits

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect.client.schemas.objects import State as PrefectState

    from nakoming.records.store import Records, Tx

_LEASE_POLL_SECONDS = 0.25
LOCAL = "local-"  # begins the name of a run that is none of Prefect's


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process as its flow declares it. `revision` rises when steps are added to cases under way.

    A case of a `led` process is tried again by its parent, or by whoever starts it: until then it waits.
    """

    kind: str
    revision: int
    walk: Callable[[CaseRun], str]  # gives the outcome
    red: frozenset[str] = frozenset()  # outcomes that operators must see as a failed run; the case has ended
    led: bool = False


@dataclass(frozen=True)
class Joined:
    """The case is there and needs nothing of this run; `why` says how it stands."""

    why: str


def run_process(
    process: Process, *, customer: str, subject: str, parameters: dict[str, Any]
) -> PrefectState[Any]:
    """Work on the case of this business key until it waits, ends or fails; the Prefect state of the run.

    Raises:
        UnknownAgreement: there is no such customer.
        Exception: whatever the process raised; the case is tried again, and is stuck after five attempts.
    """
    records = installed_records()
    entered = _enter(records, process, customer, subject, parameters)
    if isinstance(entered, Joined):
        return Completed(message=entered.why)
    try:
        with heartbeat(records, entered.lease):
            outcome = process.walk(entered)
        with records.write() as tx:
            cases.close(tx, entered.lease, outcome)
    except CaseWaits as waits:
        _suspend(records, entered, waits)
    except LeaseLost as lost:
        return Completed(name="TakenOver", message=str(lost))
    except Exception as raised:
        _failed(records, entered, raised)
        raise
    entered.catch_up()
    artifacts.publish(records, entered.lease.case_id)
    ended = Failed if outcome in process.red else Completed
    return ended(message=f"{entered.key}: {outcome}")


def _enter(
    records: Records, process: Process, customer: str, subject: str, parameters: dict[str, Any]
) -> CaseRun | Joined:
    run_id = current_run()
    while True:
        try:
            with records.write() as tx:
                deployment = current_deployment()
                return take(tx, process, customer, subject, parameters, run_id, deployment)
        except CaseHeld as held:
            with records.read() as tx:
                mine = _is_mine(tx, process, customer, subject, run_id)
            if not mine:
                return Joined(f"Joined: {held}")
            # This very run was started over: its former process is being fenced off.
            time.sleep(_LEASE_POLL_SECONDS)


def take(
    tx: Tx,
    process: Process,
    customer: str,
    subject: str,
    parameters: dict[str, Any],
    run_id: str,
    deployment: str | None = None,
    parent_id: str | None = None,
) -> CaseRun | Joined:
    """Open or join the case and take its lease, in one transaction; `CaseHeld` when another run has it."""
    version = agreements.newest_version(tx, customer)
    opened = cases.open_case(
        tx,
        process.kind,
        customer,
        subject,
        agreement_version=version,
        flow_revision=process.revision,
        parameters=parameters,
        parent_id=parent_id,
    )
    case = opened.case
    if case.state == State.CLOSED:
        return Joined(f"Joined: {case.key} has ended ({case.outcome}).{_differing(opened)}")
    due = case.wake_at is not None and case.wake_at <= tx.now
    due = due or process.led
    if case.state == State.WAITING and not due and case_runs.newest(tx, case.id) != run_id:
        return Joined(f"Joined: {case.key} waits; nothing to do now.{_differing(opened)}")
    lease = cases.acquire(tx, case.id, this_process())
    case_runs.note(tx, case.id, run_id, deployment)
    finished = steps.finished(tx, case.id, customer)
    return CaseRun(tx.records, lease, cases.get(tx, case.id), finished, done_before=len(finished))


@dataclass(frozen=True)
class Worked:
    """How a case stands that was worked on within another run; `is_red`: an operator should look."""

    key: str
    said: str
    is_red: bool = False


def work_within(
    process: Process, *, customer: str, subject: str, parameters: dict[str, Any], parent_id: str | None = None
) -> Worked:
    """Work on a case within the run of something larger, which neither waits for it nor fails with it.

    A case that waits, or whose run dies, is taken up by the reconciler in a run of its own; one that failed
    too, unless its process is led by the parent: that one tries it again.
    """
    records = installed_records()
    key = f"{process.kind}/{customer}/{subject}"
    try:
        with records.write() as tx:
            run_id = f"{LOCAL}{new_id()}"
            entered = take(tx, process, customer, subject, parameters, run_id, parent_id=parent_id)
    except CaseHeld as held:
        return Worked(key, str(held))
    if isinstance(entered, Joined):
        return Worked(key, entered.why)
    try:
        outcome = _walked_within(records, process, entered)
    except LeaseLost as lost:
        return Worked(key, str(lost))
    except Exception as raised:  # noqa: BLE001 - whatever it was: the others go on, the case is tried again
        _failed(records, entered, raised, led=process.led)
        return Worked(key, f"failed: {raised}", is_red=True)
    if not process.led:  # its parent shows them all in one table
        artifacts.publish(records, entered.lease.case_id)
    return Worked(key, outcome, outcome in process.red)


def _walked_within(records: Records, process: Process, entered: CaseRun) -> str:
    try:
        with heartbeat(records, entered.lease):
            outcome = process.walk(entered)
        with records.write() as tx:
            cases.close(tx, entered.lease, outcome)
    except CaseWaits as waits:
        with records.write() as tx:
            cases.wait(tx, entered.lease, waits.waits_for)
        outcome = str(waits)
    entered.catch_up()
    return outcome


def _is_mine(tx: Tx, process: Process, customer: str, subject: str, run_id: str) -> bool:
    case = cases.find(tx, process.kind, customer, subject)
    return case is not None and case_runs.newest(tx, case.id) == run_id


def _differing(opened: cases.Opened) -> str:
    if not opened.differences:
        return ""
    return f" The case keeps its own {', '.join(sorted(opened.differences))}; what was given now differs."


def _suspend(records: Records, run: CaseRun, waits: CaseWaits) -> NoReturn:
    """Let go of the case first, then of the Prefect run: a decision in between is seen by the worker."""
    with records.write() as tx:
        cases.wait(tx, run.lease, waits.waits_for)
    _show_all(run)
    artifacts.publish(records, run.lease.case_id)
    suspend_flow_run(timeout=None, key=new_id())
    msg = "a suspended run does not go on"
    raise AssertionError(msg)


def _show_all(run: CaseRun) -> None:
    """What this run did, and one node for all that earlier runs did, instead of each step again."""
    run.catch_up()
    if run.done_before:
        show(f"{run.done_before} steps done before", lambda: run.done_before)


def _failed(records: Records, run: CaseRun, raised: Exception, *, led: bool = False) -> None:
    error = f"{type(raised).__name__}: {raised}"
    try:
        with records.write() as tx:
            if led:
                failures.left(tx, run.lease, error)
            elif failures.failed(tx, run.lease, error) == State.STUCK:
                operators.tell_stuck(tx, run.lease, error)
    except LeaseLost:
        return  # another holder goes on; its outcome counts
    run.catch_up()
    artifacts.publish(records, run.lease.case_id)


def current_run() -> str:
    """The Prefect run this process works for; a name of its own where there is none."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else f"{LOCAL}{new_id()}"


def current_deployment() -> str | None:
    """The deployment of that run."""
    context = FlowRunContext.get()
    deployment = context.flow_run.deployment_id if context and context.flow_run else None
    return str(deployment) if deployment else None
