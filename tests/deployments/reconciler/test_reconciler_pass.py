"""A pass makes up for what was missed: the dead are buried, deadlines shown; many cases cost little."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deployments.reconciler.loop import RESOURCE, start_in_thread
from nakoming.records import cases, resource_leases, schema, wake_ups, wishes
from nakoming.records.case_model import State
from nakoming.records.owners import this_process
from tasks.waking import leftovers, runs, shown, waker
from tasks.waking.reconciler import Reconciler, Report
from tasks.waking.runs import Runs
from tests.deployments.reconciler.conftest import say
from tests.harness.prefect_server import PrefectServer
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployments.reconciler.conftest import House

pytestmark = pytest.mark.usefixtures("prefect_api")
HOUR = timedelta(hours=1)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def nobody(house: House) -> str:
    """A deployment in a pool without workers: what is started there stays as it is."""
    body = {"name": house.pool.name, "type": "process"}
    house.api.post("/work_pools/", json=body).raise_for_status()
    return house.deploy()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No patience: what looks dead is dead at once (Prefect's clock, as it tells it, has whole seconds)."""
    monkeypatch.setattr(waker, "PATIENCE", timedelta(seconds=-20))
    monkeypatch.setattr(leftovers, "PATIENCE", timedelta(seconds=-20))
    return


def passes(house: House, times: int = 1) -> Report:
    """So many passes of one reconciler; the report of the last."""

    async def work() -> Report:
        async with Runs() as prefect:
            reconciler = Reconciler(house.records, prefect)
            for _ in range(times):
                report = await reconciler.once()
            return report

    return asyncio.run(work())


def states(house: House, **which: Any) -> dict[str, str]:
    """The states of runs, by name."""
    found = house.api.post("/flow_runs/filter", json={"flow_runs": which}).raise_for_status().json()
    return {run["name"]: run["state"]["type"] for run in found}


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
@pytest.mark.usefixtures("patience")
def test_a_run_that_a_dead_worker_claimed_is_buried_and_replaced(
    house: House, nobody: str, state: str
) -> None:
    run = house.run_of_nobody(nobody, type=state)
    case = house.waiting_case(run.id, nobody)
    house.wake(case)
    house.move(timedelta(seconds=1))
    assert run.id in passes(house).crashed
    assert run.state["type"] == "CRASHED"
    found = states(house, idempotency_key={"any_": [f"{case.id}:1:0"]})
    assert list(found.values()) == ["SCHEDULED"]


def test_a_run_that_was_claimed_just_now_is_left_alone(house: House, nobody: str) -> None:
    run = house.run_of_nobody(nobody, type="PENDING")
    case = house.waiting_case(run.id, nobody)
    house.wake(case)
    assert case.key in passes(house).not_woken
    assert run.state["type"] == "PENDING"


@pytest.mark.usefixtures("patience")
def test_a_new_run_that_dies_before_it_takes_the_case_up_gets_a_successor(house: House, nobody: str) -> None:
    case = house.waiting_case(house.run_of_nobody(nobody, type="CRASHED").id, nobody)
    house.wake(case)
    assert case.key in passes(house).woken
    key = f"{case.id}:1:0"
    (first,) = _ids(house, key)
    house.set_state(first, type="RUNNING")
    house.move(wishes.TELL_AGAIN + timedelta(seconds=1))
    report = passes(house)
    assert (first in report.crashed, case.key in report.woken) == (True, True)
    assert len(_ids(house, f"{key}:{first[:8]}")) == 1
    house.move(wishes.TELL_AGAIN + timedelta(seconds=1))
    assert case.key in passes(house).woken
    assert len(_ids(house, key, f"{key}:{first[:8]}")) == 2


def _ids(house: House, *keys: str) -> list[str]:
    body = {"flow_runs": {"idempotency_key": {"any_": list(keys)}}}
    found = house.api.post("/flow_runs/filter", json=body).raise_for_status().json()
    return [run["id"] for run in found]


@pytest.mark.usefixtures("patience")
def test_the_dead_run_of_a_case_that_has_ended_frees_its_slot(house: House, nobody: str) -> None:
    run = house.run_of_nobody(nobody, type="RUNNING")
    lease = house.held_case(run.id, nobody)
    assert passes(house).crashed == []
    with house.records.write() as tx:
        cases.close(tx, lease, "done")
    house.move(timedelta(seconds=1))
    assert passes(house).crashed == [run.id]


