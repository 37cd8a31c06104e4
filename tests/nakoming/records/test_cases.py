"""Cases are opened once, held by one worker at a time, and never lose a wish to wake."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nakoming.agreement.gate_rules import Verb
from nakoming.records import cases, failures, gates, steps, wake_ups
from nakoming.records.cases import State
from nakoming.records.errors import CaseClosed, CaseHeld, LeaseLost, UnknownCase
from nakoming.records.steps import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable

    from nakoming.records.cases import Lease
    from nakoming.records.store import Tx
    from tests.nakoming.records.conftest import World


def test_opening_again_joins_and_the_stored_parameters_win(world: World) -> None:
    first = world.case("A-1", title="one", documents=("a", "b"))
    with world.records.write() as tx:
        again = cases.open_case(
            tx,
            "rfc",
            "acme",
            "A-1",
            agreement_version=2,
            flow_revision=2,
            parameters={"title": "two", "documents": ("a", "b")},
        )
    assert again.joined
    assert again.case == first
    assert again.differences == {"title": ("one", "two")}
    assert world.events() == ["case:run:opened", "case:run:joined"]


def test_of_two_who_open_the_same_case_at_once_one_opens_and_one_joins(world: World) -> None:
    barrier = threading.Barrier(2)

    def open_it(twin: Any) -> bool:
        barrier.wait()
        with twin.write() as tx:
            opened = cases.open_case(
                tx, "rfc", "acme", "A-1", agreement_version=1, flow_revision=1, parameters={}
            )
        return opened.joined

    with ThreadPoolExecutor(2) as pool:
        joined = list(pool.map(open_it, [world.twin(), world.twin()]))
    assert sorted(joined) == [False, True]
    assert world.events() == ["case:run:opened"]


def test_a_key_that_nobody_opened_is_unknown(world: World) -> None:
    with world.records.write() as tx:
        for look in (lambda: cases.by_key(tx, "rfc/acme/none"), lambda: cases.acquire(tx, "0" * 32, "me")):
            with pytest.raises(UnknownCase, match="`nakoming case list` shows those there are"):
                look()


def test_a_held_case_is_refused_to_others_until_its_lease_has_run_out(world: World) -> None:
    case = world.case()
    first = world.acquire(case)
    with pytest.raises(CaseHeld, match=rf"Case {case.key} is being worked on by {world.owner}"):
        world.acquire(case, world.other)
    world.move(timedelta(seconds=14))
    with pytest.raises(CaseHeld):
        world.acquire(case, world.other)
    world.move(timedelta(seconds=2))
    assert world.acquire(case, world.other).epoch == first.epoch + 1


def test_a_heartbeat_keeps_the_case(world: World) -> None:
    case = world.case()
    lease = world.acquire(case)
    for _ in range(3):
        world.move(timedelta(seconds=10))
        with world.records.write() as tx:
            cases.heartbeat(tx, lease)
    with pytest.raises(CaseHeld):
        world.acquire(case, world.other)


def test_two_processes_race_for_a_case_and_one_gets_it(world: World) -> None:
    case = world.case()
    program = """
        from nakoming.records import cases
        from nakoming.records.errors import CaseHeld
        try:
            with records.write() as tx:
                cases.acquire(tx, *arguments)
            print("held")
        except CaseHeld:
            print("refused")
    """
    racers = [world.python(program, case.id, owner) for owner in (world.owner, world.other)]
    assert sorted(racer.communicate()[0].strip() for racer in racers) == ["held", "refused"]


def test_a_dead_holder_is_followed_at_once(world: World) -> None:
    case = world.case()
    program = """
        import signal
        from nakoming.records import cases
        from nakoming.records.owners import this_process
        with records.write() as tx:
            cases.acquire(tx, arguments[0], this_process())
        print("held", flush=True)
        signal.pause()
    """
    holder = world.python(program, case.id)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    assert world.acquire(case).epoch == 2


def _enter(tx: Tx, lease: Lease) -> None:
    cases.enter_stage(tx, lease, "build")


def _wait(tx: Tx, lease: Lease) -> None:
    cases.wait(tx, lease, [])


def _begin(tx: Tx, lease: Lease) -> None:
    steps.begin(tx, lease, "build/2", "d", doubt=Doubt.REPEAT, timeout=timedelta(1))


def _finish(tx: Tx, lease: Lease) -> None:
    with tx.records.read() as reading:
        step = steps.listed(reading, lease.case_id)[0]
    steps.finish(tx, lease, step.name, steps.Begun(step.id, step.attempt), {}, output_digest="d")


def _fail(tx: Tx, lease: Lease) -> None:
    with tx.records.read() as reading:
        step = steps.listed(reading, lease.case_id)[0]
    steps.fail(tx, lease, step.name, steps.Begun(step.id, step.attempt), "no")


_WRITES: list[Callable[[Tx, Lease], Any]] = [
    _enter,
    _wait,
    _begin,
    _finish,
    _fail,
    cases.heartbeat,
    lambda tx, lease: cases.close(tx, lease, "done"),
    cases.release,
    lambda tx, lease: steps.record(tx, lease, "note/1", "d", 1, output_digest="d"),
    lambda tx, lease: failures.failed(tx, lease, "no"),
]


@pytest.mark.parametrize("write", _WRITES)
def test_the_fence_refuses_the_old_holder_at_every_write(
    world: World, write: Callable[[Tx, Lease], Any]
) -> None:
    case = world.case()
    old = world.acquire(case)
    with world.records.write() as tx:
        steps.begin(tx, old, "build/1", "d", doubt=Doubt.REPEAT, timeout=timedelta(1))
    world.move(timedelta(seconds=16))
    new = world.acquire(case, world.other)
    before = (world.reread(new), world.events())
    with (
        pytest.raises(LeaseLost, match=r"\(epoch 1\) is lost; another holder goes on"),
        world.records.write() as tx,
    ):
        write(tx, old)
    assert (world.reread(new), world.events()) == before


def test_a_closed_case_takes_no_further_work_and_asks_nothing_more(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease)
    with world.records.write() as tx:
        cases.close(tx, lease, "done")
    assert world.look(gate).state == "revoked"
    with (
        pytest.raises(CaseClosed, match=r"ended \(done\) and takes no further work"),
        world.records.write() as tx,
    ):
        cases.acquire(tx, lease.case_id, world.owner)


def test_a_waiting_case_wakes_at_its_earliest_instant(world: World) -> None:
    lease = world.held()
    now = world.now()
    with world.records.write() as tx:
        for days in (3, 2):
            wake_ups.plan(
                tx,
                lease.case_id,
                kind="instant",
                name=f"in {days}",
                at=now + timedelta(days=days),
                label="x",
            )
        cases.wait(tx, lease, [])
    assert world.reread(lease).wake_at == now + timedelta(days=2)
    with world.records.write() as tx:
        cases.wake(tx, lease.case_id)
    woken = world.reread(lease).wake_at
    assert woken is not None
    assert woken - now < timedelta(minutes=1)


def test_an_answer_between_the_look_and_the_wait_wakes_the_case(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease)
    seen = [{"gate": gate.id, "seen": str(world.look(gate).state)}]
    world.give(gate, "anna", Verb.APPROVE)
    with world.records.write() as tx:
        cases.wait(tx, lease, seen)
    assert world.reread(lease).wake_at is not None


def test_a_wish_that_is_no_gates_is_kept_while_the_case_is_worked_on(world: World) -> None:
    lease = world.held()
    with world.records.write() as tx:
        cases.wake(tx, lease.case_id)
    with world.records.write() as tx:
        cases.wait(tx, lease, [])
    assert world.reread(lease).wake_at is not None


def test_what_a_run_wakes_in_its_own_transaction_does_not_wake_it_again(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease)
    with world.records.write() as tx:
        cases.fence(tx, lease)
        gates.revoke(tx, gate.id, "not needed")
    with world.records.write() as tx:
        cases.wait(tx, lease, [])
    assert world.reread(lease).wake_at is None


@pytest.mark.parametrize("rounds", [12])
def test_no_answer_is_lost_however_it_meets_the_wait(world: World, rounds: int) -> None:
    for number in range(rounds):
        lease = world.held()
        gate = world.gate(lease)
        seen = [{"gate": gate.id, "seen": "open"}]
        barrier = threading.Barrier(2)

        def wait(lease: Lease = lease, seen: list[dict[str, Any]] = seen, barrier: Any = barrier) -> None:
            barrier.wait()
            with world.twin().write() as tx:
                cases.wait(tx, lease, seen)

        def answer(gate: gates.Gate = gate, barrier: Any = barrier) -> None:
            barrier.wait()
            world.give(gate, "anna", Verb.APPROVE)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(wait), pool.submit(answer)][:: 1 if number % 2 else -1]:
                done.result()
        case = world.reread(lease)
        assert (case.state, case.wake_at is not None) == (State.WAITING, True)


def test_listing_gives_the_newest_first_and_only_what_is_asked(world: World) -> None:
    first, second = world.case("A-1"), world.case("A-2")
    world.case("B-1", customer="other")
    lease = world.acquire(first)
    with world.records.write() as tx:
        cases.close(tx, lease, "done")
    with world.records.read() as tx:
        assert [case.id for case in cases.listed(tx, customer="acme")] == [second.id, first.id]
        assert [case.key for case in cases.listed(tx, customer="acme", live=True)] == ["rfc/acme/A-2"]
