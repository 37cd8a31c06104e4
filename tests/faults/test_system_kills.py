"""Worker, Prefect server and flow are killed at random while the demo plays; it is brought to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults import report
from tests.faults.outside import compare
from tests.faults.system_kills import PROCESSES, SystemPlay, entries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.outside import Damage

KILLS = 20
MOST_PLAYS = 25
RECOVERY_SECONDS = 20.0


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_the_demo_comes_to_its_end_whatever_is_killed(tmp_path: Path) -> None:
    unharmed = SystemPlay(tmp_path / "unharmed")
    unharmed.run(kill=False)
    expected = unharmed.picture()
    plays: list[SystemPlay] = []
    damages: list[Damage] = []
    while len(plays) < MOST_PLAYS and min(_kills(plays).values()) < KILLS:
        play = SystemPlay(tmp_path / f"home-{len(plays)}", seed=len(plays))
        play.run(kill=True)
        plays.append(play)
        damages.append(compare(expected, play.picture(), windows=0))
        assert play.findings() == []
        assert damages[-1].is_none, damages[-1]
    found = entries(plays, damages)
    report.write(found)
    assert min(_kills(plays).values()) >= KILLS
    assert max(each.recovery_median_seconds or 0 for each in found) < RECOVERY_SECONDS


def _kills(plays: list[SystemPlay]) -> dict[str, int]:
    return {process: sum(len(play.recoveries[process]) for play in plays) for process in PROCESSES}
