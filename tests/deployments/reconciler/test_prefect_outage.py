"""The Prefect server is down while a customer decides: the decision stands, the case goes on afterwards."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from deployments.reconciler import start_in_thread
from nakoming.records.case_model import State
from tasks.waking.runs import Runs
from tasks.waking.waker import Waker
from tests.deployments.reconciler.conftest import House, house_at
from tests.deployments.warm.conftest import warm_worker
from tests.harness.prefect_server import prefect_server_in
from tests.harness.processes import free_port
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from nakoming.records.cases import Case


async def woken(house: House, case: Case) -> bool:
    """Wake a case with a connection that was open before."""
    async with Runs() as runs:
        return await Waker(house.records, runs).wake(case.id)


def troubles(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the reconciler warned of."""
    loop = [record for record in caplog.records if record.name == "nakoming.reconciler"]
    return [record for record in loop if record.levelno >= logging.WARNING]


def test_a_decision_during_an_outage_stands_and_the_case_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with ExitStack() as server, ExitStack() as others:
        up = server.enter_context(prefect_server_in(tmp_path, port))
        others.enter_context(up.settings())
        house = others.enter_context(house_at(up))
        others.enter_context(warm_worker(up, house.pool, **house.environment))
        run = house.start(house.deploy())
        run.reaches("Suspended")
        case = house.reaches(run, State.WAITING)
        end = start_in_thread(house.records, every=0.5)
        others.callback(end)

        server.close()
        house.answer(case)
        assert not asyncio.run(woken(house, case))
        assert not house.is_open(case)
        assert house.case_of(run).state == State.WAITING
        said = [record.getMessage() for record in caplog.records if case.id in record.getMessage()]
        assert said
        assert all("does not answer" in line and "\n" not in line for line in said)

        wait_for(lambda: troubles(caplog))
        server.enter_context(prefect_server_in(tmp_path, port))
        assert house.reaches(run, State.CLOSED, within_seconds=30).outcome == "approve"
        assert len(run.lines("after")) == 1
        loop = [record for record in caplog.records if record.name == "nakoming.reconciler"]
        said = [record.getMessage() for record in troubles(caplog)]
        assert len(said) == 2, said
        assert f"The Prefect server at {up.api_url} does not answer (" in said[0]
        assert said[1] == "The reconciler works again."
        assert all(record.exc_info is None for record in loop)
