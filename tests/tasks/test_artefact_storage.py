"""Storing what was built: whole, or not at all."""

from __future__ import annotations

import hashlib
import resource
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from blocks.build_command import BuildResult
from nakoming.records.errors import StorageFull
from tasks import artefacts
from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"built" * 400_000
LARGEST = 1_000_000


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process grows beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_for_what_was_built_is_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "suite.tar.gz"
    made.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    built = BuildResult(
        artefact=made, sha256=digest, revision="1.1", version="1.1", duration=timedelta(seconds=1), output=""
    )
    with installed(tmp_path / "home", sqlite_url, monkeypatch):
        folder = artefacts.settings().artefacts_folder
        with no_room(), pytest.raises(StorageFull) as full:
            artefacts._kept(built)
        said = f"'suite.tar.gz' cannot be stored in {folder}: File too large. Free space there and try again"
        assert str(full.value).startswith(said)
        assert [path for path in folder.rglob("*") if path.is_file()] == []

        kept = artefacts._kept(built)
        assert kept.path.read_bytes() == CONTENT
        assert [path for path in folder.rglob("*") if path.is_file()] == [kept.path]
