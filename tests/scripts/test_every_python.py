"""The pins hold for each promised Python: all can be fetched, and an environment is made of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment

from scripts import pip_run, pythons
from scripts.setup_env import PURPOSES

ROOT = Path(__file__).resolve().parents[2]
PROMISED = [(3, minor) for minor in range(pythons.OLDEST[1], pythons.NEWEST[1] + 1)]
MAKE = shutil.which("make") or "make"

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


def pip(*words: str) -> subprocess.CompletedProcess[str]:
    """Run pip with the person's own configuration: the repository names no index."""
    return subprocess.run(
        [sys.executable, "-m", "pip", *words],
        env=pip_run.clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def package_index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An index that answers; what cannot be fetched afterwards is a fault of the pins."""
    found = pip("download", "--no-deps", "--dest", str(tmp_path_factory.mktemp("probe")), "packaging")
    if found.returncode:
        last = (found.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"no package index can be reached from here: {last}")


def pins_for(version: tuple[int, int]) -> str:
    """The lines of all files for one Python: pip itself reads their markers for the Python it runs on."""
    python = ".".join(map(str, version))
    where = dict(default_environment()) | {"python_version": python, "python_full_version": f"{python}.0"}
    kept: dict[str, str] = {}
    for name in PURPOSES["bench"]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        for line in text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                asked, _, hashes = line.partition(" --hash=")
                pin, _, marker = asked.partition(";")
                if not marker.strip() or Marker(marker).evaluate(where):
                    kept[pin.strip()] = f"{pin.strip()} --hash={hashes}"
    return "\n".join(kept.values()) + "\n"


@pytest.mark.usefixtures("package_index")
@pytest.mark.parametrize("version", PROMISED, ids=lambda version: ".".join(map(str, version)))
def test_every_pin_can_be_fetched_by_its_hash(version: tuple[int, int], tmp_path: Path) -> None:
    listed = tmp_path / "pins.txt"
    listed.write_text(pins_for(version), encoding="utf-8")
    python = ".".join(map(str, version))
    chosen = ["--python-version", python, "--only-binary", ":all:", "--target", str(tmp_path / "nowhere")]
    ended = pip("install", "--dry-run", "--no-deps", "--require-hashes", *chosen, "-r", str(listed))
    assert ended.returncode == 0, ended.stdout[-1000:] + ended.stderr[-2000:]
    would = re.search(r"^Would install (.*)$", ended.stdout, re.MULTILINE)
    assert would is not None
    assert len(would[1].split()) == len(listed.read_text(encoding="utf-8").splitlines())


def pythons_of_this_machine() -> list[pythons.Python]:
    """One of each promised version that is here and can make an environment."""
    named = [shutil.which(name) or "" for name in pythons.NAMES]
    kept = [str(path) for path in sorted(Path.home().glob(".pyenv/versions/*/bin/python3"))]
    found: dict[tuple[int, ...], pythons.Python] = {}
    for path in filter(None, [sys.executable, *kept, *named]):
        python = pythons.probe(path)
        if python is not None and python.fits and python.able:
            found.setdefault(python.version[:2], python)
    return [found[version] for version in sorted(found)]


@pytest.mark.usefixtures("package_index")
@pytest.mark.parametrize("python", pythons_of_this_machine(), ids=lambda python: python.name)
def test_make_env_makes_an_environment_that_works(python: pythons.Python, tmp_path: Path) -> None:
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    house = tmp_path / "house"
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (house / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, house / name)
    made = subprocess.run(
        [MAKE, "env", f"PYTHON={python.path}"],
        cwd=house,
        env=pip_run.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    there = pythons.probe(str(house / ".venv" / "bin" / "python"))
    assert there is not None
    assert there.version == python.version
    command = [str(house / ".venv" / "bin" / "nakoming"), "agreement", "check"]
    files = sorted(str(path) for path in (house / "agreements").glob("*.yaml"))
    checked = subprocess.run(
        [*command, *files], cwd=house, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
