"""The deploy script killed at each of its boundaries: the next call repairs, and nothing is done twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from demo import deploy
from demo.artefacts import read_artefact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.demo.conftest import Place

HOUSE = Path(__file__).resolve().parents[2]

# Runs the real script; the named function works as ever, and then the process is gone.
KILLED_AFTER = """
import os, signal, sys
from demo import database_copies, deploy, environment_folder, install_log, releases, suite_service
owner, name = {owner}, {name!r}
real = getattr(owner, name)
def cut(*given, **named):
    real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, cut)
sys.exit(deploy.main(sys.argv[1:]))
"""

INSTALL_CUTS = [
    ("environment_folder", "unpack"),
    ("environment_folder.EnvironmentFolder", "begin"),
    ("suite_service", "stop"),
    ("database_copies.SQLiteCopies", "make"),
    ("releases", "_migrate"),
    ("environment_folder.EnvironmentFolder", "point"),
    ("install_log", "note_switch"),
    ("environment_folder.EnvironmentFolder", "finish"),
    ("suite_service", "start"),
]
ROLLBACK_CUTS = [
    ("environment_folder.EnvironmentFolder", "begin"),
    ("database_copies.SQLiteCopies", "put_back"),
    ("environment_folder.EnvironmentFolder", "point"),
    ("environment_folder.EnvironmentFolder", "finish"),
]


@pytest.fixture(scope="module")
def filled(make_place: Callable[..., Place]) -> Iterator[tuple[Place, str]]:
    place = make_place("killed")
    place.done("install", revision="1.0")
    yield place, place.fill()
    place.done("stop")


def kill_after(place: Place, cut: tuple[str, str], action: str, revision: str) -> None:
    driver = KILLED_AFTER.format(owner=cut[0], name=cut[1])
    command = [sys.executable, "-c", driver, *place.command(action, revision=revision)]
    ended = subprocess.run(command, cwd=HOUSE, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("cut", INSTALL_CUTS, ids=lambda cut: cut[1])
def test_an_installation_killed_there_is_repaired_by_the_next(
    filled: tuple[Place, str], cut: tuple[str, str]
) -> None:
    place, number = filled
    before = deploy.facts(place.environment)
    hours = place.order(number)["hours"]
    log = place.results()
    other = "1.1" if before["revision"] == "1.0" else "1.0"
    if cut[1] == "unpack":
        shutil.rmtree(
            place.environment.release(read_artefact(place.artefacts[other]).sha256), ignore_errors=True
        )
    kill_after(place, cut, "install", other)
    after = place.done("install", revision=other)
    assert (after["revision"], after["healthy"], after["unfinished"]) == (other, True, None)
    assert after["previous_sha256"] == before["sha256"]
    assert len(after["pids"]) == 1
    assert place.order(number)["hours"] == hours
    assert [line for line in place.results()[len(log) :] if line != "unchanged"] == ["installed"]
    assert not list((place.environment.folder / "releases").glob(".half-*"))


@pytest.mark.parametrize("cut", ROLLBACK_CUTS, ids=lambda cut: cut[1])
def test_a_rollback_killed_there_is_repaired_by_the_next(
    filled: tuple[Place, str], cut: tuple[str, str]
) -> None:
    place, number = filled
    base = deploy.facts(place.environment)["revision"]
    other = "1.1" if base == "1.0" else "1.0"
    place.done("install", revision=other)
    log = place.results()
    kill_after(place, cut, "rollback", other)
    after = place.done("rollback", revision=other)
    assert (after["revision"], after["healthy"], after["unfinished"]) == (base, True, None)
    assert place.order(number)["hours"]
    assert [line for line in place.results()[len(log) :] if line != "unchanged"] == ["rolled back"]


def test_a_migration_dies_with_its_script_and_leaves_the_data(
    make_place: Callable[..., Place], tmp_path: Path
) -> None:
    begun = tmp_path / "migration-begun"
    place = make_place("waiting", title=str(begun))
    place.done("install", revision="1.1")
    number = place.fill()
    before = place.order(number)
    command = [sys.executable, "-m", "demo.deploy", *place.command("install", revision="waits")]
    script = subprocess.Popen(command, cwd=HOUSE)
    while not begun.exists():
        assert script.poll() is None
        os.sched_yield()
    (migration,) = psutil.Process(script.pid).children()
    script.kill()
    script.wait()
    psutil.wait_procs([migration], timeout=10)
    assert not migration.is_running() or migration.status() == psutil.STATUS_ZOMBIE
    assert place.done("status")["unfinished"] == "install"
    after = place.done("start")
    assert (after["revision"], after["healthy"]) == ("1.1", True)
    assert place.order(number) == before


def test_the_service_outlives_its_script_in_a_session_of_its_own(filled: tuple[Place, str]) -> None:
    place, _ = filled
    (pid,) = place.done("start")["pids"]
    assert os.getsid(pid) == pid
    parent = psutil.Process(pid).parent()
    assert parent is None or "demo.deploy" not in parent.cmdline()
    assert deploy.facts(place.environment)["healthy"]
