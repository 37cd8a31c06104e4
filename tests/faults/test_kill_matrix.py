"""Kill -9 at every boundary of the RFC street: nothing is lost, nothing is done twice, it goes on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults import report
from tests.faults.boundaries import (
    ACTED,
    CLAIMED,
    CLOSED,
    COMMAND,
    HEAD,
    INTENT,
    LEASED,
    NOTED,
    NOTICE,
    OPENED,
    OUTCOME,
    RECORDED,
    SERVER,
    SHARED,
    TAKEN,
    WAITS,
)
from tests.faults.matrix import Played, cut, entries, played
from tests.faults.revisions import LAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.cutting import Mode
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.timeout(1800)
KINDS = {
    "flow": {LEASED, INTENT, OUTCOME, RECORDED, OPENED, TAKEN, WAITS, CLOSED, SHARED, COMMAND},
    "postman": {SHARED, CLAIMED, HEAD, SERVER, NOTED, NOTICE},
    "reconciler": {ACTED},
}
RECOVERY_SECONDS = 20.0
# A kill on the one side of an installation may spare the other: it is found done, and not begun again.
MOST_PLAYS = 3


@pytest.fixture(scope="module")
def unharmed(prefect_server: PrefectServer) -> Iterator[Played]:
    """The same play, in which nothing is killed: what there has to be, and which boundaries there are."""
    with prefect_server.settings():
        yield played(prefect_server.api_url)


def test_the_play_takes_every_branch(unharmed: Played) -> None:
    assert unharmed.case.outcome == "in production"
    done = {
        environment: [switch.rpartition(" ")[0] for switch in switches]
        for environment, switches in unharmed.picture.switches.items()
    }
    # The base, what was rolled back, what somebody else put there, and what came of it all.
    assert done["production"] == ["installed", "installed", "rolled back", "installed", "installed"]
    assert done["acceptance"] == ["installed"] * 5  # the base and four betas; the red revision came nowhere
    assert unharmed.picture.production == (f"{LAST}.0", True)
    assert unharmed.picture.copies == 0
    for process, kinds in KINDS.items():
        passed = {line["kind"] for line in unharmed.lines if line["process"] == process}
        assert kinds <= passed, process
    steps = {line.get("name") for line in unharmed.lines}
    for name in ("intake/confirmation", "production/3/rollback", "production/5/told", "test/1/evidence"):
        assert name in steps
    assert "production/4/install" not in steps, "production held another version than it was built on"


@pytest.mark.parametrize(
    ("name", "mode"),
    [("each boundary once", "once"), pytest.param("both sides", "both", marks=pytest.mark.long)],
)
def test_a_kill_at_any_boundary_loses_nothing_and_doubles_nothing(
    name: str,
    mode: Mode,
    unharmed: Played,
    prefect_server: PrefectServer,
) -> None:
    plays: list[Played] = []
    found = entries(name, plays, unharmed, mode)
    while len(plays) < MOST_PLAYS and any(each.never_cut for each in found):
        with prefect_server.settings():
            plays.append(played(prefect_server.api_url, mode=mode, spared=cut(plays)))
        found = entries(name, plays, unharmed, mode)
    report.write(found)
    assert {each.process: each.never_cut for each in found} == {process: [] for process in KINDS}
    for harmed in plays:
        assert_whole(harmed, unharmed)
        assert_each_cut_was_a_kill(harmed)
    assert max(each.recovery_median_seconds or 0 for each in found) < RECOVERY_SECONDS


def assert_whole(harmed: Played, unharmed: Played) -> None:
    damage = harmed.damage(unharmed)
    assert (damage.lost, damage.doubled) == ([], [])
    assert harmed.findings == []
    assert (harmed.case.state, harmed.case.outcome) == ("closed", "in production")
    assert harmed.left_behind == []
    assert harmed.suites == 2  # acceptance and production, each once


def assert_each_cut_was_a_kill(harmed: Played) -> None:
    killed = [line["pid"] for line in harmed.lines if line["event"] == "cut"]
    died = {line["pid"]: line["status"] for line in harmed.lines if line["event"] == "died"}
    assert killed
    assert died == dict.fromkeys(killed, -signal.SIGKILL)