@pytest.mark.usefixtures("patience")
def test_runs_that_are_none_of_ours_and_suspended_ones_are_never_touched(house: House, nobody: str) -> None:
    foreign = house.run_of_nobody(nobody, type="RUNNING")
    paused = house.run_of_nobody(nobody, type="PAUSED", name="Suspended")
    house.waiting_case(paused.id, nobody)
    house.move(HOUR)
    assert passes(house).crashed == []
    assert (foreign.state["type"], paused.state["type"]) == ("RUNNING", "PAUSED")


@pytest.mark.usefixtures("patience")
def test_a_cancellation_that_no_worker_answers_ends_and_holds_the_case(house: House, nobody: str) -> None:
    run = house.run_of_nobody(nobody, type="CANCELLING")
    lease = house.held_case(run.id, nobody)
    house.move(HOUR)
    assert lease.key in passes(house).held
    assert run.state["type"] == "CANCELLED"
    with house.records.read() as tx:
        assert cases.get(tx, lease.case_id).state == State.HELD


def test_a_cancellation_that_a_pass_did_not_see_is_seen_by_the_next(house: House, nobody: str) -> None:
    run = house.run_of_nobody(nobody, type="PAUSED", name="Suspended")
    case = house.waiting_case(run.id, nobody)

    async def work() -> tuple[Report, Report]:
        async with Runs() as prefect:
            reconciler = Reconciler(house.records, prefect)
            await reconciler.once()
            before = await reconciler.once()
            house.set_state(run.id, type="CANCELLED")
            return before, await reconciler.once()

    before, after = asyncio.run(work())
    assert case.key not in before.held
    assert case.key in after.held


