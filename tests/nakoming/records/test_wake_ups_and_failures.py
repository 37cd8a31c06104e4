"""Wake-ups come once, and a case that fails for ever is stuck and shown."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.records import cases, failures, wake_ups
from nakoming.records.cases import State
from nakoming.records.errors import CaseClosed, LeaseLost

if TYPE_CHECKING:
    from datetime import datetime

    from tests.nakoming.records.conftest import World


def _plan(world: World, lease: cases.Lease, name: str, at: datetime) -> None:
    with world.records.write() as tx:
        wake_ups.plan(tx, lease.case_id, kind="instant", name=name, at=at, label=f"the instant {name}")


def test_what_is_due_is_told_oldest_first_and_dealt_with_once(world: World) -> None:
    lease = world.held()
    now = world.now()
    for name, minutes in (("b", 2), ("a", 1), ("c", 60)):
        _plan(world, lease, name, now + timedelta(minutes=minutes))
    with world.records.read() as tx:
        assert wake_ups.due(tx) == []
    world.move(timedelta(minutes=5))
    with world.records.write() as tx:
        found = wake_ups.due(tx)
        assert [each.name for each in found] == ["a", "b"]
        assert [wake_ups.done(tx, each.id) for each in [*found, *found]] == [True, True, False, False]
    with world.records.read() as tx:
        assert wake_ups.due(tx) == []
        assert [each.name for each in wake_ups.pending(tx, lease.case_id)] == ["c"]


def test_the_same_name_moves_a_wake_up(world: World) -> None:
    lease = world.held()
    now = world.now()
    _plan(world, lease, "a", now + timedelta(minutes=1))
    _plan(world, lease, "a", now + timedelta(days=1))
    with world.records.read() as tx:
        assert [each.at for each in wake_ups.pending(tx, lease.case_id)] == [now + timedelta(days=1)]


def test_what_stands_in_the_prefect_ui_is_known_until_it_is_taken_away(world: World) -> None:
    lease = world.held()
    _plan(world, lease, "a", world.now() + timedelta(days=1))
    with world.records.write() as tx:
        [each] = wake_ups.unshown(tx)
        wake_ups.shown_as(tx, each.id, "run-1")
        assert wake_ups.unshown(tx) == []
        assert wake_ups.shown_in_vain(tx) == []
        wake_ups.cancel_case(tx, lease.case_id)
        assert [vain.prefect_run_id for vain in wake_ups.shown_in_vain(tx)] == ["run-1"]
        wake_ups.shown_as(tx, each.id, None)
        assert wake_ups.shown_in_vain(tx) == []


def _fail(world: World, case: cases.Case) -> State:
    lease = world.acquire(case)
    with world.records.write() as tx:
        return failures.failed(tx, lease, "ValueError: no")


def test_five_failures_with_back_off_make_a_case_stuck(world: World) -> None:
    case = world.case()
    pauses = []
    for _ in range(4):
        assert _fail(world, case) == State.WAITING
        with world.records.read() as tx:
            found = cases.get(tx, case.id)
            assert found.wake_at is not None
            pauses.append(found.wake_at - tx.now)
    assert pauses == sorted(pauses)
    assert pauses[-1] > timedelta(minutes=9)
    assert _fail(world, case) == State.STUCK
    with world.records.read() as tx:
        found = cases.get(tx, case.id)
    assert (found.wake_at, found.attempts, found.last_error) == (None, 5, "ValueError: no")
    assert world.events()[-1] == "case:run:stuck"


def test_a_wait_between_failures_gives_all_attempts_back(world: World) -> None:
    case = world.case()
    _fail(world, case)
    lease = world.acquire(case)
    with world.records.write() as tx:
        cases.wait(tx, lease, [])
    assert world.reread(lease).attempts == 0


@pytest.mark.parametrize("by", ["an operator", "starting it again"])
def test_a_stuck_case_runs_again_with_all_its_attempts(world: World, by: str) -> None:
    case = world.case()
    for _ in range(5):
        _fail(world, case)
    if by == "an operator":
        with world.records.write() as tx:
            failures.resume(tx, case.id, "vendor:otto")
    lease = world.acquire(case)
    assert (world.reread(lease).state, world.reread(lease).attempts) == (State.OPEN, 0)
    assert world.events()[-1] == "case:run:released"


def test_holding_a_case_fences_its_run_off_until_it_is_started_again(world: World) -> None:
    lease = world.held()
    with world.records.write() as tx:
        failures.hold(tx, lease.case_id, "Cancel in the Prefect UI")
    with pytest.raises(LeaseLost), world.records.write() as tx:
        cases.heartbeat(tx, lease)
    with world.records.write() as tx:
        cases.wake(tx, lease.case_id)
    assert (world.reread(lease).state, world.reread(lease).wake_at) == (State.HELD, None)
    assert world.acquire(world.reread(lease)).epoch == 2


def test_withdrawing_ends_a_case_and_all_that_is_due_in_it(world: World) -> None:
    lease = world.held()
    _plan(world, lease, "a", world.now() + timedelta(days=1))
    with world.records.write() as tx:
        failures.withdraw(tx, lease.case_id, "acme:anna", "not needed")
    with pytest.raises(LeaseLost), world.records.write() as tx:
        cases.heartbeat(tx, lease)
    with world.records.read() as tx:
        assert wake_ups.pending(tx, lease.case_id) == []
    for act in (failures.hold, failures.resume):
        with pytest.raises(CaseClosed), world.records.write() as tx:
            act(tx, lease.case_id, "vendor:otto")
