"""The exchange with an ERP is killed at random while thousands of rows come in and go out."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults import report
from tests.faults.exchange_kills import Killing
from tests.faults.exchange_world import MATERIALS, OPERATIONS, PROCESS, postgres_world, sqlite_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.faults.exchange_world import World
    from tests.faults.outside import Damage

AN_ORDER = 1 + OPERATIONS + MATERIALS
HOURS, MANY_HOURS, DAMAGED_HOURS = 1_000, 20_000, 250
CHUNK, LARGE_CHUNK = 25, 100
RECOVERY_MEAN_SECONDS, RECOVERY_MOST_SECONDS = 5.0, 60.0
pytestmark = pytest.mark.clause("S-4.2.1")


def killed(
    world: World, kills: int, batch_rows: int, orders: int, damage: str | None = None, *, chunk: int = CHUNK
) -> Killing:
    order = world.order(batch_rows=batch_rows, chunk=chunk, damage=damage)
    commits = orders * AN_ORDER // batch_rows + 2 * world.telling.total() // chunk
    killing = Killing(order, kills, commits, seed=kills)
    killing.run()
    return killing


def told(play: str, killing: Killing, damage: Damage) -> report.Entry:
    entry = report.Entry(
        play=play,
        process=PROCESS,
        boundaries=0,
        cut=killing.done,
        never_cut=[],
        lost=len(damage.lost),
        doubled=len(damage.doubled),
        mail_window=0,
        **report.recovery(killing.recoveries),
    )
    report.write([entry])
    return entry


@pytest.fixture
def memory() -> Iterator[Path]:
    """In memory where that can be: a commit waits for its disk, and kill -9 takes nothing from either."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    where = shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 2**28 else None
    with tempfile.TemporaryDirectory(prefix="nakoming-exchange-", dir=where) as name:
        yield Path(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def world_on(
    kind: str, request: pytest.FixtureRequest, folder: Path, orders: int, hours: int = HOURS
) -> AbstractContextManager[World]:
    if kind == "sqlite":
        return nullcontext(sqlite_world(folder, orders, hours))
    return postgres_world(request.getfixturevalue("postgres_server"), orders, hours)


def recovered_in_time(killing: Killing) -> bool:
    """Five seconds on average, a minute at most, from a kill to the next commit."""
    slowest = max(killing.recoveries)
    return statistics.mean(killing.recoveries) <= RECOVERY_MEAN_SECONDS and slowest <= RECOVERY_MOST_SECONDS


@pytest.mark.timeout(300)
def test_nothing_is_lost_and_nothing_doubled(kind: str, request: pytest.FixtureRequest, memory: Path) -> None:
    kills, orders = 25, 10_000 // AN_ORDER
    with world_on(kind, request, memory, orders) as world:
        killing = killed(world, kills, 250, orders)
        damage = world.damage()
        assert world.moved() == (orders * AN_ORDER, HOURS)
        assert world.kept() == (world.good(), HOURS)
    told(f"25 kills, {kind}", killing, damage)
    assert damage.is_none, (damage.lost[:5], damage.doubled[:5])
    assert killing.done == kills
    assert recovered_in_time(killing), killing.recoveries


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_rows_come_through_a_thousand_kills(request: pytest.FixtureRequest, memory: Path) -> None:
    kills, orders = 1000, 1_000_000 // AN_ORDER + 1
    with world_on("postgresql", request, memory, orders, MANY_HOURS) as world:
        killing = killed(world, kills, 400, orders, chunk=LARGE_CHUNK)
        damage = world.damage()
        assert world.moved() == (orders * AN_ORDER, MANY_HOURS)
        assert world.kept() == (world.good(), MANY_HOURS)
    told("1,000 kills, 1,000,000 rows in, 20,000 out", killing, damage)
    assert damage.is_none, (damage.lost[:5], damage.doubled[:5])
    assert killing.done == kills
    assert recovered_in_time(killing), killing.recoveries


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("damage", "kind_of_fault"), [("mark apart", "lost"), ("no key", "doubled")])
def test_a_damaged_exchange_is_seen(damage: str, kind_of_fault: str, memory: Path) -> None:
    orders = 400

    def seen(time: int) -> bool:
        folder = memory / str(time)
        folder.mkdir()
        world = sqlite_world(folder, orders, DAMAGED_HOURS)
        killed(world, 20, 100, orders, damage)
        return bool(getattr(world.damage(), kind_of_fault))

    # Kills fall at random: twenty may miss the instants between two commits that should be one.
    assert any(seen(time) for time in range(6))
