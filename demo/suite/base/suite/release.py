"""Which release this is: what the build wrote into it and what the installation wrote beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Release:
    """Version and revision from the build; the artefact's SHA-256 once it is installed, else None."""

    version: str
    revision: str
    sha256: str | None


def read_release(root: Path = ROOT) -> Release:
    """Read `RELEASE.json` and, where installed, `INSTALLED.json` from the folder the code runs from."""
    built = json.loads((root / "RELEASE.json").read_text(encoding="utf-8"))
    installed = root / "INSTALLED.json"
    sha256 = json.loads(installed.read_text(encoding="utf-8"))["sha256"] if installed.exists() else None
    return Release(version=built["version"], revision=built["revision"], sha256=sha256)
