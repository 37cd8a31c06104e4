"""Every stage of the street is a node of Prefect's run graph, in the runs that work or wait in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.context import FlowRunContext

from tasks.process import Process, work_within
from tests.harness.installation import Walker
from tests.harness.street import accepted_beta, street
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from nakoming.records.store import Records
    from tasks.case_run import CaseRun
    from tests.harness.prefect_server import PrefectServer

STAGES = [
    "stage intake",
    "stage judgement",
    "stage quote",
    "stage planning",
    "stage requirement-analysis",
    "stage functional-specification",
    "stage build",
    "stage test",
    "stage beta",
    "stage acceptance",
    "stage production",
    "stage closing",
]


@dataclass
class Shown(Walker):
    """Each entering is a flow run of a real Prefect server, as a worker would make it."""

    def __post_init__(self) -> None:
        self.runs: list[UUID] = []

    def enter(self) -> str | None:
        """One run; nothing when it waits."""

        @flow(name="shown", persist_result=False)
        def run() -> None:
            context = FlowRunContext.get()
            assert context is not None
            assert context.flow_run is not None
            self.runs.append(context.flow_run.id)
            work_within(
                self.process, customer=self.customer, subject=self.subject, parameters=self.parameters
            )

        run()
        return self.case.outcome

    def stages(self, number: int) -> list[str]:
        """The stages among the nodes of a run, in the order in which they were made."""
        return [name for name in asyncio.run(_nodes(self.runs[number])) if name.startswith("stage ")]

    def ends_in(self, name: str) -> Callable[[], list[str] | None]:
        """The nodes of the newest run once one of this name is there: Prefect hears of them late."""

        def look() -> list[str] | None:
            found = asyncio.run(_nodes(self.runs[-1]))
            return found if name in found else None

        return look


async def _nodes(run: UUID) -> list[str]:
    only = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run]))
    async with get_client() as client:
        found = await client.read_task_runs(task_run_filter=only, limit=200)
    return [each.name for each in sorted(found, key=lambda each: str(each.start_time))]


def shown(records: Records, **given: str) -> Shown:
    plain = street(records, **given)
    return Shown(plain.records, plain.process, plain.customer, plain.subject, plain.parameters)


def test_each_stage_of_the_street_is_a_node(vendor: Path, records: Records) -> None:
    del vendor
    walker = shown(records)
    accepted_beta(walker)
    walker.enter()
    walker.deliver("closing/delivery", "Handleiding", description="Spoedcode op orders.")
    assert walker.enter() == "in production"
    wait_for(walker.ends_in("closing/delivery/deliver"))
    in_order = [name for number in range(len(walker.runs)) for name in walker.stages(number)]
    assert list(dict.fromkeys(in_order)) == STAGES


def test_a_run_shows_the_stage_it_waits_in_and_none_that_ended_before(
    records: Records, prefect_api: PrefectServer
) -> None:
    del prefect_api
    walker = shown(records)
    walker.enter()
    wait_for(walker.ends_in("judgement/choice/asked"))
    assert walker.stages(0) == ["stage intake", "stage judgement"]
    walker.answer("judgement/choice", "choose", option="specific", remark="Alleen Brouwer werkt zo.")
    walker.enter()
    wait_for(walker.ends_in("quote/delivery/asked"))
    assert walker.stages(1) == ["stage judgement", "stage quote"]
    walker.deliver("quote/delivery", amount="10.00")
    walker.enter()
    nodes = wait_for(walker.ends_in("quote/approval/asked"))
    assert nodes == ["stage quote", "quote/delivery/deliver", "quote/approval/asked"]


def second_round(case: CaseRun) -> str:
    case.stage("build", 2)
    return "done"


def test_a_later_round_of_a_stage_says_which_it_is(records: Records, prefect_api: PrefectServer) -> None:
    del prefect_api
    walker = shown(records)
    walker.process = Process(kind="rfc", revision=1, walk=second_round)
    assert walker.enter() == "done"
    assert wait_for(walker.ends_in("stage build, round 2")) == ["stage build, round 2"]
