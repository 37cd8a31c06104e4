from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench import figures, pages, stamps
from bench.__main__ import BENCHMARKS
from bench.figures import Figure

ROOT = Path(__file__).parents[2]
KEYS = ["name", "value", "unit", "peer", "peer_value", "ratio", "machine"]


def figure(**changes: object) -> Figure:
    given = {"name": "x/a", "value": 3.0, "unit": "ms", "machine": figures.machine()} | changes
    return Figure(**given)  # type: ignore[arg-type]


def test_the_file_holds_name_value_unit_peer_ratio_and_machine(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    figures.store([figure(peer="task", peer_value=2.0)], path)
    (stored,) = json.loads(path.read_text())
    assert set(KEYS) <= stored.keys()
    assert stored["ratio"] == 1.5
    assert {"cpu", "cores", "memory_gib", "python", "load_at_start"} == stored["machine"].keys()


def test_a_benchmark_that_runs_again_replaces_its_own_figures_only(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    figures.store([figure(), figure(name="x/b"), figure(name="y")], path)
    figures.store([figure(name="x/a", value=4.0)], path)
    assert [(each["name"], each["value"]) for each in figures.load(path)] == [("y", 3.0), ("x/a", 4.0)]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"limit": 3.0}, True),
        ({"limit": 2.9}, False),
        ({"limit": 1.5, "judged": "ratio", "peer_value": 2.0}, True),
        ({"limit": 1.4, "judged": "ratio", "peer_value": 2.0}, False),
        ({"limit": 50.0, "unit": "records/s"}, False),
        ({"limit": 2.0, "unit": "records/s"}, True),
        ({}, None),
    ],
)
def test_a_limit_is_kept_or_not(changes: dict[str, object], kept: object) -> None:
    assert figure(**changes).is_kept is kept


def test_the_table_says_what_is_not_kept() -> None:
    console = Console(file=StringIO(), width=200)
    figures.show([figure(limit=2.0), figure(name="rate", value=12345.0, unit="records/s")], console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "no" in shown
    assert "12,345" in shown


def test_the_page_tells_machine_figure_and_verdict() -> None:
    page = pages.as_page([figure(limit=2.0, peer="task", peer_value=1.0).as_data()])
    assert "| x/a | 3 | ms | task | 1 | 3 | 2 | **no** |" in page
    assert f"{os.cpu_count()} cores" in page


def test_stamps_of_another_process_are_read_in_order(tmp_path: Path) -> None:
    noted = stamps.Stamps(tmp_path / "stamps")
    program = "from bench.stamps import mark; mark('early'); mark('late one'); mark('early')"
    environment = os.environ | {stamps.VARIABLE: str(tmp_path / "stamps")}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    found = noted.read()
    assert list(found) == ["early", "late one"]
    assert found["early"] < found["late one"]
    noted.forget()
    assert noted.read() == {}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("erp-full-load", marks=pytest.mark.long),
        pytest.param("erp-incremental", marks=pytest.mark.long),
        "evidence-verify",
        "excel-overview",
        "odbc-read",
        "portal-post",
        pytest.param("step-overhead", marks=pytest.mark.long),
        pytest.param("warm-worker", marks=pytest.mark.long),
    ],
)
def test_a_benchmark_runs(name: str, tmp_path: Path) -> None:
    assert _measured(name, tmp_path)


@pytest.mark.long
def test_a_few_waiting_cases_are_measured() -> None:
    program = (
        "import json; from bench import figures, waiting_cases; "
        "found = waiting_cases.run(1, many=30, in_prefect=3); "
        "print(json.dumps([figures.as_whole(each) for each in found]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    woken, reconciled = json.loads(ran.stdout.splitlines()[-1])
    assert woken["name"] == "waiting-cases/wake one of 30"
    assert (woken["value"] > 0, woken["peer_value"] > 0) == (True, True)
    assert reconciled["name"] == "waiting-cases/reconciler's pass at 30"
    assert reconciled["value"] > 0


@pytest.mark.long
@pytest.mark.parametrize("name", ["gate-wake", "demo", "backup-postgres", "backup-sqlite", "backup-fanout"])
def test_a_whole_system_is_measured(name: str, tmp_path: Path) -> None:
    assert _measured(name, tmp_path)


def test_every_benchmark_is_in_the_list() -> None:
    """A module that measures is named, so that `make bench` runs it."""
    measuring = {
        f"bench.{path.stem}"
        for path in (ROOT / "bench").glob("*.py")
        if "\ndef run(" in path.read_text(encoding="utf-8")
    }
    assert measuring == set(BENCHMARKS.values())


def test_every_benchmark_has_a_module() -> None:
    assert all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in BENCHMARKS.values())


def _measured(name: str, folder: Path) -> list[dict[str, object]]:
    into = folder / "figures.json"
    words = [name, "--count", "2", "--no-peers", "--into", str(into)]
    ran = subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, object]] = json.loads(into.read_text())
    assert all(str(each["name"]).startswith(name) for each in found)
    return found
