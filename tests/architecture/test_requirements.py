"""The pinned set: whole, exact, hashed, for every supported Python, and the same as the project says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.markers import Marker, default_environment
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from scripts import pythons
from scripts.setup_env import PURPOSES
from tests.architecture import checks

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("build", "runtime", "demo", "test", "bench")
PYTHONS = [f"3.{minor}" for minor in range(pythons.OLDEST[1], pythons.NEWEST[1] + 1)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text(name: str) -> str:
    return (ROOT / "requirements" / name).read_text(encoding="utf-8")


def installed(name: str, python: str) -> dict[str, list[str]]:
    """Return the versions a compiled file gives that Python on Linux; exactly one each is right."""
    where: dict[str, str | AbstractSet[str]] = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.4",
    }
    return {
        package: [version for version, marker in entries if not marker or Marker(marker).evaluate(where)]
        for package, entries in checks.pins(text(f"{name}.txt")).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_is_exact_and_hashed(name: str) -> None:
    assert not list(checks.unpinned(text(f"{name}.txt")))


@pytest.mark.parametrize(
    "damaged",
    [
        "rich>=15 --hash=sha256:" + "0" * 64,
        "rich==15.0.0",
        "rich==15.0.0 --hash=sha256:12",
        "-e .",
        "--trusted-host packages.example",
        "rich @ https://packages.example/rich.whl --hash=sha256:" + "0" * 64,
    ],
)
def test_a_damaged_pin_is_found(damaged: str) -> None:
    whole = f"jinja2==3.1.6 \\\n    --hash=sha256:{'1' * 64}\n    # via -r runtime.in\n"
    assert not list(checks.unpinned(whole))
    assert len(list(checks.unpinned(whole + damaged + "\n"))) == 1


@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_gets_one_version_of_each_package(python: str) -> None:
    together: dict[str, set[str]] = {}
    for name in PURPOSES["bench"]:
        for package, versions in installed(name, python).items():
            assert len(versions) <= 1, (package, versions)
            together.setdefault(package, set()).update(versions)
    assert {name: sorted(versions) for name, versions in together.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", NAMES)
def test_what_was_asked_for_is_there_on_every_python(name: str, python: str) -> None:
    there = {package for package, versions in installed(name, python).items() if versions}
    assert checks.names(text(f"{name}.in")) <= there


def test_the_project_asks_for_what_is_pinned() -> None:
    asked = {specifier.replace(" ", "") for specifier in PROJECT["project"]["dependencies"]}
    assert asked == checks.specifiers(text("runtime.in"))


def test_the_pins_satisfy_what_the_project_asks_for() -> None:
    from packaging.requirements import Requirement

    for line in PROJECT["project"]["dependencies"]:
        asked = Requirement(line)
        for version, _ in checks.pins(text("runtime.txt"))[asked.name]:
            assert version in asked.specifier, line


def test_the_back_end_is_pinned() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= checks.names(text("build.in"))


def test_the_set_up_and_the_project_agree_on_the_pythons() -> None:
    supported = SpecifierSet(PROJECT["project"]["requires-python"])
    newer = Version(f"3.{pythons.NEWEST[1] + 1}.0")
    older = Version(f"3.{pythons.OLDEST[1] - 1}.9")
    assert all(Version(f"{python}.1") in supported for python in PYTHONS)
    assert newer not in supported
    assert older not in supported
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py3{pythons.OLDEST[1]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == PYTHONS[0]
