"""The Suite's own tests on the other database that customers run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

HOUSE = Path(__file__).resolve().parents[2]


def test_the_suite_keeps_its_promises_on_postgresql(
    artefacts: dict[str, Path], tmp_path: Path, postgres_url: str
) -> None:
    junit = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "demo.run_tests", "--artefact", str(artefacts["1.1"])]
    ended = subprocess.run(
        [*command, "--junit", str(junit)],
        cwd=HOUSE,
        env=os.environ | {"SUITE_TEST_DATABASE_URL": postgres_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as left:
        assert left.execute("SELECT to_regclass('erp_outbox')").fetchone() == ("erp_outbox",)
