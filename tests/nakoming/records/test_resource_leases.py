"""Shared things are used by one at a time; whoever lost one is fenced off."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.records import resource_leases
from nakoming.records.errors import LeaseLost, ResourceBusy

if TYPE_CHECKING:
    from nakoming.records.resource_leases import ResourceLease
    from tests.nakoming.records.conftest import World

_MINUTE = timedelta(minutes=1)
_THING = "environment/acme/acceptance"


def _take(world: World, owner: str | None = None, case_id: str | None = None) -> ResourceLease:
    with world.twin().write() as tx:
        return resource_leases.take(tx, _THING, owner or world.owner, lease=_MINUTE, case_id=case_id)


def test_what_is_in_use_is_refused_until_it_is_let_go(world: World) -> None:
    held = _take(world)
    with pytest.raises(ResourceBusy, match=f"{_THING} is in use by {world.owner} until"):
        _take(world, world.other)
    with world.records.write() as tx:
        resource_leases.release(tx, held)
        assert resource_leases.holder(tx, _THING) is None
    assert _take(world, world.other).epoch == held.epoch + 1


def test_two_cases_of_one_worker_do_not_share_an_environment(world: World) -> None:
    first, second = world.case(), world.case()
    _take(world, case_id=first.id)
    with pytest.raises(ResourceBusy):
        _take(world, case_id=second.id)
    assert _take(world, case_id=first.id).epoch == 2


def test_a_lease_that_ran_out_is_taken_over_and_its_holder_fenced_off(world: World) -> None:
    old = _take(world)
    world.move(timedelta(seconds=50))
    with world.records.write() as tx:
        old = resource_leases.extend(tx, old, lease=_MINUTE)
    world.move(timedelta(seconds=50))
    with pytest.raises(ResourceBusy):
        _take(world, world.other)
    world.move(timedelta(seconds=11))
    new = _take(world, world.other)
    for refused in (resource_leases.fence, lambda tx, held: resource_leases.extend(tx, held, lease=_MINUTE)):
        with pytest.raises(LeaseLost, match=f"The lease on {_THING}"), world.records.write() as tx:
            refused(tx, old)
    with world.records.write() as tx:
        resource_leases.release(tx, old)  # nothing: it is another's
        assert resource_leases.holder(tx, _THING) == new
        resource_leases.fence(tx, new)


def test_a_dead_holder_is_followed_at_once(world: World) -> None:
    program = """
        from datetime import timedelta
        from nakoming.records import resource_leases
        from nakoming.records.owners import this_process
        with records.write() as tx:
            resource_leases.take(tx, arguments[0], this_process(), lease=timedelta(hours=1))
    """
    world.python(program, _THING).communicate()
    assert _take(world).epoch == 2


def test_of_two_who_take_it_at_once_one_gets_it(world: World) -> None:
    barrier = threading.Barrier(2)

    def take(owner: str) -> bool:
        barrier.wait()
        try:
            return _take(world, owner).epoch == 1
        except ResourceBusy:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, (world.owner, world.other))) == [False, True]
