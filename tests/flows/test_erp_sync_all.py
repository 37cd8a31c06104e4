"""One run works through all customers that are due; one that fails is in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.task_runners import ThreadPoolTaskRunner

from flows.erp import both_ways
from flows.erp_sync import PROCESS, erp_sync
from flows.erp_sync_all import erp_sync_all
from nakoming.agreement.loading import agreement_sha256
from nakoming.records import agreements, case_runs, cases, clock
from nakoming.records.case_model import State
from tasks.erp import dispatch
from tasks.process import Process, take
from tasks.waking.runs import Runs
from tasks.waking.waker import Waker
from tests.harness.erp_pair import Pair, agree, agreement_text, sqlite_pair
from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun
    from tests.harness.prefect_server import PrefectServer

CUSTOMERS = ("brouwer", "fenwick", "kestrel")


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """All three customers of the demo have an ERP."""
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        for customer in CUSTOMERS:
            agree(found, customer, 5)
        yield found


@pytest.fixture
def pairs(tmp_path: Path, prefect_api: PrefectServer) -> dict[str, Pair]:
    """Two of them really; the blocks of the third are missing."""
    del prefect_api
    found = {customer: sqlite_pair(tmp_path / customer) for customer in ("brouwer", "kestrel")}
    for customer, pair in found.items():
        pair.save_blocks(customer)
    return found


def of_all(records: Records) -> dict[str, cases.Case]:
    with records.read() as tx:
        return {case.customer: case for case in cases.listed(tx) if case.kind == "erp_sync"}


@pytest.mark.clause("S-4.2.1")
def test_each_is_a_case_of_its_own_and_one_that_fails_stops_no_other(
    records: Records, pairs: dict[str, Pair]
) -> None:
    state = erp_sync_all(return_state=True)
    assert state.is_failed()
    assert "1 of 3 exchanges need a look: erp_sync/fenwick/" in state.message
    found = of_all(records)
    assert [found[each].state for each in CUSTOMERS] == [State.CLOSED] * 3
    assert found["fenwick"].outcome == both_ways.NOT_REACHED  # its next exchange catches up
    for pair in pairs.values():
        assert pair.rows("SELECT count(*) FROM production_orders")[0][0] > 150
    assert erp_sync_all(return_state=True).is_completed()
    assert len(of_all(records)) == 3


def test_who_is_done_is_due_again_at_the_next_instant_of_its_schedule(records: Records) -> None:
    def names() -> list[str]:
        return [each.customer for each in dispatch.due(records, "erp_sync", "incremental")]

    agree(records, "kestrel", 60)
    with records.write() as tx:
        clock.set_to(tx.connection, dispatch_start())
    assert names() == list(CUSTOMERS)
    for each in dispatch.due(records, "erp_sync", "incremental"):
        with records.write() as tx:
            entered = take(tx, PROCESS, each.customer, each.subject, {}, f"local-{each.customer}")
            cases.close(tx, entered.lease, "exchanged")
    assert names() == []
    with records.write() as tx:
        clock.move(tx.connection, timedelta(minutes=5))
    assert names() == ["brouwer", "fenwick"]
    with records.write() as tx:
        clock.move(tx.connection, timedelta(hours=9))
    assert names() == list(CUSTOMERS)  # an outage is caught up with by one exchange each


def dispatch_start() -> Any:
    """An instant shortly after the one at which the hour of kestrel begins."""
    from tasks.erp.timetable import anchor

    hour = timedelta(hours=1)
    return anchor("kestrel", hour) + 9000 * hour + timedelta(seconds=1)


def test_a_night_is_compared_once(records: Records) -> None:
    (each, *_) = dispatch.due(records, "erp_sync", "compare")
    assert each.subject.startswith("compare-20")
    with records.write() as tx:
        entered = take(tx, PROCESS, each.customer, each.subject, {}, "local-x")
        cases.close(tx, entered.lease, "both sides are equal")
    assert each.customer not in [d.customer for d in dispatch.due(records, "erp_sync", "compare")]


def test_no_more_are_worked_on_at_once_than_the_runner_lets(
    records: Records, prefect_api: PrefectServer
) -> None:
    del prefect_api
    with records.write() as tx:
        for number in range(5):
            name = f"client{number}"
            text = agreement_text("brouwer", 5).replace("customer: brouwer", f"customer: {name}")
            agreements.store(tx, name, text, agreement_sha256(text))
    at_work, most, lock = [0], [0], threading.Lock()
    both = threading.Barrier(2)

    def walk(case: CaseRun) -> str:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        both.wait(timeout=30)  # two are there at the same time
        with lock:
            at_work[0] -= 1
        return case.customer

    tiny = Process(kind="tiny_exchange", revision=1, walk=walk)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]
    def all_of_them() -> Any:
        return dispatch.through(tiny, "incremental")

    assert all_of_them(return_state=True).message == "8 exchanges."
    assert most[0] == 2


def test_what_a_killed_run_left_goes_on_in_a_run_of_its_own(records: Records, pairs: dict[str, Pair]) -> None:
    del pairs
    given = {"mode": "incremental", "order": "", "dry_run": False, "subject": "2026-11-23T09:00Z"}
    with records.write() as tx:
        entered = take(tx, PROCESS, "brouwer", given["subject"], given, "local-killed")
        tx.connection.exec_driver_sql(
            "UPDATE cases SET lease_owner = 'another-host/boot/1/1', lease_until = 0"
        )
        case_id = entered.lease.case_id
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            flow_id=client.create_flow_from_name(erp_sync.name),
            name="erp-sync",
            tags=["process:erp_sync"],
            parameter_openapi_schema=erp_sync.parameters.model_dump(),
            enforce_parameter_schema=True,
        )

    async def wake() -> bool:
        async with Runs() as runs:
            return await Waker(records, runs).wake(case_id)

    try:
        assert asyncio.run(wake())
        with get_client(sync_client=True) as client:
            (run,) = [each for each in client.read_flow_runs() if each.deployment_id == deployment]
        assert run.parameters == {**given, "customer": "brouwer"}
        state = erp_sync(**run.parameters, return_state=True)
    finally:
        with get_client(sync_client=True) as client:
            client.delete_deployment(deployment)
    assert state.is_completed(), state.message
    with records.read() as tx:
        case = cases.get(tx, case_id)
        assert (case.state, case.subject) == (State.CLOSED, given["subject"])
        assert case_runs.count(tx, case_id) == 2
        assert [each.subject for each in cases.listed(tx, customer="brouwer")] == [given["subject"]]
