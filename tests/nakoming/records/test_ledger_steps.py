"""Steps: an intent before the effect, an outcome after it, and a doubt where there is none."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from nakoming.agreement.gate_rules import Verb
from nakoming.records import cases, gates, steps
from nakoming.records.errors import GateReopened, InputChanged, LeaseLost
from nakoming.records.steps import Begun, Done, Doubt, InDoubt

if TYPE_CHECKING:
    from nakoming.records.cases import Lease
    from tests.nakoming.records.conftest import World

_MINUTE = timedelta(minutes=1)


def _begin(world: World, lease: Lease, digest: str = "d", **differing: object) -> Done | Begun | InDoubt:
    options = {"doubt": Doubt.REPEAT, "timeout": _MINUTE} | differing
    with world.records.write() as tx:
        return steps.begin(tx, lease, "build/1", digest, **options)  # type: ignore[arg-type]


def _begun(world: World, lease: Lease, digest: str = "d") -> Begun:
    begun = _begin(world, lease, digest)
    assert isinstance(begun, Begun)
    return begun


def _finish(world: World, lease: Lease, begun: Begun, output: object = None) -> None:
    with world.records.write() as tx:
        steps.finish(tx, lease, "build/1", begun, output, output_digest="o")


def test_a_finished_step_gives_back_its_stored_output(world: World) -> None:
    lease = world.held()
    _finish(world, lease, _begun(world, lease), {"revision": "a1"})
    again = world.acquire(world.reread(lease))
    assert _begin(world, again) == Done({"revision": "a1"})
    with world.records.read() as tx:
        assert steps.finished(tx, lease.case_id, "acme") == {"build/1": ("d", {"revision": "a1"})}
    assert world.events() == ["case:run:opened", "case:step:done"]


def test_a_finished_step_with_other_input_is_an_error(world: World) -> None:
    lease = world.held()
    _finish(world, lease, _begun(world, lease))
    with pytest.raises(InputChanged, match=r"Step build/1 of case rfc/acme/.* was done with other input"):
        _begin(world, lease, "other")


def test_a_step_that_failed_cleanly_is_tried_again(world: World) -> None:
    lease = world.held()
    begun = _begun(world, lease)
    with world.records.write() as tx:
        steps.fail(tx, lease, "build/1", begun, "no")
    again = _begun(world, lease)
    assert again.attempt == 2
    _finish(world, lease, again)
    assert world.events()[1:] == ["case:step:failed", "case:step:done"]


def _ids(begun: Begun) -> tuple[str, int]:
    return begun.step_id, begun.attempt


def test_an_intent_without_an_outcome_is_in_doubt_until_it_is_certainly_over(world: World) -> None:
    lease = world.held()
    first = _begun(world, lease)
    began = world.now()
    world.move(timedelta(seconds=16))
    found = _begin(world, world.acquire(world.reread(lease), world.other))
    assert isinstance(found, InDoubt)
    assert (found.step_id, found.attempt) == _ids(first)
    # The lease and the time-out of a holder on another host.
    assert timedelta(0) <= began + cases.LEASE + _MINUTE - found.settles_at < timedelta(seconds=5)


def test_the_doubt_about_a_dead_process_can_be_settled_at_once(world: World) -> None:
    case = world.case()
    program = """
        from datetime import timedelta
        from nakoming.records import cases, steps
        from nakoming.records.owners import this_process
        with records.write() as tx:
            lease = cases.acquire(tx, arguments[0], this_process())
        with records.write() as tx:
            steps.begin(tx, lease, "build/1", "d", doubt=steps.Doubt.ASK, timeout=timedelta(hours=1))
    """
    world.python(program, case.id).communicate()
    found = _begin(world, world.acquire(case))
    assert isinstance(found, InDoubt)
    assert found.settles_at <= world.now()


def test_the_same_holder_never_repeats_an_unsettled_effect_unasked(world: World) -> None:
    lease = world.held()
    _begun(world, lease)
    assert isinstance(_begin(world, lease), InDoubt)


def test_a_doubtful_step_with_other_input_is_an_error(world: World) -> None:
    lease = world.held()
    _begun(world, lease)
    with pytest.raises(InputChanged):
        _begin(world, lease, "other")


def test_a_doubt_is_settled_by_repeating_and_the_former_attempt_can_end_no_more(world: World) -> None:
    lease = world.held()
    first = _begun(world, lease)
    found = _begin(world, lease)
    assert isinstance(found, InDoubt)
    with world.records.write() as tx:
        again = steps.repeat(tx, lease, "build/1", found, Doubt.REPEAT, _MINUTE)
    assert again == Begun(first.step_id, 2)
    with pytest.raises(LeaseLost, match="step build/1"):
        _finish(world, lease, first)
    with pytest.raises(LeaseLost), world.records.write() as tx:
        steps.repeat(tx, lease, "build/1", found, Doubt.REPEAT, _MINUTE)
    _finish(world, lease, again)
    assert world.events()[1:] == ["case:step:settled", "case:step:done"]


def test_an_outcome_is_written_once(world: World) -> None:
    lease = world.held()
    begun = _begun(world, lease)
    _finish(world, lease, begun, "first")
    with pytest.raises(LeaseLost):
        _finish(world, lease, begun, "second")
    with pytest.raises(LeaseLost), world.records.write() as tx:
        steps.fail(tx, lease, "build/1", begun, "no")
    assert _begin(world, lease) == Done("first")
    assert world.events().count("case:step:done") == 1


def test_a_step_in_the_records_themselves_is_one_transaction(world: World) -> None:
    lease = world.held()
    with world.records.write() as tx:
        steps.record(tx, lease, "note/1", "d", [1], output_digest="o")
    with pytest.raises(ZeroDivisionError), world.records.write() as tx:
        steps.record(tx, lease, "note/2", "d", 1 / 0, output_digest="o")
    with world.records.read() as tx:
        assert steps.finished(tx, lease.case_id, "acme") == {"note/1": ("d", [1])}


def test_a_gate_is_consumed_in_the_transaction_of_the_intent(world: World) -> None:
    lease = world.held()
    gate = world.gate(lease, "go")
    with pytest.raises(GateReopened, match=r"Gate go of case .* is open, not fulfilled"):
        _begin(world, lease, consumes=("go",))
    with world.records.read() as tx:
        assert steps.listed(tx, lease.case_id) == []
    world.give(gate, "anna", Verb.APPROVE)

    def cut() -> None:
        with world.records.write() as tx:
            steps.begin(tx, lease, "build/1", "d", doubt=Doubt.REPEAT, timeout=_MINUTE, consumes=("go",))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut()
    assert world.look(gate).consumed_by is None
    assert isinstance(_begin(world, lease, consumes=("go",)), Begun)
    assert world.look(gate).consumed_by == "build/1"
    with pytest.raises(GateReopened, match="is used for build/1"), world.records.write() as tx:
        gates.consume(tx, lease, "go", by="build/2")


def test_steps_are_numbered_in_the_order_in_which_they_began(world: World) -> None:
    lease = world.held()
    for name in ("b", "a", "c"):
        with world.records.write() as tx:
            steps.record(tx, lease, name, "d", None, output_digest="o")
    with world.records.read() as tx:
        assert [(step.name, step.number) for step in steps.listed(tx, lease.case_id)] == [
            ("b", 1),
            ("a", 2),
            ("c", 3),
        ]
