"""The test command: the Suite's own tests, run from inside the artefact."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]


def run(artefact: Path, junit: Path) -> tuple[int, set[str], int]:
    """Exit status, names of failed tests, number of tests."""
    command = [sys.executable, "-m", "demo.run_tests", "--artefact", str(artefact), "--junit", str(junit)]
    ended = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    cases = list(ET.parse(junit).iter("testcase"))  # noqa: S314 - written by the command just run
    failed = {
        case.attrib["name"]
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    return ended.returncode, failed, len(cases)


def test_the_first_attempt_is_red_for_the_orders_that_exist(
    artefacts: dict[str, Path], tmp_path: Path
) -> None:
    status, failed, count = run(artefacts["1.1-rc1"], tmp_path / "junit.xml")
    assert (status, failed) == (
        1,
        {
            "test_an_order_from_before_is_normal_in_the_api",
            "test_an_order_from_before_is_normal_on_the_pages",
            "test_migrations_make_the_tables_the_code_declares",
        },
    )
    assert count >= 40


@pytest.mark.parametrize(("revision", "at_least"), [("1.0", 36), ("1.1", 40)])
def test_what_is_delivered_is_green(
    artefacts: dict[str, Path], tmp_path: Path, revision: str, at_least: int
) -> None:
    status, failed, count = run(artefacts[revision], tmp_path / "junit.xml")
    assert (status, failed) == (0, set())
    assert count >= at_least


def test_a_file_that_is_no_artefact_is_neither_red_nor_green(tmp_path: Path) -> None:
    (tmp_path / "odd.tar.gz").write_bytes(b"odd")
    command = [sys.executable, "-m", "demo.run_tests", "--artefact", str(tmp_path / "odd.tar.gz")]
    ended = subprocess.run(
        [*command, "--junit", str(tmp_path / "junit.xml")],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"NK6003: {tmp_path / 'odd.tar.gz'} is no artefact of the Suite: ")
    assert not (tmp_path / "junit.xml").exists()


@pytest.mark.long
@pytest.mark.parametrize("revision", ["1.0", "1.1"])
def test_the_suite_keeps_its_types(artefacts: dict[str, Path], tmp_path: Path, revision: str) -> None:
    with tarfile.open(artefacts[revision]) as archive:
        archive.extractall(tmp_path, filter="data")
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "-p", "suite"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
