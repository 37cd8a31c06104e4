"""What a newcomer meets first: one environment, made once; one sentence for everything that is missing."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import install_test_packages, pip_run, problems, pythons, setup_env

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
MAKE = shutil.which("make") or "make"

# A whole build back end, so that these tests fetch nothing.
BACK_END = """
import zipfile

INFO = "sample-1.dist-info/"

def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/sample-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sample.pth", __file__.rpartition("/")[0])
        wheel.writestr(INFO + "METADATA", "Metadata-Version: 2.1\\nName: sample\\nVersion: 1\\n")
        wheel.writestr(INFO + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(INFO + "RECORD", "")
    return "sample-1-py3-none-any.whl"
"""
PROJECT = """
[build-system]
requires = []
build-backend = "back_end"
backend-path = ["."]

[project]
name = "sample"
version = "1"
"""


def python_with(folder: Path, name: str, change: str) -> str:
    """Return an interpreter that is this one but for a change made before the question is put to it."""
    path = folder / name
    words = f"import sys; {change}; exec(sys.argv[1])"
    path.write_text(f"#!/bin/sh\nexec {sys.executable} -I -c '{words}' \"$3\"\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with an environment that was just made."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "requirements").mkdir()
    for name in ("build", "runtime", "demo", "test"):
        (folder / "requirements" / f"{name}.txt").write_text("# nothing\n", encoding="utf-8")
    (folder / "back_end.py").write_text(BACK_END, encoding="utf-8")
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "flows").mkdir()
    (folder / "flows" / "__init__.py").write_text("", encoding="utf-8")
    assert setup_env.ensure(folder, "test", sys.executable)
    return folder


def test_the_environment_holds_the_project_and_its_byte_code(project: Path) -> None:
    command = [str(project / ".venv" / "bin" / "python"), "-I", "-c", "import flows; print(flows.__file__)"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(project / "flows" / "__init__.py")
    assert list((project / "flows" / "__pycache__").glob("*.pyc"))


def test_an_environment_in_line_with_the_pins_is_left_alone(project: Path) -> None:
    assert not setup_env.ensure(project, "test")
    assert not setup_env.ensure(project, "runtime"), "what the tests need holds what running needs"


@pytest.mark.parametrize("changed", ["requirements/runtime.txt", "pyproject.toml"])
def test_a_changed_file_refreshes_the_environment(project: Path, changed: str) -> None:
    with (project / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert setup_env.ensure(project, "test")
    assert not setup_env.ensure(project, "test")


def test_a_change_of_the_tests_needs_leaves_running_alone(project: Path) -> None:
    with (project / "requirements" / "test.txt").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert not setup_env.ensure(project, "runtime")
    assert setup_env.ensure(project, "test")


def test_an_environment_whose_python_is_gone_is_made_anew(project: Path) -> None:
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project / "removed")
    assert setup_env.ensure(project, "runtime", sys.executable)
    assert pythons.probe(str(python)) is not None


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements").mkdir()
    for name in ("requirements/build.txt", "requirements/runtime.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    usage = shutil.disk_usage(tmp_path)._replace(free=700_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(problems.DiskFullError, match="has 700 MB free and this needs 2000 MB"):
        setup_env.ensure(tmp_path, "runtime")
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_names_debians_package(tmp_path: Path) -> None:
    without = python_with(tmp_path, "python3", 'sys.modules["ensurepip"] = None')
    with pytest.raises(problems.NoVenvError, match="apt-get install python3-venv"):
        pythons.find(without)


def test_an_old_python_is_refused_by_its_version(tmp_path: Path) -> None:
    old = python_with(tmp_path, "python3", 'sys.version_info = (3, 10, 13, "final", 0)')
    with pytest.raises(problems.UnfitPythonError, match=r"is Python 3\.10\.13; Nakoming needs Python 3\.11"):
        pythons.find(old)


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_an_old_python_can_read_the_scripts(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    assert "from __future__ import annotations" in source or "import" not in source


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(problems.UnfitPythonError, match="not a Python that starts"):
        pythons.find("/bin/true")


def test_the_first_python_that_fits_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = python_with(tmp_path, "python3", 'sys.version_info = (3, 9, 2, "final", 0)')
    bare = python_with(
        tmp_path, "python3.13", 'sys.version_info = (3, 13, 0); sys.modules["ensurepip"] = None'
    )
    fit = python_with(tmp_path, "python3.12", 'sys.version_info = (3, 12, 1, "final", 0)')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", old)
    assert pythons.find().path == fit
    Path(fit).unlink()
    with pytest.raises(problems.NoVenvError, match=r"apt-get install python3\.13-venv"):
        pythons.find()
    Path(bare).unlink()
    with pytest.raises(problems.NoPythonError, match=r"found Python 3\.9\.2"):
        pythons.find()


def test_without_any_python_make_says_what_to_do(tmp_path: Path) -> None:
    ran = subprocess.run(
        [MAKE, "env", "SHELL=/bin/sh"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "apt-get install python3 python3-venv" in ran.stderr


def wrong_hash(folder: Path) -> str:
    (folder / "sample-1-py3-none-any.whl").write_bytes(b"not what was pinned")
    return f"sample @ file://{folder}/sample-1-py3-none-any.whl --hash=sha256:{'0' * 64}\n"


def nowhere(_: Path) -> str:
    return f"sample==1 --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("listed", "expected"), [(wrong_hash, problems.WrongHashError), (nowhere, problems.NoNetworkError)]
)
def test_what_pip_refuses_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: Callable[[Path], str],
    expected: type[problems.SetUpError],
) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "sample.txt").write_text(listed(tmp_path), encoding="utf-8")
    # Port 9 of this machine: nobody answers there.
    for name, value in {
        "CONFIG_FILE": os.devnull,
        "RETRIES": "0",
        "INDEX_URL": "http://127.0.0.1:9/",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(expected) as refused:
        pip_run.install(tmp_path, Path(sys.prefix), "sample")
    assert len(str(refused.value).splitlines()) == 1


def test_a_disk_that_fills_while_pip_runs_is_one_sentence(tmp_path: Path) -> None:
    said = ["Collecting prefect", "ERROR: Could not install packages: [Errno 28] No space left on device"]
    assert isinstance(pip_run.explain(said, "requirements/runtime.txt", tmp_path), problems.DiskFullError)


def test_another_refusal_of_pip_is_kept_whole(tmp_path: Path) -> None:
    said = ["Collecting prefect", "ERROR: something new", "  and its reason"]
    problem = pip_run.explain(said, "requirements/runtime.txt", tmp_path)
    assert "something new" in str(problem)
    assert (tmp_path / "build" / "pip.log").read_text(encoding="utf-8").splitlines() == said


def test_a_missing_package_of_debian_gives_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    listing = tmp_path / "debian.txt"
    listing.write_text("# two\nnowhere   /no/such/program\nmake      make\n", encoding="utf-8")
    assert install_test_packages.missing(listing) == ["nowhere"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(install_test_packages, "missing", lambda: ["nowhere"])
    assert install_test_packages.main() == 0
    command = "apt-get update && apt-get install --yes --no-install-recommends nowhere"
    assert command in capfd.readouterr().out


def test_a_test_that_lacks_a_package_says_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        install_test_packages,
        "packages",
        lambda: [install_test_packages.Package("chromium", "/no/such/chromium")],
    )
    with pytest.raises(FileNotFoundError, match=r"needs Debian's package chromium: as root, apt-get update"):
        install_test_packages.locate("chromium")


def test_the_newest_of_several_versions_is_taken(tmp_path: Path) -> None:
    for version in ("9", "15", "13"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "initdb").touch()
    package = install_test_packages.Package("postgresql", f"{tmp_path}/*/initdb")
    assert package.path() == f"{tmp_path}/15/initdb"


@pytest.mark.parametrize("status", [0, 2])
def test_the_build_server_hears_of_a_failure(tmp_path: Path, status: int) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "Makefile").write_text(f"test:\n\t@cat; echo 3 tested; exit {status}\n", encoding="utf-8")
    ran = subprocess.run(["/bin/bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (status, "3 tested\n")
