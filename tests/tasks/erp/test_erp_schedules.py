"""Each customer's exchange has its schedules in Prefect, an operator's pause stays, and is told."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.workers.process import ProcessWorker

from deployments.embedded.provision import _deploy, _pool
from flows.erp_sync import erp_sync
from flows.erp_sync_all import erp_sync_all
from nakoming.agreement.loading import parse_agreement
from nakoming.records import clock, duties, evidence_check, proofs
from nakoming.records.events import Event
from tasks.erp import schedules, timetable
from tasks.erp.schedules import Renewed, Schedules, renew
from tasks.waking.errors import PrefectAway
from tests.harness.erp_pair import agree, agreement_text
from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """No customer has an ERP yet."""
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        for customer in ("brouwer", "fenwick", "kestrel"):
            agree(found, customer, None)
        yield found


@pytest.fixture
def deployed(prefect_api: PrefectServer) -> Iterator[None]:
    """Both deployments, with nobody who works on their runs."""
    del prefect_api
    with get_client(sync_client=True) as client:
        made = [
            client.create_deployment(flow_id=client.create_flow_from_name(flow.name), name=flow.name)
            for flow in (erp_sync, erp_sync_all)
        ]
        yield
        for each in made:
            client.delete_deployment(each)


def look(records: Records) -> Renewed:
    async def once() -> Renewed:
        async with get_client() as client:
            return await renew(records, client)

    return asyncio.run(once())


def there(deployment: str = timetable.OF_ONE) -> dict[str | None, Any]:
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return {each.slug: each for each in client.read_deployment_schedules(found.id)}


def runs_of(deployment: str = timetable.OF_ONE) -> list[Any]:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        which = DeploymentFilter(id=DeploymentFilterId(any_=[found.id]))
        return client.read_flow_runs(deployment_filter=which)


def set_active(slug: str, *, active: bool) -> None:
    """The switch in the UI."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(timetable.OF_ONE)
        each = there()[slug]
        # The UI sends the parameters along; without them Prefect would empty them.
        client.update_deployment_schedule(found.id, each.id, active=active, parameters=each.parameters)


@pytest.mark.usefixtures("deployed")
@pytest.mark.clause("S-4.2.1")
def test_an_agreement_with_an_erp_has_its_schedules(records: Records) -> None:
    assert look(records) == Renewed()
    agree(records, "brouwer", 5)
    assert look(records).made == ["erp-brouwer", "erp-compare-brouwer"]
    found = there()
    exchange, night = found["erp-brouwer"], found["erp-compare-brouwer"]
    assert exchange.schedule.interval == timedelta(minutes=5)
    assert exchange.parameters == {"customer": "brouwer"}
    assert (night.schedule.cron, night.schedule.timezone) == ("10 3 * * *", "Europe/Amsterdam")
    assert night.parameters == {"customer": "brouwer", "mode": "compare"}
    planned = runs_of()
    assert {run.parameters["customer"] for run in planned} == {"brouwer"}
    assert all(run.auto_scheduled for run in planned)
    assert look(records) == Renewed()  # nothing more to do


@pytest.mark.usefixtures("deployed")
def test_a_new_version_changes_them_and_an_erp_that_is_gone_takes_them_away(records: Records) -> None:
    agree(records, "brouwer", 5)
    agree(records, "kestrel", 10)
    look(records)
    agree(records, "brouwer", 15)
    assert look(records).changed == ["erp-brouwer"]
    changed = there()["erp-brouwer"]
    assert changed.schedule.interval == timedelta(minutes=15)
    assert changed.parameters == {"customer": "brouwer"}
    # Prefect takes away planned runs of all schedules with a change; they are planned again at once.
    assert {run.parameters["customer"] for run in runs_of()} == {"brouwer", "kestrel"}
    agree(records, "brouwer", None)
    assert sorted(look(records).removed) == ["erp-brouwer", "erp-compare-brouwer"]
    assert set(there()) == {"erp-kestrel", "erp-compare-kestrel"}
    assert {run.parameters["customer"] for run in runs_of()} == {"kestrel"}


