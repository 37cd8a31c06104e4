"""What the worker knew of a run before its fork, so that its child need not ask for it or say it again.

A run that is resumed has had its name, its flow's version and its retry policy for long; Prefect's engine
writes them each time, and asks for the server's default result storage. Each such request costs 5 to 20 ms
before the first line of the flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import prefect.results
from prefect.client.orchestration import SyncPrefectClient

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

_COMPARED = frozenset({"flow_version", "empirical_policy", "name"})


def remember(flow_run: FlowRun) -> None:
    """Leave out updates of this run that would change nothing, for the rest of this process."""
    before = flow_run.model_copy(deep=True)
    update, rename = SyncPrefectClient.update_flow_run, SyncPrefectClient.set_flow_run_name

    def update_flow_run(client: SyncPrefectClient, flow_run_id: UUID, **changes: Any) -> Any:
        asked = {name: value for name, value in changes.items() if value is not None}
        known = flow_run_id == before.id and asked.keys() <= _COMPARED
        if known and all(getattr(before, name) == value for name, value in asked.items()):
            return None
        return update(client, flow_run_id, **changes)

    def set_flow_run_name(client: SyncPrefectClient, flow_run_id: UUID, name: str) -> Any:
        return None if (flow_run_id, name) == (before.id, before.name) else rename(client, flow_run_id, name)

    SyncPrefectClient.update_flow_run = update_flow_run  # type: ignore[assignment, method-assign]
    SyncPrefectClient.set_flow_run_name = set_flow_run_name  # type: ignore[assignment, method-assign]


def remember_storage(block_id: str | None) -> None:
    """Take the server's default result storage from the worker, which asked for it a moment ago."""
    found = UUID(block_id) if block_id else None
    prefect.results._read_server_default_result_storage_block_id = lambda: found  # noqa: SLF001 - the name the engine looks up
