"""The page that adds a process is followed to the letter, in a clean checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-process.md"
BLOCK = re.compile(r"^```(\w+)\n# (file|append|run)(?:: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of the page: what to do with it, where, and its text."""

    action: str
    path: str
    text: str


def blocks() -> list[Block]:
    return [Block(action, path, text) for _, action, path, text in BLOCK.findall(PAGE.read_text("utf-8"))]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git tracks, as it is in the working tree, in a folder of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def test_every_block_of_the_page_is_understood() -> None:
    fences = PAGE.read_text("utf-8").count("\n```") // 2
    assert len(blocks()) == fences


def test_the_page_leads_to_a_process_that_passes(checkout: Path) -> None:
    for block in blocks():
        target = checkout / block.path
        if block.action == "file":
            assert not target.exists(), f"{block.path} is there already"
            target.write_text(block.text, encoding="utf-8")
        elif block.action == "append":
            target.write_text(target.read_text("utf-8").rstrip() + "\n" + block.text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    for block in blocks():
        if block.action == "run":
            command = [sys.executable, *block.text.split()[1:]]
            ended = subprocess.run(
                command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
            assert " passed" in ended.stdout
    lint = [sys.executable, "-m", "ruff", "check", "flows/planned_maintenance.py", "tasks/example_effect.py"]
    assert subprocess.run(lint, cwd=checkout, check=False, capture_output=True).returncode == 0
