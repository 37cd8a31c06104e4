"""Cases that wait, prepared for a benchmark: by real runs, or straight in the records."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select, update

from bench.waiting_flow import KIND, PROCESS, QUESTION, question
from nakoming.records import agreements, case_runs, cases, gates, links, outbox, schema
from nakoming.records.owners import this_process
from tasks.case_run import CaseRun
from tasks.waits import waiting_for

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from bench.rig import Rig
    from nakoming.records.gate_model import GateSpec
    from nakoming.records.store import Records, Tx

CUSTOMER = "brouwer"
_A_TRANSACTION = 250
_SHOWN = str(UUID(int=0))  # a run that Prefect has deleted since
_AT_ONCE = 4
_LIMIT_SECONDS = 120.0


def prepare(records: Records, count: int, name: str, run_ids: list[str] | None = None) -> None:
    """Open so many cases that wait for an officer, without a run of Prefect or with these."""
    spec: GateSpec | None = None  # the same words and people for all of them
    for first in range(0, count, _A_TRANSACTION):
        with records.write() as tx:
            for number in range(first, min(count, first + _A_TRANSACTION)):
                lease, case = _opened(tx, f"{name}-{number}")
                spec = spec or question(tx, CaseRun(records, lease, case))
                gate = gates.open_gate(tx, lease, spec)
                cases.wait(tx, lease, [waiting_for(gates.get(tx, gate))])
                if run_ids is not None and number < len(run_ids):
                    case_runs.note(tx, case.id, run_ids[number], None)
            _settle(tx)


def _opened(tx: Tx, subject: str) -> tuple[cases.Lease, cases.Case]:
    opened = cases.open_case(
        tx,
        KIND,
        CUSTOMER,
        subject,
        agreement_version=agreements.newest_version(tx, CUSTOMER),
        flow_revision=PROCESS.revision,
        parameters={"subject": subject},
    )
    return cases.acquire(tx, opened.case.id, this_process()), opened.case


def _settle(tx: Tx) -> None:
    """Their mails are long delivered and their deadlines long shown: neither is what is measured."""
    mails, wakes = schema.outbox.c, schema.wake_ups.c
    queued = update(schema.outbox).where(mails.state == outbox.MailState.QUEUED)
    accepted = {"state": outbox.MailState.ACCEPTED, "relayed_at": tx.now, "settled_at": tx.now}
    tx.connection.execute(queued.values(accepted))
    shown = update(schema.wake_ups).where(wakes.prefect_run_id.is_(None), wakes.kind == "deadline")
    tx.connection.execute(shown.values(prefect_run_id=_SHOWN, shown_at=wakes.at))


async def deployment_in(client: PrefectClient, pool: str) -> Any:
    """A deployment of the waiting flow in a pool."""
    from bench.rig import HOUSE

    flow_id = await client.create_flow_from_name("bench-waits")
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(HOUSE)}}
    return await client.create_deployment(
        flow_id,
        f"in-{pool}",
        entrypoint="bench/waiting_flow.py:bench_waits",
        work_pool_name=pool,
        pull_steps=[step],
        enforce_parameter_schema=False,
        tags=[f"process:{KIND}"],
    )


async def start(client: PrefectClient, deployment: Any, subjects: list[str]) -> list[Any]:
    """Start a real run for each case, a few at a time, until all are suspended; their ids."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(subject: str) -> Any:
        async with slots:
            given = {"customer": CUSTOMER, "subject": subject}
            run = await client.create_flow_run_from_deployment(deployment, parameters=given)
            await until_state(client, run.id, "Suspended")
            return run.id

    return list(await asyncio.gather(*(one(subject) for subject in subjects)))


async def until_state(client: PrefectClient, run_id: Any, name: str) -> None:
    """Wait for a state of a run; an end that is another one is told at once."""
    patience = time.monotonic() + _LIMIT_SECONDS
    while (run := await client.read_flow_run(run_id)).state_name != name:
        assert run.state_name not in {"Failed", "Crashed"}, f"{run.name}: {run.state}"
        assert time.monotonic() < patience, f"{run.name} is {run.state_name}"
        await asyncio.sleep(0.1)


def link_path(rig: Rig, subject: str) -> str:
    """The path of the first officer's link, as the mail brings it."""
    with rig.records.read() as tx:
        case = cases.find(tx, KIND, CUSTOMER, subject)
        assert case is not None
        link = links.of_gate(tx, gates.find(tx, case.id, QUESTION).id)[0]
        return f"/q/{links.token(rig.records.keys, link.id, link.generation)}"


def count_waiting(records: Records) -> int:
    """How many cases wait now."""
    with records.read() as tx:
        query = select(schema.cases.c.id).where(schema.cases.c.state == cases.State.WAITING)
        return len(tx.connection.execute(query).all())
