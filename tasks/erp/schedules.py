"""Keeps Prefect's schedules of the exchange as the agreements ask, and tells what an operator paused.

A pause is the operator's and stays; everything else of a schedule is the agreement's. Schedules whose slug
does not begin with `erp-` are an operator's own and are left alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.exceptions import ObjectNotFound

from nakoming.errors import NakomingError
from nakoming.records import agreements, duties
from tasks.erp.timetable import DEPLOYMENTS, OURS, Wanted, wanted
from tasks.waking.errors import PrefectAway, away_is_said

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.responses import DeploymentResponse

    from nakoming.records.store import Records

_log = logging.getLogger("nakoming.reconciler")
LOOK_SECONDS = 60.0
CLAUSE = "S-4.2.1"


@dataclass(kw_only=True)
class Renewed:
    """What was done, by slug; `paused` and `resumed` were told in the evidence just now."""

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """In one sentence; empty when there was nothing to do."""
        parts = [f"{name} {', '.join(slugs)}" for name, slugs in vars(self).items() if slugs]
        return f"Schedules of the exchange: {'; '.join(parts)}." if parts else ""


async def renew(records: Records, client: PrefectClient) -> Renewed:
    """Make, change and remove schedules until Prefect has those of the agreements; tell what is paused.

    A deployment that Prefect does not have (yet) is left for the next time.

    Raises:
        httpx.HTTPError: Prefect does not answer, or refuses.
    """
    asked, paused_before = await asyncio.to_thread(_asked, records)
    renewed = Renewed()
    for name in DEPLOYMENTS:
        try:
            deployment = await client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue
        mine = [each for each in asked if each.deployment == name]
        await _renew_one(client, deployment, mine, paused_before, renewed)
        now = await client.read_deployment_schedules(deployment.id)
        await asyncio.to_thread(_tell, records, mine, _paused(deployment, now), renewed)
    return renewed


def _asked(records: Records) -> tuple[tuple[Wanted, ...], set[str]]:
    """The schedules as the newest agreements ask for them; the slugs of those that were last seen paused."""
    with records.read() as tx:
        terms = {customer: agreements.get(tx, customer) for customer in agreements.customers(tx)}
        asked = wanted(terms)
        paused = {
            each.slug
            for each in asked
            if all(duties.paused_since(tx, customer, duty_of(each.mode)) for customer in each.customers)
        }
    return asked, paused


async def _renew_one(
    client: PrefectClient,
    deployment: DeploymentResponse,
    asked: Sequence[Wanted],
    paused_before: set[str],
    renewed: Renewed,
) -> None:
    there = {each.slug: each for each in deployment.schedules if each.slug and each.slug.startswith(OURS)}
    for slug in there.keys() - {each.slug for each in asked}:
        await client.delete_deployment_schedule(deployment.id, there[slug].id)
        renewed.removed.append(slug)
    for each in asked:
        if each.slug not in there:
            await _make(client, deployment.id, each, active=each.slug not in paused_before)
            renewed.made.append(each.slug)
        elif _differs(there[each.slug], each):
            # The parameters are named always: Prefect empties those that a change leaves out.
            await client.update_deployment_schedule(
                deployment.id, there[each.slug].id, schedule=each.schedule, parameters=each.parameters
            )
            renewed.changed.append(each.slug)
    if renewed.made or renewed.changed or renewed.removed:
        # A change takes away planned runs of the other schedules, and the scheduler looks once a minute.
        await client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment.id}, json={})


async def _make(client: PrefectClient, deployment_id: UUID, each: Wanted, *, active: bool) -> None:
    made = DeploymentScheduleCreate(
        schedule=each.schedule, active=active, parameters=each.parameters, slug=each.slug
    )
    await client.create_deployment_schedules(deployment_id, [made])


def _differs(there: DeploymentSchedule, asked: Wanted) -> bool:
    return there.parameters != asked.parameters or _plain(there.schedule) != _plain(asked.schedule)


def _plain(schedule: Any) -> tuple[Any, ...]:
    names = ("interval", "anchor_date", "cron", "timezone")
    return tuple(getattr(schedule, name, None) for name in names)


def _paused(deployment: DeploymentResponse, schedules: Sequence[DeploymentSchedule]) -> set[str]:
    return {each.slug for each in schedules if each.slug and (deployment.paused or not each.active)}


def _tell(records: Records, asked: Sequence[Wanted], paused: set[str], renewed: Renewed) -> None:
    """Evidence only where there is something to tell: this is looked at every minute."""
    with records.read() as tx:
        news = [
            (each, customer)
            for each in asked
            for customer in each.customers
            if duties.is_news(tx, customer, duty_of(each.mode), paused=each.slug in paused)
        ]
    if not news:
        return
    with records.write() as tx:
        for each, customer in news:
            is_paused = each.slug in paused
            told = renewed.paused if is_paused else renewed.resumed
            duty = duty_of(each.mode)
            if duties.tell(tx, customer, duty, paused=is_paused, clause=CLAUSE, schedule=each.slug):
                told.append(each.slug)


def duty_of(mode: str) -> str:
    """What the evidence calls the duty that a schedule of this mode serves."""
    return f"erp-{mode}"


class Schedules:
    """Renews the schedules when an agreement was loaded, and looks after them once a minute."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._versions: dict[str, int] | None = None
        self._looked = 0.0
        self._said = ""

    async def look(self) -> Renewed | None:
        """Renew what is due to be renewed; None: nothing was, or it was refused, which is said once.

        Raises:
            PrefectAway: the server does not answer.
        """
        versions = await asyncio.to_thread(self._now)
        if versions == self._versions and time.monotonic() < self._looked + LOOK_SECONDS:
            return None
        try:
            with away_is_said():
                async with get_client() as client:
                    renewed = await renew(self._records, client)
        except PrefectAway:
            raise
        except (httpx.HTTPError, NakomingError) as trouble:
            self._say(trouble)
            return None
        self._versions, self._looked, self._said = versions, time.monotonic(), ""
        if said := str(renewed):
            _log.info("%s", said)
        return renewed

    def _say(self, trouble: Exception) -> None:
        """Once, not at every pass: what a server answers may hold names of customers, so not its text."""
        kind = str(trouble) if isinstance(trouble, NakomingError) else type(trouble).__name__
        if kind != self._said:
            _log.warning("The schedules of the exchange are not renewed: %s", kind)
            self._said = kind

    def _now(self) -> dict[str, int]:
        with self._records.read() as tx:
            return {each: agreements.newest_version(tx, each) for each in agreements.customers(tx)}
