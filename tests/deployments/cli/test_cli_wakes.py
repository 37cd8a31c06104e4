"""What a command changes in a case is seen by its run at once; without Prefect the reconciler sees to it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Suspended

from flows.rfc_street import rfc_street
from nakoming.agreement.local_time import local_date
from nakoming.records import case_runs, wishes
from tests.deployments.cli.conftest import KEY, judged, released
from tests.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

    from tests.deployments.cli.conftest import Ended
    from tests.harness.installation import Walker

ANSWER = ("gate", "answer", KEY, "judgement/choice", "--person", "ines-verhoeven", "--verb", "choose")
CHOICE = ("--option", "generic", "--remark", "Meer klanten vragen dit.", "--via", "telephone", "--yes")


@pytest.fixture
def prefect(prefect_api: object) -> Iterator[SyncPrefectClient]:
    del prefect_api
    with get_client(sync_client=True) as client:
        yield client


def suspended(prefect: SyncPrefectClient, street: Walker) -> UUID:
    """A suspended run of the street, which worked on the case last; no worker serves it."""
    flow = prefect.create_flow_from_name(rfc_street.name)
    deployment = prefect.create_deployment(flow_id=flow, name="waked-by-commands")
    run = prefect.create_flow_run_from_deployment(deployment)
    prefect.set_flow_run_state(run.id, Suspended(timeout_seconds=3600), force=True)
    with street.records.write() as tx:
        case_runs.note(tx, street.case.id, str(run.id), str(deployment))
    return run.id


def answered(street: Walker) -> tuple[Any, ...]:
    with street.records.read() as tx:
        return (*ANSWER, *CHOICE, "--received-on", local_date(tx.now))


def wants_to_run(street: Walker) -> bool:
    with street.records.read() as tx:
        wish = wishes.of_case(tx, street.case.id)
    assert wish is not None
    return wish.wants_to_run


def is_resumed(prefect: SyncPrefectClient, run: UUID) -> bool:
    state = prefect.read_flow_run(run).state
    assert state is not None
    assert state.type in {StateType.PAUSED, StateType.SCHEDULED}
    return state.type == StateType.SCHEDULED


def test_an_answer_wakes_the_case(
    prefect: SyncPrefectClient, street: Walker, nakoming: Callable[..., Ended]
) -> None:
    run = suspended(prefect, street)
    ended = nakoming(*answered(street))
    assert (ended.status, ended.err) == (0, "")
    assert is_resumed(prefect, run)


def test_a_revoked_question_wakes_the_case(
    prefect: SyncPrefectClient, street: Walker, nakoming: Callable[..., Ended]
) -> None:
    run = suspended(prefect, street)
    assert nakoming("gate", "revoke", KEY, "judgement/choice", "--reason", "Vervallen.").status == 0
    assert is_resumed(prefect, run)


def test_another_release_wakes_the_case(
    prefect: SyncPrefectClient, street: Walker, nakoming: Callable[..., Ended]
) -> None:
    released(street)
    run = suspended(prefect, street)
    assert nakoming("rfc", "plan", KEY, "2027.05").status == 0
    assert is_resumed(prefect, run)


def test_the_run_of_a_withdrawn_case_is_woken_once_to_see_its_end(
    prefect: SyncPrefectClient, street: Walker, nakoming: Callable[..., Ended]
) -> None:
    run = suspended(prefect, street)
    assert nakoming("case", "withdraw", KEY, "--reason", "Niet meer nodig.").status == 0
    assert is_resumed(prefect, run)
    assert not wants_to_run(street)


def test_a_change_that_wakes_nobody_wakes_nobody(
    prefect: SyncPrefectClient, street: Walker, nakoming: Callable[..., Ended]
) -> None:
    judged(street)
    run = suspended(prefect, street)
    # The answer of before is repeated: nothing has changed.
    assert "nothing has changed" in nakoming(*answered(street)).out
    assert not is_resumed(prefect, run)


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:{port}/api"])
def test_without_prefect_nothing_is_said_and_the_reconciler_finds_the_wish(
    street: Walker, nakoming: Callable[..., Ended], address: str
) -> None:
    begun = time.monotonic()
    with temporary_settings({PREFECT_API_URL: address.format(port=free_port())}):
        ended = nakoming(*answered(street))
    assert (ended.status, ended.err) == (0, "")
    assert timedelta(seconds=time.monotonic() - begun) < timedelta(seconds=9)
    assert wants_to_run(street)
    withdrawn = nakoming("case", "withdraw", KEY, "--reason", "Niet meer nodig.")
    assert (withdrawn.status, withdrawn.err) == (0, "")
    assert wants_to_run(street)
