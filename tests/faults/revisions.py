"""The demo vendor with three revisions more, so that no round installs what stands there already."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from blocks.build_command import BuildCommand
from demo.revisions import REPOSITORY
from tests.harness.vendor import ROOT, VARIABLES, save_blocks

if TYPE_CHECKING:
    from pathlib import Path

RED, GREEN, BREAKS_PRODUCTION, OVERTAKEN, LAST = "1.1-rc1", "1.1", "1.2", "1.3", "1.4"
_DESCRIPTION = 'parent = "{parent}"\nversion = "{version}.0"\nsummary = "Spoedcode, opnieuw gebouwd"\n'


def connect(root: Path, customer: str) -> None:
    """Save the connections of a customer; the build command knows the revisions made here."""
    save_blocks(root, customer)
    command = [
        sys.executable,
        "-m",
        "demo.build",
        "--revision={revision}",
        "--out={out}",
        f"--source={_repository(root)}",
    ]
    build = BuildCommand(command=command, working_folder=ROOT, environment_variables=VARIABLES)
    build.save("suite", overwrite=True)


def _repository(root: Path) -> Path:
    """A copy of the vendor's repository in which the green revision has three successors."""
    source = root / "repository"
    if not source.exists():
        shutil.copytree(REPOSITORY, source)
        for version in (BREAKS_PRODUCTION, OVERTAKEN, LAST):
            change = source / "changes" / version
            change.mkdir()
            words = _DESCRIPTION.format(parent=GREEN, version=version)
            (change / "revision.toml").write_text(words, encoding="utf-8")
    return source
