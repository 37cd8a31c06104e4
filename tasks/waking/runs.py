"""The few requests to Prefect's API that waking a case takes, over one connection that is kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from tasks.waking.errors import PrefectAway, PrefectRefused, PrefectUnnamed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from prefect.client.orchestration import PrefectClient

LIMIT_SECONDS = 10.0  # Prefect's client itself goes on for a minute while a server is away
PAGE = 200  # the most rows Prefect gives at once
ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED"})
WORKING = ("PENDING", "RUNNING", "CANCELLING")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as Prefect shows it. `seen_at` is Prefect's own clock, by which `since` was written."""

    id: str
    state: str  # Prefect's state type: SCHEDULED, PENDING, RUNNING, PAUSED, …
    name: str
    deployment_id: str | None  # stays when the deployment is deleted
    since: datetime
    seen_at: datetime

    @property
    def age(self) -> timedelta:
        """How long it has been in its state."""
        return self.seen_at - self.since


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run that is to be made. `at` none: now."""

    deployment_id: str
    parameters: dict[str, Any]
    idempotency_key: str
    name: str | None = None
    at: datetime | None = None
    tags: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As Prefect's API takes it."""
        details = {"scheduled_time": self.at.isoformat()} if self.at else {}
        body = {
            "parameters": self.parameters,
            "idempotency_key": self.idempotency_key,
            "state": {"type": "SCHEDULED", "state_details": details},
            "tags": list(self.tags),
        }
        return body | ({"name": self.name} if self.name else {})


class Runs:
    """Prefect's API with the settings of this process; `async with` opens the connection.

    Where no server is named, every request raises `PrefectUnnamed`: Prefect itself would start a server of
    its own, which knows nothing of our runs.
    """

    def __init__(self) -> None:
        self._client: PrefectClient | None = get_client() if PREFECT_API_URL.value() else None

    async def __aenter__(self) -> Self:
        if self._client is not None:
            await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._client is not None:
            await self._client.__aexit__(*exc_info)

    async def resume(self, run_id: str) -> str:
        """Resume a run: ACCEPT, ABORT (it is not paused, or is gone), REJECT (it can never be resumed)."""
        answer = await self._send("POST", f"/flow_runs/{run_id}/resume", json={})
        # Prefect answers 500 to a run that was deleted.
        return str(answer.json()["status"]) if answer.is_success else "ABORT"

    async def read(self, run_id: str) -> Run | None:
        """How a run stands; none when it is gone."""
        answer = await self._send("GET", f"/flow_runs/{run_id}")
        return None if answer.status_code == HTTPStatus.NOT_FOUND else _run(_checked(answer), answer)

    async def create(self, new: NewRun) -> Run:
        """Make a run, or find the one that the same idempotency key made before."""
        path = f"/deployments/{new.deployment_id}/create_flow_run"
        answer = await self._send("POST", path, json=new.as_json())
        return _run(_checked(answer), answer)

    async def force(self, run_id: str, state: str, message: str) -> None:
        """Set a state whatever the rules say: that frees the slots a dead run holds."""
        body = {"state": {"type": state, "name": state.capitalize(), "message": message}, "force": True}
        answer = await self._send("POST", f"/flow_runs/{run_id}/set_state", json=body)
        if answer.status_code != HTTPStatus.NOT_FOUND:
            _checked(answer)

    async def delete(self, run_id: str) -> None:
        """Delete a run; one that is gone is deleted."""
        answer = await self._send("DELETE", f"/flow_runs/{run_id}")
        if answer.status_code != HTTPStatus.NOT_FOUND:
            _checked(answer)

    async def among(self, run_ids: Collection[str]) -> list[Run]:
        """Those of these runs that there are."""
        if not run_ids:
            return []
        return await self._filtered({"id": {"any_": list(run_ids)}})

    async def working(self) -> list[Run]:
        """Runs that Prefect believes to be at work, oldest first."""
        return await self._filtered({"state": {"type": {"any_": WORKING}}}, sort="START_TIME_ASC")

    async def cancelled_since(self, instant: datetime | None) -> list[Run]:
        """Runs that were cancelled at or after an instant, the last one first; none named: the last 200."""
        which: dict[str, Any] = {"state": {"type": {"any_": ["CANCELLED"]}}}
        if instant is not None:
            which["end_time"] = {"after_": instant.isoformat()}
        return await self._filtered(which, sort="END_TIME_DESC")

    async def _filtered(self, which: dict[str, Any], sort: str = "ID_DESC") -> list[Run]:
        body = {"flow_runs": which, "sort": sort, "limit": PAGE}
        answer = await self._send("POST", "/flow_runs/filter", json=body)
        return [_run(each, answer) for each in _checked(answer)]

    async def deployment(self, name: str) -> str | None:
        """The id of a deployment by `flow/deployment`; none when there is no such."""
        answer = await self._send("GET", f"/deployments/name/{name}")
        return None if answer.status_code == HTTPStatus.NOT_FOUND else str(_checked(answer)["id"])

    async def has_deployment(self, deployment_id: str) -> bool:
        """Whether there is (still) a deployment with this id."""
        answer = await self._send("GET", f"/deployments/{deployment_id}")
        return answer.status_code != HTTPStatus.NOT_FOUND

    async def tagged(self, tag: str) -> Sequence[str]:
        """The ids of the deployments with a tag, the oldest first."""
        body = {"deployments": {"tags": {"all_": [tag]}}, "limit": PAGE}
        found = _checked(await self._send("POST", "/deployments/filter", json=body))
        return [str(each["id"]) for each in sorted(found, key=lambda each: str(each["created"]))]

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        if self._client is None:
            raise PrefectUnnamed
        http = self._client._client  # noqa: SLF001 - its public methods parse each answer at length, on the way of a decision
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                return await http.request(method, path, **options)
        except PrefectHTTPStatusError as error:
            return error.response
        except (httpx.HTTPError, TimeoutError) as error:
            raise PrefectAway(url=str(PREFECT_API_URL.value()), reason=type(error).__name__) from error


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    if answer.status_code in {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}:
        raise PrefectAway(url=str(answer.url), reason=f"status {answer.status_code}")
    what = f"{answer.request.method} {answer.request.url.path}"
    raise PrefectRefused(what=what, status=answer.status_code, reason=_reason(answer))


def _reason(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except json.JSONDecodeError:
        said = answer.text
    return str(said)[:300]


def _run(row: dict[str, Any], answer: httpx.Response) -> Run:
    state = row.get("state") or {"type": "SCHEDULED", "timestamp": row["created"]}
    return Run(
        id=str(row["id"]),
        state=str(state["type"]),
        name=str(row["name"]),
        deployment_id=row["deployment_id"],
        since=_instant(state["timestamp"]),
        seen_at=parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC),
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
