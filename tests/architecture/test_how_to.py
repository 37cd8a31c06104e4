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
BLOCK = re.compile(
    r"^```\w+\n# (file|append|change|remove|run)(?:: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
INDENTED = re.compile(r"\n\n {4}\S")


@dataclass(frozen=True)
class Block:
    """A block of the page: what to do with it, where, and its text."""

    action: str
    path: str
    text: str


def blocks() -> list[Block]:
    return [Block(action, path, text) for action, path, text in BLOCK.findall(PAGE.read_text("utf-8"))]


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
    page = PAGE.read_text("utf-8")
    assert len(blocks()) == page.count("\n```") // 2
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    assert not INDENTED.search(prose), "code outside the fences is not run"


def test_the_page_leads_to_a_process_that_passes(checkout: Path) -> None:
    for block in blocks():
        if block.action == "run":
            for command in block.text.splitlines():
                carry_out(command, checkout)
        else:
            write(block, checkout / block.path)
    flow = (checkout / "flows" / "planned_maintenance.py").read_text("utf-8")
    assert flow.count("make_folder") == 2
    assert "S-2.4.9" in (checkout / "docs" / "clauses.md").read_text("utf-8").partition("## Not kept yet")[0]


def write(block: Block, target: Path) -> None:
    """Make the file of a block, or change it."""
    before = target.read_text("utf-8") if target.exists() else ""
    if block.action == "file":
        assert not target.exists(), f"{block.path} is there already"
        after = block.text
    elif block.action == "append":
        after = before.rstrip() + "\n" + block.text
    elif block.action == "remove":
        gone = block.text.splitlines()
        assert set(gone) <= set(before.splitlines())
        after = "".join(line for line in before.splitlines(keepends=True) if line.strip() not in gone)
    else:
        old, new = (part.strip("\n") for part in block.text.split("# becomes\n"))
        assert before.count(old) == 1, f"not once in {block.path}: {old}"
        after = before.replace(old, new)
    target.write_text(after, encoding="utf-8")


def carry_out(command: str, checkout: Path) -> None:
    """Run a command of the page; it ends well, and tests that it runs were found."""
    program, *words = command.split()
    assert program == "python"
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "pytest" not in words or " passed" in ended.stdout
