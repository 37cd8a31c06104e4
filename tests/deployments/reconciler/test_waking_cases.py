"""A case whose run is suspended goes on when it is woken, whatever happened to the run meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from deployments.waker import BackgroundWaker
from nakoming.records import failures
from nakoming.records.case_model import State
from tasks.waking import waker
from tasks.waking.reconciler import reconcile_once
from tasks.waking.runs import Runs
from tasks.waking.waker import Waker
from tests.deployments.reconciler.conftest import say
from tests.deployments.warm.conftest import Run, is_alive, warm_worker
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from nakoming.records.cases import Case
    from tasks.waking.reconciler import Report
    from tests.deployments.reconciler.conftest import House

pytestmark = pytest.mark.usefixtures("prefect_api")


def wake(house: House, case: Case) -> bool:
    """Wake a case, as the portal does; false when its worker was faster and its run is just being claimed."""

    async def work() -> bool:
        async with Runs() as runs:
            return await Waker(house.records, runs).wake(case.id)

    return asyncio.run(work())


def reconcile(house: House) -> Report:
    """One pass."""

    async def work() -> Report:
        async with Runs() as runs:
            return await reconcile_once(house.records, runs)

    return asyncio.run(work())


def suspended(house: House, deployment: str) -> tuple[Run, Case]:
    """A run that waits for the customer."""
    run = house.start(deployment)
    run.reaches("Suspended")
    return run, house.reaches(run, State.WAITING)


def test_an_answer_resumes_the_run_and_the_case_ends(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    house.answer(case)
    wait_for(lambda: wake(house, case))
    run.reaches("Completed")
    closed = house.reaches(run, State.CLOSED)
    assert (closed.outcome, house.runs_of(case), len(run.lines("after"))) == ("approve", 1, 1)
    wait_for(lambda: wake(house, case))


def test_waking_from_a_thread_returns_at_once(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    house.answer(case)
    background = BackgroundWaker(house.records)
    try:
        begun = time.monotonic()
        told = background.wake_soon(case.id)
        assert time.monotonic() - begun < 0.05
        assert told.result(timeout=10) or wait_for(lambda: background.wake_soon(case.id).result(timeout=10))
    finally:
        background.close()
    run.reaches("Completed")


def test_resume_in_the_ui_of_an_undecided_gate_changes_nothing(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    run.resume()
    run.enters(2)
    run.reaches("Suspended")
    assert house.is_open(house.reaches(run, State.WAITING))
    assert run.lines("after") == []
    assert (house.runs_of(case), reconcile(house).woken) == (1, [])


def test_a_case_that_does_not_want_to_run_is_left_alone(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    before = run.state["id"]
    wait_for(lambda: wake(house, case))
    assert run.state["id"] == before


def withdraw(house: House, case: Case) -> None:
    with house.records.write() as tx:
        failures.withdraw(tx, case.id, "operator", "not needed")


def test_the_run_of_a_withdrawn_case_ends_and_says_so(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    withdraw(house, case)
    reconcile(house)  # the worker may have been faster, after the exit of its child
    assert "has ended (withdrawn)" in run.reaches("Completed")["message"]
    assert (reconcile(house).woken, house.runs_of(case)) == ([], 1)


def test_a_run_that_can_never_go_on_waits_no_longer_when_its_case_is_withdrawn(
    house: House, deployment: str
) -> None:
    assert deployment
    other = house.deploy()
    run, case = suspended(house, other)
    house.api.delete(f"/deployments/{other}").raise_for_status()
    withdraw(house, case)
    wait_for(lambda: wake(house, case))
    assert run.state["name"] in {"Resuming", "Cancelled"}
    assert house.runs_of(case) == 1


def test_a_case_that_is_withdrawn_while_it_works_starts_nothing_more(house: House, deployment: str) -> None:
    run = house.start(deployment, "works")
    wait_for(lambda: run.lines("working"))
    case = house.case_of(run)
    withdraw(house, case)
    assert not wake(house, case)
    run.marks.with_name(f"{run.marks.name}.enough").touch()
    wait_for(lambda: run.state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
    assert wait_for(lambda: wake(house, case))
    assert (house.runs_of(case), reconcile(house).woken) == (1, [])


def test_a_deleted_run_is_replaced(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    house.api.delete(f"/flow_runs/{run.id}").raise_for_status()
    house.answer(case)
    wait_for(lambda: wake(house, case))
    assert house.reaches(run, State.CLOSED).outcome == "approve"
    assert house.runs_of(case) == 2
    house.newest(case, run.marks).reaches("Completed")


def test_a_run_whose_deployment_is_gone_is_replaced_by_the_tagged_one(
    house: House, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deployment
    other = house.deploy()
    run, case = suspended(house, other)
    house.api.delete(f"/deployments/{other}").raise_for_status()
    house.answer(case)
    wait_for(lambda: wake(house, case))
    # Prefect resumes such a run, and no worker ever takes it.
    assert run.state["name"] == "Resuming"
    monkeypatch.setattr(waker, "PATIENCE", timedelta(seconds=-20))
    wait_for(lambda: wake(house, case))
    assert run.state["name"] == "Crashed"
    assert house.reaches(run, State.CLOSED).outcome == "approve"


def test_a_decision_between_undecided_and_suspended_is_not_lost(house: House, deployment: str) -> None:
    run = house.start(deployment, "lingers")
    wait_for(lambda: run.lines("window"))
    case = house.reaches(run, State.WAITING)
    house.answer(case)
    assert not wake(house, case)
    assert run.state["name"] == "Running"
    run.marks.with_name(f"{run.marks.name}.enough").touch()
    # Nobody reconciles here: the worker looks again when the process is gone.
    run.reaches("Completed")
    assert house.reaches(run, State.CLOSED).outcome == "approve"


def test_two_operators_start_the_same_case_and_one_works(house: House, deployment: str) -> None:
    runs = [house.start(deployment, "works", "T-twice") for _ in range(2)]
    joined = wait_for(lambda: [run for run in runs if run.state["name"] == "Completed"])
    assert "Joined" in joined[0].state["message"]
    (working,) = [run for run in runs if run.id != joined[0].id]
    assert len(working.lines("begun")) == 1
    working.marks.with_name(f"{working.marks.name}.enough").touch()
    working.reaches("Suspended")
    assert house.runs_of(house.case_of(working)) == 1


def test_two_wakers_make_one_run(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    house.api.delete(f"/flow_runs/{run.id}").raise_for_status()
    house.answer(case)

    async def work() -> list[bool]:
        async with Runs() as one, Runs() as other:
            wakers = [Waker(house.records, one), Waker(house.records, other)]
            return await asyncio.gather(*(waker.wake(case.id) for waker in wakers))

    told = asyncio.run(work())
    assert any(told)
    house.reaches(run, State.CLOSED)
    assert house.runs_of(case) == 2
    body = {"flow_runs": {"idempotency_key": {"any_": [f"{case.id}:1:0"]}}}
    found = house.api.post("/flow_runs/filter", json=body).raise_for_status().json()
    assert len(found) == 1


def test_cancel_in_the_ui_holds_the_case_until_it_is_started_again(house: House, deployment: str) -> None:
    run, case = suspended(house, deployment)
    house.cancel(run)
    run.reaches("Cancelled")
    assert case.key in reconcile(house).held
    house.answer(case)
    wait_for(lambda: wake(house, case))
    assert house.case_of(run).state == State.HELD
    assert reconcile(house).held == []
    again = house.start(deployment, reference=run.marks.stem)
    again.reaches("Completed")
    assert house.case_of(run).state == State.CLOSED


def test_cancel_of_a_working_run_holds_its_case(house: House, deployment: str) -> None:
    run = house.start(deployment, "works")
    wait_for(lambda: run.lines("working"))
    house.cancel(run)
    run.reaches("Cancelled")
    reconcile(house)  # the worker may have been faster
    assert house.case_of(run).state == State.HELD


def test_a_killed_process_is_replaced_at_once(house: House, deployment: str) -> None:
    run = house.start(deployment, "works")
    wait_for(lambda: run.lines("working"))
    pid = int(run.lines("entered")[0][0])
    run.marks.with_name(f"{run.marks.name}.enough").touch()
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    # Either the flow was past its wait and is suspended, or it was cut and a new run waits for the customer.
    case = house.reaches(run, State.WAITING)
    say(f"recovery after kill -9 of the flow: {time.monotonic() - begun:.2f} s")
    house.answer(case)
    wait_for(lambda: wake(house, case))  # its run may wait in the records and not yet be Suspended in Prefect
    house.reaches(run, State.CLOSED)
    assert len(run.lines("begun")) == 1


def test_a_case_whose_process_and_worker_were_killed_is_taken_up(
    house: House, deployment: str, worker: int
) -> None:
    del deployment
    limited = house.deploy(concurrency_limit=1)
    with warm_worker(house.server, house.pool, **house.environment) as doomed:
        os.kill(worker, signal.SIGSTOP)  # so that the other one takes the run
        run = house.start(limited, "works")
        wait_for(lambda: run.lines("working"))
        pid = int(run.lines("entered")[0][0])
        os.kill(worker, signal.SIGCONT)
        begun = time.monotonic()
        os.kill(doomed, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid))
        run.marks.with_name(f"{run.marks.name}.enough").touch()
        assert run.state["name"] == "Running"
        report = reconcile(house)
        assert (report.crashed, report.woken) == ([run.id], [house.case_of(run).key])
        case = house.reaches(run, State.WAITING)
        say(f"recovery after kill -9 of flow and worker: {time.monotonic() - begun:.2f} s")
    assert run.state["name"] == "Crashed"
    # The limit of one was held by the dead run; that this one runs says it is free.
    house.newest(case, run.marks).reaches("Suspended")
    assert (house.runs_of(case), len(run.lines("begun"))) == (2, 1)