@pytest.mark.usefixtures("deployed")
def test_what_an_operator_changed_is_the_agreements_again_and_their_own_is_left_alone(
    records: Records,
) -> None:
    agree(records, "brouwer", 5)
    look(records)
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(timetable.OF_ONE)
        wrong = IntervalSchedule(interval=timedelta(hours=9))
        mine = there()["erp-brouwer"]
        client.update_deployment_schedule(found.id, mine.id, schedule=wrong, parameters={"customer": "x"})
        own = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 6 * * *"), parameters={"customer": "y"})
        client.create_deployment_schedules(found.id, [own])
    assert look(records).changed == ["erp-brouwer"]
    assert there()["erp-brouwer"].schedule.interval == timedelta(minutes=5)
    assert there()["erp-brouwer"].parameters == {"customer": "brouwer"}
    assert there()[None].parameters == {"customer": "y"}


@pytest.mark.usefixtures("deployed")
def test_a_pause_stays_and_is_a_missed_duty_once_a_day(records: Records) -> None:
    agree(records, "brouwer", 5)
    look(records)
    set_active("erp-brouwer", active=False)
    assert look(records).paused == ["erp-brouwer"]
    assert look(records).paused == []  # told today
    with records.write() as tx:
        since = duties.paused_since(tx, "brouwer", "erp-incremental")
        assert since is not None
        assert duties.paused_since(tx, "brouwer", "erp-compare") is None
        clock.move(tx.connection, timedelta(days=1))
    agree(records, "brouwer", 15)  # a change keeps the pause
    renewed = look(records)
    assert (renewed.changed, renewed.paused) == (["erp-brouwer"], ["erp-brouwer"])
    assert not there()["erp-brouwer"].active
    with records.read() as tx:
        assert duties.paused_since(tx, "brouwer", "erp-incremental") == since
    set_active("erp-brouwer", active=True)
    assert look(records).resumed == ["erp-brouwer"]
    assert look(records) == Renewed()
    with records.read() as tx:
        assert duties.paused_since(tx, "brouwer", "erp-incremental") is None
        proof = proofs.find(tx, "duty:erp-incremental:brouwer", Event.SCHEDULE_PAUSED)
        assert proof is not None
        assert proof.chain == "brouwer"
        assert not [each for each in evidence_check.verify(tx) if each.is_damage]


@pytest.mark.usefixtures("deployed")
def test_a_deployment_made_anew_keeps_the_pause(records: Records) -> None:
    """Prefect's own `deploy` command takes all schedules away."""
    agree(records, "brouwer", 5)
    look(records)
    set_active("erp-brouwer", active=False)
    look(records)
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name(erp_sync.name)
        client.create_deployment(flow_id=flow, name="erp-sync")
    assert there() == {}
    assert look(records).made == ["erp-brouwer", "erp-compare-brouwer"]
    assert {slug: each.active for slug, each in there().items()} == {
        "erp-brouwer": False,
        "erp-compare-brouwer": True,
    }


@pytest.mark.usefixtures("deployed")
def test_a_deployment_that_is_paused_as_a_whole_is_told_too(records: Records) -> None:
    agree(records, "brouwer", 5)
    look(records)
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(timetable.OF_ONE)
        client.pause_deployment(found.id)
    assert look(records).paused == ["erp-brouwer", "erp-compare-brouwer"]


