"""What a warm worker does on bad days; each test has a worker of its own."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.deployments.warm.conftest import forkservers, is_alive, make_pool, warm_worker
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.deployments.warm.conftest import Pool
    from tests.harness.prefect_server import PrefectServer


@pytest.fixture
def own_pool(api: httpx.Client, tmp_path: Path) -> Pool:
    return make_pool(api, tmp_path / "project")


def test_everything_dies_with_a_killed_worker(prefect_server: PrefectServer, own_pool: Pool) -> None:
    with warm_worker(prefect_server, own_pool) as worker:
        run = own_pool.start("lasts")
        pid, child, parent = map(int, run.enters())
        assert parent in forkservers(worker)
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, (worker, parent, pid, child))))


@pytest.mark.parametrize("interrupts", ["default", "ignore"])
def test_a_stopped_worker_leaves_no_run_running(
    prefect_server: PrefectServer, own_pool: Pool, interrupts: str
) -> None:
    # What a script starts with `&` ignores interrupts, and Prefect turns every other signal into one.
    with warm_worker(prefect_server, own_pool, within=("env", f"--{interrupts}-signal=INT")):
        run = own_pool.start("lasts")
        pid, child, parent = map(int, run.enters())
    assert run.state["name"] == "Crashed"
    assert not any(map(is_alive, (parent, pid, child)))


def test_a_run_that_cannot_say_that_it_ended_is_said_to_be_crashed(
    prefect_server: PrefectServer, own_pool: Pool
) -> None:
    with warm_worker(prefect_server, own_pool):
        run = own_pool.start("clings")
        (pid,) = map(int, run.enters())
    assert (run.state["name"], run.state["message"]) == ("Crashed", "The worker was stopped.")
    assert not is_alive(pid)


def test_the_limit_is_kept_and_a_free_slot_is_used_at_once(
    prefect_server: PrefectServer, own_pool: Pool
) -> None:
    with warm_worker(prefect_server, own_pool, "--limit", "1"):
        first = own_pool.start("lasts")
        first.enters()
        second = own_pool.start("waits")
        # The worker hears of the second within milliseconds; a second is long.
        time.sleep(1.0)
        assert (second.state["name"], second.lines("entered")) == ("Scheduled", [])
        first.marks.with_name(first.marks.name + ".enough").touch()
        first.reaches("Completed")
        second.enters()


def test_without_events_runs_start_and_are_cancelled_by_polling(
    prefect_server: PrefectServer, own_pool: Pool
) -> None:
    # Prefect's websockets go by the proxy, which does not answer; its requests are told to go straight.
    no_events = {"NO_PROXY": "", "PREFECT_WORKER_QUERY_SECONDS": "1", "HTTP_PROXY": ""}
    gone = "No events from the Prefect server"
    with warm_worker(prefect_server, own_pool, said=gone, stop=signal.SIGKILL, **no_events):
        run = own_pool.start("lasts")
        run.enters()
        run.set_state(type="CANCELLING", name="Cancelling")
        run.reaches("Cancelled")
