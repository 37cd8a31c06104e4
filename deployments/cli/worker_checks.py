"""Whether somebody takes the runs: a living worker for each work pool of the deployments."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from deployments.cli import prefect_server
from deployments.cli.attempts import Attempt
from deployments.cli.errors import PoolMissing, PoolPaused, WorkerMissing
from deployments.cli.printing import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

WORKERS: Final = "workers"
_USUAL_SECONDS: Final = 30  # Prefect's own, for a worker that does not say how often it reports
_MISSED: Final = 3  # after so many heartbeats Prefect calls a worker offline, too


def workers() -> Attempt:
    """Each work pool of our deployments is served by a worker whose heartbeat is heard."""
    return Attempt(WORKERS, _workers, "Start the system with `nakoming up`.")


def deployed(prefect: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    """The deployments of `prefect.yaml` that the server knows, by name; those of others are none of ours."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    ours = DeploymentFilter(name=DeploymentFilterName(any_=names()))
    return {found.name: found for found in prefect.read_deployments(deployment_filter=ours)}


def names() -> list[str]:
    """The names of the deployments of `prefect.yaml`."""
    from deployments.embedded.home import HOUSE
    from deployments.embedded.provision import read_deployments

    return [str(entry["name"]) for entry in read_deployments(HOUSE / "prefect.yaml")]


def _workers() -> str:
    with prefect_server.client(prefect_server.enter()) as prefect:
        said = [_served(prefect, pool, named) for pool, named in _pools(deployed(prefect).values()).items()]
    return " ".join(said)


def _pools(found: Iterable[DeploymentResponse]) -> dict[str, list[str]]:
    """The names of the deployments of each work pool."""
    pools: dict[str, list[str]] = defaultdict(list)
    for each in found:
        if each.work_pool_name is None:
            raise PoolMissing(name=each.name)
        pools[each.work_pool_name].append(each.name)
    return {pool: sorted(named) for pool, named in sorted(pools.items())}


def _served(prefect: SyncPrefectClient, pool: str, named: list[str]) -> str:
    runs = ", ".join(named)
    found = prefect.read_work_pool(pool)
    if found.is_paused:
        raise PoolPaused(pool=pool, names=runs)
    heard = _heard(prefect, pool)
    living = sorted(name for name, beat in heard.items() if beat.is_recent)
    if not living:
        raise WorkerMissing(pool=pool, names=runs, kind=found.type, last=_last(heard))
    return f"The work pool {pool} is served by {', '.join(living)}."


@dataclass(frozen=True)
class _Beat:
    """A worker's last heartbeat; recent: by the server's clock the next ones are not long overdue."""

    at: datetime
    is_recent: bool


def _heard(prefect: SyncPrefectClient, pool: str) -> dict[str, _Beat]:
    """The workers of a pool. Prefect's own status of a worker is up to a minute older than its heartbeats."""
    answer = prefect.request(
        "POST", "/work_pools/{work_pool_name}/workers/filter", path_params={"work_pool_name": pool}, json={}
    )
    now = parsedate_to_datetime(answer.raise_for_status().headers["Date"])
    heard = {}
    for each in answer.json():
        at = datetime.fromisoformat(each["last_heartbeat_time"])
        every = timedelta(seconds=each["heartbeat_interval_seconds"] or _USUAL_SECONDS)
        heard[str(each["name"])] = _Beat(at, is_recent=now - at <= _MISSED * every)
    return heard


def _last(heard: Mapping[str, _Beat]) -> str:
    beats = [each.at for each in heard.values()]
    return f"the last one was heard on {moment(max(beats))}" if beats else "none was ever heard"
