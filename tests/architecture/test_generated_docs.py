"""Generated pages say what the code says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from scripts import generate_docs

ROOT = Path(__file__).resolve().parents[2]


def test_generated_pages_are_up_to_date() -> None:
    # In a process of its own: it imports every module of the house.
    command = [sys.executable, "-m", "scripts.generate_docs", "--check"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    generators = tmp_path / "docs" / "generators"
    generators.mkdir(parents=True)
    (generators / "one.py").write_text('TARGET = "docs/one.md"\n\ndef render():\n    return "now\\n"\n')
    assert generate_docs.stale(tmp_path) == ["docs/one.md"]
    (tmp_path / "docs" / "one.md").write_text("now\n")
    assert generate_docs.stale(tmp_path) == []
    (tmp_path / "docs" / "one.md").write_text("then\n")
    assert generate_docs.stale(tmp_path) == ["docs/one.md"]


def test_no_two_errors_share_a_code() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    codes = Counter(line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| NK"))
    assert codes
    assert {code: count for code, count in codes.items() if count > 1} == {}
