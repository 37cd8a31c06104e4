"""A disk that fails: errors of write, fsync and rename, and those that report success and do nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.backup.faulty_child import FAULTS, NAME

pytestmark = pytest.mark.clause("S-2.4.2")
SOURCE = Path(__file__).parents[2] / "blocks" / "backup" / "faulty_calls.c"
LOST = {"write lost", "rename lost"}


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every fault at each of its places, in a process of its own."""
    folder = tmp_path_factory.mktemp("faulty")
    compiler = shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no gcc here to build the faulty calls with, or no Linux to load them on")
    shim = folder / "faulty_calls.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", shim, SOURCE, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks.backup.faulty_child", str(folder)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_call_that_fails_leaves_a_file_that_counts(attempts: list[dict[str, Any]], fault: str) -> None:
    mine = [each for each in attempts if each["fault"] == fault]
    struck = [each for each in mine if each["happened"]]
    assert struck
    assert len(struck) == len(mine) - 2, "each place was struck, until there was none left"
    for each in struck:
        assert each["first"], each
        assert not each["good"], each
        assert (each["failed"] is None) == (fault in LOST), each
        unfinished = [name for name in each["files"] if name.endswith(".part")]
        assert len(unfinished) == (fault == "rename lost"), each
        assert each["again"], each
        assert each["left"] == [NAME], each


@pytest.mark.parametrize("fault", ["write EIO", "write ENOSPC", "rename EIO"])
def test_what_was_there_before_stays(attempts: list[dict[str, Any]], fault: str) -> None:
    for each in attempts:
        if each["fault"] == fault and each["happened"]:
            older = [size for size in each["files"].values() if size < each["whole"]]
            assert len(older) == each["before"], each


def test_a_file_that_was_not_made_durable_has_no_name(attempts: list[dict[str, Any]]) -> None:
    synced = [each for each in attempts if each["fault"] == "fsync EIO" and each["happened"]]
    assert {each["failed"] for each in synced} == {"SiteFailed"}
    first = next(each for each in synced if each["before"])  # the folders are there: it is the file's own
    assert first["files"][NAME] < first["whole"]
    assert len([each for each in synced if each["before"]]) == len(["the file", "its folder"])