@pytest.mark.usefixtures("deployed")
def test_the_start_of_the_system_leaves_schedules_and_pauses_alone(records: Records) -> None:
    agree(records, "brouwer", 5)
    look(records)
    set_active("erp-compare-brouwer", active=False)
    before = there()
    entry = {"name": "erp-sync", "entrypoint": "flows/erp_sync.py:erp_sync", "description": "Anew."}

    async def start() -> None:
        async with get_client() as client:
            await _pool(client, ProcessWorker)
            await _deploy(client, entry, erp_sync, "process")

    asyncio.run(start())
    assert {slug: (each.id, each.active) for slug, each in there().items()} == {
        slug: (each.id, each.active) for slug, each in before.items()
    }
    with get_client(sync_client=True) as client:
        assert client.read_deployment_by_name(timetable.OF_ONE).description == "Anew."


@pytest.mark.usefixtures("deployed")
def test_many_customers_share_two_schedules(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(records, "brouwer", 15)
    agree(records, "kestrel", 5)
    look(records)
    monkeypatch.setattr(timetable, "MOST_OF_THEIR_OWN", 1)
    renewed = look(records)
    assert len(renewed.removed) == 4
    assert renewed.made == ["erp-all", "erp-compare-all"]
    assert there() == {}
    shared = there(timetable.OF_ALL)
    assert shared["erp-all"].schedule.interval == timedelta(minutes=5)
    assert shared["erp-compare-all"].parameters == {"mode": "compare"}
    assert runs_of(timetable.OF_ALL)
    monkeypatch.undo()
    assert look(records).made == [
        "erp-brouwer",
        "erp-compare-brouwer",
        "erp-kestrel",
        "erp-compare-kestrel",
    ]
    assert there(timetable.OF_ALL) == {}


def test_the_reconciler_looks_when_an_agreement_changed_and_once_a_minute(
    records: Records, deployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del deployed

    async def play() -> None:
        kept = Schedules(records)
        assert await kept.look() is not None
        assert await kept.look() is None
        agree(records, "brouwer", 5)
        renewed = await kept.look()
        assert renewed is not None
        assert renewed.made == ["erp-brouwer", "erp-compare-brouwer"]
        assert await kept.look() is None
        monkeypatch.setattr(schedules, "LOOK_SECONDS", 0.0)
        assert await kept.look() is not None

    asyncio.run(play())


def test_a_prefect_that_is_away_is_said_as_any_request_says_it(records: Records) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    away = re.escape("The Prefect server at http://127.0.0.1:9/api does not answer (ConnectError)")
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(PrefectAway, match=away),
    ):
        asyncio.run(Schedules(records).look())


def test_customers_do_not_all_begin_in_the_same_second() -> None:
    every = timedelta(minutes=5)
    anchors = {timetable.anchor(f"customer-{number}", every) for number in range(40)}
    assert len(anchors) > 30
    assert all(
        datetime(2026, 1, 1, tzinfo=UTC) <= each < datetime(2026, 1, 1, 0, 5, tzinfo=UTC) for each in anchors
    )


def test_an_occasion_is_the_same_from_one_instant_of_the_schedule_to_the_next() -> None:
    every = timedelta(minutes=5)
    start = timetable.anchor("brouwer", every) + 1000 * every
    subjects = [
        timetable.due_subject("brouwer", every, "incremental", start + timedelta(seconds=s))
        for s in (-1, 0, 299, 300)
    ]
    assert subjects[1] == subjects[2]
    assert len(set(subjects)) == 3


def test_a_night_has_one_comparison_on_the_clock_of_amsterdam() -> None:
    every = timedelta(minutes=5)
    night = datetime(2027, 3, 28, 1, 10, tzinfo=UTC)  # 03:10 on the night on which the clock goes forward
    assert timetable.due_subject("brouwer", every, "compare", night) == "compare-2027-03-28"
    before = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)  # 00:30
    assert timetable.due_subject("brouwer", every, "compare", before) == "compare-2027-03-28"


def test_an_interval_of_nothing_is_by_hand() -> None:
    zero = parse_agreement(agreement_text("brouwer", 0), "brouwer.yaml")
    assert timetable.wanted({"brouwer": zero}) == ()
