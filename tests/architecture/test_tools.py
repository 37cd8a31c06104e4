"""Style, types and layers, as tests: each tool is content with the house, and is not with a damaged one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.architecture import checks

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("nakoming", "flows", "tasks", "blocks", "deployments", "data_contracts", "demo", "scripts")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house that may be damaged."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("pyproject.toml", ".importlinter"):
        shutil.copy(ROOT / name, folder)
    core = [f"nakoming/{path.name}" for path in (ROOT / "nakoming").iterdir() if path.is_dir()]
    modules = [f"nakoming/{path.name}" for path in (ROOT / "nakoming").glob("*.py")]
    packages = [f"{name}/__init__.py" for name in (*SOURCES, *core) if not name.endswith("__")]
    for name in packages + modules:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text('"""A layer."""\n', encoding="utf-8")
    return folder


def test_style() -> None:
    complaint = checks.tool(ROOT, "ruff", "check", "--output-format=concise", ".")
    assert not complaint, complaint


def test_format() -> None:
    complaint = checks.tool(ROOT, "ruff", "format", "--check", ".")
    assert not complaint, complaint


def test_types() -> None:
    complaint = checks.tool(ROOT, "mypy")
    assert not complaint, complaint


def test_layers() -> None:
    complaint = checks.tool(ROOT, "lint-imports", "--no-cache")
    assert not complaint, complaint


def test_layers_name_every_module_of_the_core() -> None:
    """A new folder in the core has to be given its place before anything imports it."""
    listed = (ROOT / ".importlinter").read_text(encoding="utf-8")
    core = {path.stem for path in (ROOT / "nakoming").iterdir() if not path.name.startswith("__")}
    unplaced = {name for name in core if f"nakoming.{name}" not in listed}
    assert not unplaced


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ('"""A module."""\n\nimport os\n', "F401"),
        ('"""A module."""\n\nimport time\n\nSTARTED = time.time()\n', "TID251"),
        ('"""A module."""\n\nimport datetime\n\nNOW = datetime.datetime.now(tz=datetime.UTC)\n', "TID251"),
    ],
)
def test_a_breach_of_style_is_found(copy: Path, source: str, rule: str) -> None:
    module = copy / "flows" / "damaged.py"
    module.write_text(source, encoding="utf-8")
    complaint = checks.tool(copy, "ruff", "check", "--output-format=concise", ".")
    module.unlink()
    assert rule in complaint
    assert not checks.tool(copy, "ruff", "check", "flows")


def test_a_breach_of_format_is_found(copy: Path) -> None:
    module = copy / "flows" / "damaged.py"
    module.write_text('"""A module."""\n\nX = [ 1,2 ]\n', encoding="utf-8")
    complaint = checks.tool(copy, "ruff", "format", "--check", ".")
    module.unlink()
    assert "damaged.py" in complaint


def test_a_wrong_type_is_found(copy: Path) -> None:
    module = copy / "nakoming" / "agreement" / "damaged.py"
    module.write_text('"""A module."""\n\nCOUNT: int = "three"\n', encoding="utf-8")
    complaint = checks.tool(copy, "mypy", "-p", "nakoming.agreement")
    module.unlink()
    assert "damaged.py:3" in complaint


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("nakoming/records/damaged.py", "flows"),
        ("nakoming/agreement/damaged.py", "nakoming.records"),
        ("nakoming/portal/damaged.py", "tasks"),
        ("nakoming/records/damaged.py", "prefect"),
        ("flows/damaged.py", "paramiko"),
    ],
)
def test_an_import_upwards_is_found(copy: Path, module: str, imported: str) -> None:
    assert not checks.tool(copy, "lint-imports", "--no-cache")
    (copy / module).write_text(f'"""A module."""\n\nimport {imported}\n', encoding="utf-8")
    complaint = checks.tool(copy, "lint-imports", "--no-cache")
    (copy / module).unlink()
    assert "BROKEN" in complaint
    assert imported in complaint
