"""Prefect's server on SQLite under load: nothing is refused as locked, nothing stands still."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from deployments.embedded.prefect_database import QueuedSqliteConfiguration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from tests.harness.prefect_server import PrefectServer

LIVES = 8
ROUNDS = 2
POLLERS = 3
# A standstill lasts 60 s, and a busy machine is slow: between the two.
LONGEST_SECONDS = 30.0


class Database:
    """A SQLite database of a test, used as Prefect's server uses its own."""

    def __init__(self, path: Path) -> None:
        self.configuration = QueuedSqliteConfiguration(connection_url=f"sqlite+aiosqlite:///{path}")

    async def session(self) -> AsyncSession:
        """A session as the server opens one."""
        return await self.configuration.session(await self.configuration.engine())

    async def write(self, number: int) -> None:
        """Read, then write, in one transaction."""
        async with await self.session() as session, self.configuration.begin_transaction(session):
            count = (await session.execute(sa.text("SELECT count(*) FROM words"))).scalar_one()
            await session.execute(sa.text("INSERT INTO words VALUES (:n, :c)"), {"n": number, "c": count})


def run(path: Path, act: Callable[[Database], Awaitable[None]]) -> None:
    """Run an act on a new database with one table, and close all."""

    async def all_of_it() -> None:
        database = Database(path / "words.db")
        async with await database.session() as session:
            await session.execute(sa.text("CREATE TABLE words (number INTEGER PRIMARY KEY, seen INTEGER)"))
            await session.commit()
        try:
            await asyncio.wait_for(act(database), LONGEST_SECONDS)
        finally:
            await (await database.configuration.engine()).dispose()

    asyncio.run(all_of_it())


def test_those_who_read_and_then_write_take_turns(tmp_path: Path) -> None:
    async def act(database: Database) -> None:
        await asyncio.gather(*(database.write(number) for number in range(40)))
        async with await database.session() as session:
            seen = (await session.execute(sa.text("SELECT seen FROM words ORDER BY seen"))).scalars().all()
        assert list(seen) == list(range(40))

    run(tmp_path, act)


def test_a_transaction_within_another_does_not_wait_for_it(tmp_path: Path) -> None:
    async def act(database: Database) -> None:
        configuration = database.configuration
        async with await database.session() as outer, configuration.begin_transaction(outer):
            await outer.execute(sa.text("INSERT INTO words VALUES (1, 0)"))
            async with await database.session() as inner, configuration.begin_transaction(inner):
                assert (await inner.execute(sa.text("SELECT count(*) FROM words"))).scalar_one() == 0
            async with await database.session() as plain:
                assert (await plain.execute(sa.text("SELECT count(*) FROM words"))).scalar_one() == 0
        await database.write(2)

    run(tmp_path, act)


def test_what_a_failed_statement_leaves_does_not_hold_the_event_loop(tmp_path: Path) -> None:
    """The standstill itself: the failed statement of a connection that now waits for the write lock goes."""

    async def act(database: Database) -> None:
        engine = await database.configuration.engine()
        await database.write(1)
        async with engine.connect() as owner, engine.connect() as waiting:
            gc.disable()
            try:
                await fail_and_leave_a_cycle(waiting)
                await owner.exec_driver_sql("BEGIN IMMEDIATE")
                waits = asyncio.create_task(waiting.exec_driver_sql("BEGIN IMMEDIATE"))
                # Long enough to reach the thread; the lock is not free, so it stays there.
                assert not (await asyncio.wait([waits], timeout=0.5))[0]
                begun = time.monotonic()
                gc.collect()
                held = time.monotonic() - begun
            finally:
                gc.enable()
                await owner.exec_driver_sql("ROLLBACK")
            await waits
            await waiting.exec_driver_sql("ROLLBACK")
        assert held < LONGEST_SECONDS

    run(tmp_path, act)


async def fail_and_leave_a_cycle(connection: Any) -> None:
    """Fail, and let the error refer to itself, as logging and retries do."""
    try:
        await connection.exec_driver_sql("INSERT INTO words VALUES (1, 0)")
    except IntegrityError as error:
        error.args = (*error.args, error)
    else:
        pytest.fail("the number was taken")


def test_under_load_every_request_is_answered_and_none_as_locked(prefect_server: PrefectServer) -> None:
    before = prefect_server.log.read_text().count("database is locked")
    asyncio.run(load(prefect_server.api_url))
    assert prefect_server.log.read_text().count("database is locked") == before


async def load(api_url: str) -> None:
    """Let runs live, wait and wake while a worker polls its pool and says that it is there."""
    async with httpx.AsyncClient(base_url=api_url, timeout=LONGEST_SECONDS, trust_env=False) as api:
        await send(api, "/work_pools/", name="stalls", type="process")
        flow_id = (await send(api, "/flows/", name="stalls"))["id"]
        deployment = {"name": "stalls", "flow_id": flow_id, "work_pool_name": "stalls"}
        deployment_id = (await send(api, "/deployments/", **deployment, path="/", entrypoint="a.py:b"))["id"]
        pollers = [asyncio.create_task(poll(api, f"worker {number}")) for number in range(POLLERS)]
        lives = asyncio.create_task(all_live(api, deployment_id))
        done, _ = await asyncio.wait([lives, *pollers], return_when=asyncio.FIRST_COMPLETED)
        for poller in pollers:
            poller.cancel()
        for task in done:
            await task


async def send(api: httpx.AsyncClient, path: str, /, **body: Any) -> Any:
    """Post; an answer that refuses is an error."""
    answer = await api.post(path, json=body)
    assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


async def poll(api: httpx.AsyncClient, worker: str) -> None:
    """Ask for work without end."""
    while True:
        await send(api, "/work_pools/stalls/get_scheduled_flow_runs", limit=10)
        await send(api, "/work_pools/stalls/workers/heartbeat", name=worker, heartbeat_interval_seconds=1)


async def all_live(api: httpx.AsyncClient, deployment_id: str) -> None:
    """Let all live at once."""
    await asyncio.gather(*(live(api, deployment_id) for _ in range(LIVES)))


async def live(api: httpx.AsyncClient, deployment_id: str) -> None:
    """Start runs, suspend and resume them, and end them."""
    for _ in range(ROUNDS):
        body = {"state": {"type": "SCHEDULED"}}
        run_id = (await send(api, f"/deployments/{deployment_id}/create_flow_run", **body))["id"]
        waiting = {"pause_timeout": "2099-01-01T00:00:00Z", "pause_reschedule": True, "pause_key": "gate"}
        await change(api, run_id, "set_state", state={"type": "PENDING"})
        await change(api, run_id, "set_state", state={"type": "RUNNING"})
        await change(
            api, run_id, "set_state", state={"type": "PAUSED", "name": "Suspended", "state_details": waiting}
        )
        await change(api, run_id, "resume")
        await change(api, run_id, "set_state", state={"type": "PENDING"})
        await change(api, run_id, "set_state", state={"type": "RUNNING"})
        await change(api, run_id, "set_state", state={"type": "COMPLETED"})


async def change(api: httpx.AsyncClient, run_id: str, act: str, **body: Any) -> None:
    """Change a run's state; the server accepts at the first try."""
    answer = await send(api, f"/flow_runs/{run_id}/{act}", **body)
    assert answer["status"] == "ACCEPT", answer["details"]
