"""The warm worker with a real Prefect server: everything a process worker does, and at once."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.deployments.warm.conftest import Pool, forkservers, is_alive
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.usefixtures("worker")


def exits(pool: Pool, flow_run_id: str) -> list[int]:
    """The exit codes that the hook was told for a run."""
    path = pool.project / "exits"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [int(code) for run, code in lines if run == flow_run_id]


def test_a_pool_of_the_type_is_created_by_the_command(
    prefect_server: PrefectServer, api: httpx.Client
) -> None:
    command = [sys.executable, "-m", "prefect", "work-pool", "create", "by-command", "--type", "warm"]
    environment = prefect_server.environment | {"HTTPS_PROXY": "http://127.0.0.1:9"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    template = api.get("/work_pools/by-command").raise_for_status().json()["base_job_template"]
    assert {"env", "stream_output", "working_dir"} <= template["variables"]["properties"].keys()


def test_the_worker_sends_heartbeats(api: httpx.Client, pool: Pool) -> None:
    answer = wait_for(lambda: api.post(f"/work_pools/{pool.name}/workers/filter", json={}).json())
    assert [worker["status"] for worker in answer] == ["ONLINE"]


def test_a_resumed_run_is_entered_at_once(pool: Pool) -> None:
    run = pool.start("waits")
    times = []
    for count in range(1, 6):
        run.enters(count)
        run.reaches("Suspended")
        begun = time.monotonic()
        run.resume()
        times.append(float(run.enters(count + 1)[-1]) - begun)
    # 0.2 s on a quiet machine; Prefect's process worker needs 6-8 s.
    assert statistics.median(times) < 1.5


def test_a_suspended_run_leaves_no_process_and_the_hook_is_told(pool: Pool) -> None:
    run = pool.start("waits")
    run.reaches("Suspended")
    assert wait_for(lambda: exits(pool, run.id)) == [0]
    assert run.state["type"] == "PAUSED"


@pytest.mark.parametrize(("how", "said"), [(7, "7"), (-9, "-9"), (-11, "-11")])
def test_a_process_that_dies_makes_the_run_crashed_with_the_reason(pool: Pool, how: int, said: str) -> None:
    run = pool.start("dies", how=how)
    state = run.reaches("Crashed")
    assert f"status code: {said}." in state["message"]
    assert wait_for(lambda: exits(pool, run.id)) == [how]
    (kind, pid), *others = wait_for(lambda: run.lines("hook"))
    assert (kind, others) == ("crashed", [])
    assert pid != run.enters()[0]


def test_cancel_ends_the_whole_group_runs_the_hook_and_ends_cancelled(pool: Pool) -> None:
    run = pool.start("lasts")
    pid, child, _ = map(int, run.enters())
    run.set_state(type="CANCELLING", name="Cancelling")
    run.reaches("Cancelled")
    assert not is_alive(pid)
    assert not is_alive(child)
    assert [kind for kind, _ in run.lines("hook")] == ["cancelled"]


def test_the_server_knows_the_process_and_the_worker(pool: Pool) -> None:
    run = pool.start("lasts")
    pid = run.enters()[0]
    assert wait_for(lambda: run.facts["infrastructure_pid"]) == pid
    labels = wait_for(lambda: (labels := run.facts["labels"]).get("prefect.worker.type") and labels)
    assert (labels["prefect.worker.type"], labels["prefect.work-pool.name"]) == ("warm", pool.name)
    run.marks.with_name(run.marks.name + ".enough").touch()
    run.reaches("Completed")


def test_a_run_gets_its_environment_settings_and_directory(pool: Pool) -> None:
    job = {"env": {"GIVEN": "yes", "PREFECT_FLOWS_DEFAULT_RETRIES": "3"}}
    run = pool.start("tells", job=job)
    assert run.enters() == [str(pool.project), "yes", "3", "True"]
    run.reaches("Completed")
    plain = pool.start("tells")
    assert plain.enters() == [str(pool.project), "None", "0", "True"]


def test_a_flow_that_fails_is_failed_not_crashed(pool: Pool) -> None:
    state = pool.start("fails").reaches("Failed", "Crashed")
    assert (state["name"], "no such thing" in state["message"]) == ("Failed", True)


def test_code_that_is_not_here_crashes_the_run_with_the_reason(pool: Pool) -> None:
    state = pool.start("waits", path="/nowhere/at/all").reaches("Crashed")
    assert "its directory /nowhere/at/all does not exist" in state["message"]


def test_a_command_of_its_own_crashes_the_run_with_the_reason(pool: Pool) -> None:
    state = pool.start("waits", job={"command": "echo hello"}).reaches("Crashed")
    assert "a warm worker forks and runs no command" in state["message"]


def test_a_changed_file_is_what_runs_next(pool: Pool, worker: int) -> None:
    source = pool.project / "flows_of_test.py"
    first = pool.start("waits")
    assert first.enters()[0] == "one"
    first.reaches("Suspended")
    lasting = pool.start("lasts")
    lasting.enters()
    before = forkservers(worker)
    source.write_text(source.read_text().replace('VERSION = "one"', 'VERSION = "two!"'))
    first.resume()
    assert first.enters(2)[0] == "two!"
    # The run in progress keeps the code it began with, and its forkserver until it ends.
    assert set(before) < set(forkservers(worker))
    lasting.marks.with_name(lasting.marks.name + ".enough").touch()
    lasting.reaches("Completed")
    wait_for(lambda: not set(before) & set(forkservers(worker)))


def test_a_suspend_from_outside_is_noticed_by_a_running_flow(pool: Pool) -> None:
    run = pool.start("ticks")
    run.enters()
    run.set_state(type="PAUSED", name="Suspended", state_details={"pause_reschedule": True})
    assert wait_for(lambda: exits(pool, run.id)) == [0]
    assert run.state["name"] == "Suspended"


def test_a_run_emits_prefects_heartbeats(api: httpx.Client, pool: Pool) -> None:
    run = pool.start("lasts")
    run.enters()
    wanted = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run.id}"]},
    }
    wait_for(lambda: api.post("/events/filter", json={"filter": wanted}).raise_for_status().json()["events"])
    run.marks.with_name(run.marks.name + ".enough").touch()
    run.reaches("Completed")


def test_a_forkserver_has_one_thread_and_no_socket(pool: Pool, worker: int) -> None:
    pool.start("tells").enters()
    for pid in wait_for(lambda: forkservers(worker)):
        assert len(os.listdir(f"/proc/{pid}/task")) == 1  # noqa: PTH208 - not a folder to speak of
        files = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]  # noqa: PTH115, PTH208 - the same
        assert not [name for name in files if name.startswith("socket:")]


def test_a_dead_forkserver_crashes_its_runs_and_is_replaced(pool: Pool, worker: int) -> None:
    run = pool.start("lasts")
    pid, _, parent = map(int, run.enters())
    os.kill(parent, 9)
    run.reaches("Crashed")
    assert not is_alive(pid)
    pool.start("tells").reaches("Completed")
    assert parent not in forkservers(worker)


def test_the_limit_of_the_pool_is_kept(api: httpx.Client, pool: Pool) -> None:
    api.patch(f"/work_pools/{pool.name}", json={"concurrency_limit": 1}).raise_for_status()
    try:
        first = pool.start("lasts")
        first.enters()
        second = pool.start("waits")
        # The worker hears of the second within milliseconds; a second is long.
        time.sleep(1.0)
        assert (second.state["name"], second.lines("entered")) == ("Scheduled", [])
        first.marks.with_name(first.marks.name + ".enough").touch()
        second.enters()
    finally:
        api.patch(f"/work_pools/{pool.name}", json={"concurrency_limit": None}).raise_for_status()


def test_a_project_that_starts_threads_is_not_preloaded_but_runs(
    pool: Pool, worker: int, tmp_path: Path
) -> None:
    source = (pool.project / "flows_of_test.py").read_text()
    threads = "\nimport threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    (tmp_path / "flows_of_test.py").write_text(source + threads)
    pool.start("tells", path=str(tmp_path)).reaches("Completed")
    # The first run made the flow known, so that by now a forkserver tried to preload it.
    log = next(pool.project.glob("worker-*.log"))
    wait_for(lambda: f"The flows of {tmp_path} start threads when imported" in log.read_text())
    assert pool.start("tells", path=str(tmp_path)).enters()[0] == str(tmp_path)
    for pid in forkservers(worker):
        assert len(os.listdir(f"/proc/{pid}/task")) == 1  # noqa: PTH208 - not a folder to speak of