def test_a_case_that_nothing_can_run_is_said_in_one_sentence(
    house: House, nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    del nobody
    case = house.waiting_case()
    house.wake(case)
    assert case.key in passes(house).not_woken
    (line,) = [record.getMessage() for record in caplog.records if case.key in record.getMessage()]
    assert "no deployment has the tag 'process:tiny'" in line


def test_deadlines_stand_in_prefect_until_they_are_over(house: House, nobody: str) -> None:
    del nobody
    assert passes(house).shown == 0  # nothing is deployed that could show them
    house.deploy("wake-up", name="wake-up")
    lease = house.held_case()
    at = datetime(2030, 5, 6, 15, 0, tzinfo=UTC)
    with house.records.write() as tx:
        for kind, name in (("deadline", "approval/deadline"), ("reminder", "approval/reminder/1")):
            wake_ups.plan(tx, lease.case_id, kind=kind, name=name, at=at, label="Approve the quote")
    report = wait_for(lambda: (report := passes(house)).shown and report)
    assert report.shown == 1
    (shown_as,) = states(house, name={"like_": lease.key}).items()
    assert shown_as == (f"Approve the quote Mon 06 May 2030 17:00 ({lease.key})", "SCHEDULED")
    assert passes(house).shown == 0
    with house.records.write() as tx:
        cases.close(tx, lease, "done")
    assert passes(house).taken_away == 1
    assert states(house, name={"like_": lease.key}) == {}
    assert passes(house).is_idle or passes(house).taken_away == 0


def test_a_deadline_that_moves_is_shown_anew(house: House, nobody: str) -> None:
    del nobody
    lease = house.held_case()
    for day in (6, 7):
        with house.records.write() as tx:
            at = datetime(2030, 5, day, 15, 0, tzinfo=UTC)
            wake_ups.plan(tx, lease.case_id, kind="instant", name="window/until", at=at, label="The window")
        passes(house, 2)
        (name,) = states(house, name={"like_": lease.key})
        assert name.startswith(f"The window {'Mon' if day == 6 else 'Tue'} 0{day} May 2030 17:00")


def test_the_operators_flow_makes_a_pass_and_shows_it(house: House, nobody: str) -> None:
    case = house.waiting_case(house.run_of_nobody(nobody, type="CRASHED").id, nobody)
    house.wake(case)
    # In a process of its own, as a worker runs it.
    command = [
        sys.executable,
        "-c",
        "import asyncio, flows.reconcile as f; print(asyncio.run(f.reconcile()))",
    ]
    environment = house.server.environment | house.environment
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert "cases woken" in ran.stdout
    which = {"artifacts": {"key": {"any_": ["reconcile"]}}}
    (found,) = house.api.post("/artifacts/filter", json=which).raise_for_status().json()
    assert case.key in found["data"]


def test_only_the_holder_of_the_lease_reconciles(house: House, nobody: str) -> None:
    case = house.waiting_case(house.run_of_nobody(nobody, type="CRASHED").id, nobody)
    lease = timedelta(minutes=1)
    with house.records.write() as tx:
        other = resource_leases.take(tx, RESOURCE, "another-host/boot/1/1", lease=lease)
    house.wake(case)
    end = start_in_thread(house.records, every=0.05)
    try:
        # It has looked at least once when a second loop could have.
        time.sleep(0.5)
        assert _ids(house, f"{case.id}:1:0") == []
        with house.records.write() as tx:
            resource_leases.release(tx, other)
        wait_for(lambda: _ids(house, f"{case.id}:1:0"))
        with house.records.read() as tx:
            holder = resource_leases.holder(tx, RESOURCE)
        assert holder is not None
        assert holder.owner == this_process()
    finally:
        end()
    with house.records.read() as tx:
        assert resource_leases.holder(tx, RESOURCE) is None


def test_while_prefect_is_away_our_own_deadlines_are_kept(
    house: House, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = house.waiting_case(house.run_of_nobody(nobody, type="PAUSED", name="Suspended").id, nobody)
    with house.records.write() as tx:
        wake_ups.plan(tx, case.id, kind="instant", name="x/until", at=tx.now + HOUR, label="x")
    house.move(HOUR * 2)
    nowhere = PrefectServer("http://127.0.0.1:9/api", house.server.home, house.server.log)
    with nowhere.settings(), monkeypatch.context() as patched:
        patched.setattr(runs, "LIMIT_SECONDS", 0.5)
        report = passes(house)
    assert [acted.did for acted in report.acted if acted.case_id == case.id] == ["the case was woken"]
    assert report.away is not None
    assert "does not answer" in report.away
    assert case.key in passes(house).woken


def test_a_pass_over_ten_thousand_waiting_cases_is_quick(house: House, nobody: str) -> None:
    passes(house)
    _plant(house, 10_000)
    case = house.waiting_case(house.run_of_nobody(nobody, type="PAUSED", name="Suspended").id, nobody)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shown, "DEPLOYMENT", "wake-up/none")  # what showing them costs is bounded by time
        house.wake(case)
        busy, idle = passes(house), passes(house, 2)
    say(f"a pass over 10,000 waiting cases: {busy.seconds:.3f} s; an idle one: {idle.seconds:.3f} s")
    assert case.key in busy.woken
    assert busy.seconds < 2
    assert idle.seconds < 2


def _plant(house: House, count: int) -> None:
    """So many cases that wait, each with a deadline, two reminders and an escalation far ahead."""
    with house.records.write() as tx:
        sealed = tx.seal("brouwer", "case/none", {})
        at = tx.now + timedelta(days=30)
        numbers = [f"{number:032x}" for number in range(count)]
        tx.connection.execute(
            schema.cases.insert(),
            [
                {
                    "id": number,
                    "kind": "tiny",
                    "customer": "brouwer",
                    "subject": f"P-{number}",
                    "agreement_version": 1,
                    "flow_revision": 1,
                    "parameters_sealed": sealed,
                    "state": "waiting",
                    "opened_at": tx.now,
                    "lease_epoch": 1,
                    "wake_at": None,
                }
                for number in numbers
            ],
        )
        names = ("deadline", "reminder/1", "reminder/2", "escalation/1")
        tx.connection.execute(
            schema.wake_ups.insert(),
            [
                {
                    "id": f"{place}{number[1:]}",
                    "case_id": number,
                    "kind": name.partition("/")[0],
                    "name": name,
                    "label": name,
                    "at": at,
                    "state": "pending",
                }
                for number in numbers
                for place, name in enumerate(names)
            ],
        )
        runs = [
            {"run_id": number, "case_id": number, "number": 1, "started_at": tx.now} for number in numbers
        ]
        tx.connection.execute(schema.case_runs.insert(), runs)
