"""What a killed worker leaves is ended by the next one of its name, before that one claims anything."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.deployments.warm.conftest import is_alive, make_pool, warm_worker
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.deployments.warm.conftest import Pool
    from tests.harness.prefect_server import PrefectServer


@pytest.fixture
def own_pool(api: httpx.Client, tmp_path: Path) -> Pool:
    return make_pool(api, tmp_path / "project")


def test_the_run_of_a_killed_worker_crashes_when_it_comes_back(
    prefect_server: PrefectServer, own_pool: Pool
) -> None:
    with warm_worker(prefect_server, own_pool, "--name", "house") as worker:
        run = own_pool.start("lasts")
        pid = int(run.enters()[0])
        run.reaches("Running")
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid))
    assert run.state["name"] == "Running"  # nobody has told the server
    with warm_worker(prefect_server, own_pool, "--name", "house"):
        assert "killed" in run.reaches("Crashed", within_seconds=10)["message"]
        exits = own_pool.project / "exits"
        wait_for(lambda: exits.exists() and exits.read_text().endswith(f"{run.id} -9\n"))


def test_while_another_worker_serves_the_pool_its_runs_are_left_alone(
    prefect_server: PrefectServer, own_pool: Pool
) -> None:
    with warm_worker(prefect_server, own_pool, "--name", "first"):
        lasting = own_pool.start("lasts")
        lasting.enters()
        with warm_worker(prefect_server, own_pool, "--name", "second"):
            other = own_pool.start("waits")
            other.enters()
            assert lasting.state["name"] == "Running"
        lasting.marks.with_name(lasting.marks.name + ".enough").touch()
        lasting.reaches("Completed")
