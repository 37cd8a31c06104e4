"""No more at once on a server than it has places, in one process and across several."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.records import cases, resource_leases
from nakoming.records.errors import ResourceBusy
from nakoming.records.owners import this_process
from tasks.backup.limits import places
from tasks.steps import Work

if TYPE_CHECKING:
    from nakoming.records.store import Records

LONG, SHORT = timedelta(seconds=60), timedelta(0)
OTHER = "another-host/boot/1/1"


def work(records: Records, number: int) -> Work:
    with records.write() as tx:
        case = cases.open_case(
            tx, "tiny", "brouwer", f"n{number}", agreement_version=1, flow_revision=1, parameters={}
        ).case
        return Work(records, cases.acquire(tx, case.id, this_process()), "step", 1)


def test_two_places_let_two_in_at_once_and_never_three(records: Records) -> None:
    works = [work(records, number) for number in range(6)]
    lock, inside, most = threading.Lock(), [0], [0]
    pair = threading.Barrier(2)

    def use(each: Work) -> None:
        with places(each, {"server/a": 2, "site/b": 4}, patience=LONG):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            pair.wait(timeout=60)  # two are inside at the same time
            with lock:
                inside[0] -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(use, works))
    assert most[0] == 2
    with records.read() as tx:
        assert [resource_leases.holder(tx, f"server/a/{number}") for number in (1, 2)] == [None, None]


def test_another_workers_places_count(records: Records) -> None:
    mine = work(records, 1)
    with records.write() as tx:
        theirs = resource_leases.take(tx, "server/a/1", OTHER, lease=LONG)
    with (
        pytest.raises(ResourceBusy, match="server/a/1 is in use by another-host"),
        places(mine, {"server/a": 1}, patience=SHORT),
    ):
        pass
    with records.write() as tx:
        resource_leases.release(tx, theirs)
    with places(mine, {"server/a": 1}, patience=SHORT), records.read() as tx:
        held = resource_leases.holder(tx, "server/a/1")
        assert held is not None
        assert held.owner == this_process()


def test_what_was_taken_is_let_go_when_another_place_is_not_to_be_had(records: Records) -> None:
    with records.write() as tx:
        resource_leases.take(tx, "server/b/1", OTHER, lease=LONG)
    wanted = {"server/a": 1, "server/b": 1}
    with pytest.raises(ResourceBusy), places(work(records, 1), wanted, patience=SHORT):
        pass
    with records.read() as tx:
        assert resource_leases.holder(tx, "server/a/1") is None
