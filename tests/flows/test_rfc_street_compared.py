"""After a release both sides of the exchange with the ERP are compared, by a run of its own (S-2.6.7a)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId

from flows.erp_sync import erp_sync
from nakoming.records import cases
from nakoming.records.owners import this_process
from tasks.erp.after_release import start_comparison, subject_after
from tasks.steps import Work
from tests.harness.street import accepted_beta, service, street

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from nakoming.records.cases import Lease
    from nakoming.records.store import Records
    from tests.harness.installation import Walker
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.6.7a")


@pytest.fixture
def deployed(prefect_api: PrefectServer) -> Iterator[UUID]:
    """The deployment of the exchange; nobody works on its runs."""
    del prefect_api
    with get_client(sync_client=True) as client:
        flow = client.create_flow(erp_sync)
        made = client.create_deployment(flow_id=flow, name="erp-sync", enforce_parameter_schema=False)
        yield made
        client.delete_deployment(made)


def runs_of(deployment: UUID) -> list[Any]:
    only = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    with get_client(sync_client=True) as client:
        return list(client.read_flow_runs(flow_run_filter=only))


def released(records: Records) -> Walker:
    walker = street(records)
    accepted_beta(walker)
    walker.enter()
    return walker


def test_a_release_starts_one_comparison_and_does_not_wait_for_it(
    vendor: Path, records: Records, deployed: UUID
) -> None:
    walker = released(records)
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    (run,) = runs_of(deployed)
    assert run.parameters == {"customer": "brouwer", "mode": "compare", "subject": "after-2026-014"}
    assert run.state.is_scheduled()
    assert "production/1/compared" in walker.step_names()
    # A crash that left the outcome unwritten: the same step once more.
    work = Work(records, _lease_of(walker), "production/1/compared", 2)
    again = start_comparison.effect(work, reference="2026-014")
    assert again.run == str(run.id)
    assert len(runs_of(deployed)) == 1


def _lease_of(walker: Walker) -> Lease:
    with walker.records.write() as tx:
        return cases.acquire(tx, walker.case.id, this_process())


def test_without_the_deployment_the_release_stands(vendor: Path, records: Records) -> None:
    walker = released(records)
    assert service(vendor, "production", "/version")["version"] == "1.1.0"
    assert "production/1/compared" in walker.step_names()
    assert "production/1/told" in walker.step_names()
    assert walker.case.attempts == 0


def test_the_name_of_the_occasion_is_never_too_long() -> None:
    longest = "R" * 61
    assert subject_after("2026-014") == "after-2026-014"
    assert len(subject_after(longest)) == 60
    assert subject_after(longest) != subject_after(longest[:-1])
