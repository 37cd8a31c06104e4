"""The vendor's repository: a base tree and changes that lie over it, each naming its parent."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.errors import DamagedRepositoryError, UnknownRevisionError

REPOSITORY = Path(__file__).resolve().parent / "suite"
BASE_REVISION = "1.0"
DESCRIPTION = "revision.toml"
LEFT_OUT = {"__pycache__", DESCRIPTION}


@dataclass(frozen=True)
class Revision:
    """One revision: its name, version, summary, and its files by path inside the artefact."""

    name: str
    version: str
    summary: str
    files: dict[str, Path]


def known_revisions(source: Path = REPOSITORY) -> list[str]:
    """The names of all revisions in `source`, the base first."""
    changes = source / "changes"
    found = sorted(entry.name for entry in changes.iterdir() if entry.is_dir()) if changes.is_dir() else []
    return [BASE_REVISION, *found]


def read_revision(name: str, source: Path = REPOSITORY) -> Revision:
    """Lay the change `name` and its parents over the base.

    Raises:
        UnknownRevisionError: `source` holds no such revision.
        DamagedRepositoryError: A description is missing or wrong, or the parents run in a circle.
    """
    known = known_revisions(source)
    if name not in known:
        raise UnknownRevisionError(revision=name, source=source, known=", ".join(known))
    lineage = [name]
    while lineage[-1] != BASE_REVISION:
        parent = _describe(lineage[-1], source).get("parent")
        if parent not in known or parent in lineage:
            raise DamagedRepositoryError(
                revision=name, source=source, reason=f"parent {parent!r} is not usable"
            )
        lineage.append(parent)
    files: dict[str, Path] = {}
    for ancestor in reversed(lineage):
        files.update(_files(_folder(ancestor, source)))
    description = _describe(name, source)
    return Revision(
        name, str(description["version"]), str(description["summary"]), dict(sorted(files.items()))
    )


def _folder(name: str, source: Path) -> Path:
    return source / "base" if name == BASE_REVISION else source / "changes" / name


def _describe(name: str, source: Path) -> dict[str, Any]:
    try:
        description = tomllib.loads((_folder(name, source) / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as wrong:
        raise DamagedRepositoryError(revision=name, source=source, reason=wrong) from None
    if missing := {"version", "summary"} - set(description):
        reason = f"{DESCRIPTION} lacks {', '.join(sorted(missing))}"
        raise DamagedRepositoryError(revision=name, source=source, reason=reason)
    return description


def _files(folder: Path) -> dict[str, Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path
        for path in found
        if not LEFT_OUT & set(path.relative_to(folder).parts)
    }
