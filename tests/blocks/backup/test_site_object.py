"""Object stores through fsspec: real ones that need no server, renamed and direct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fsspec
import pytest

from blocks.backup.errors import DumpFailed, FileGone
from blocks.backup.site_errors import SiteSettingInvalid
from blocks.backup.site_object import ObjectSite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "acme/2026-11-23-000001/database.age"


@pytest.fixture(params=["file", "file direct", "memory"])  # memory shows an object while it is written
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectSite]:
    protocol, _, direct = request.param.partition(" ")
    folder = str(tmp_path / "bucket") if protocol == "file" else "/bucket"
    yield ObjectSite(protocol=protocol, folder=folder, machine="store.example", direct=bool(direct))
    fsspec.filesystem("memory").store.clear()


def test_what_was_kept_comes_back(site: ObjectSite) -> None:
    whole = bytes(range(256)) * 20_000
    for content in (b"before", whole):
        assert site.store(NAME, [content[:100], content[100:]]) == len(content)
    assert b"".join(site.read(NAME)) == whole
    assert site.files() == site.files("acme") == {NAME: len(whole)}
    assert site.files("other") == {}
    assert site.remove(NAME) is True
    assert site.remove(NAME) is False
    assert site.files() == {}
    with pytest.raises(FileGone):
        list(site.read(NAME))
    assert site.check()


def test_a_source_that_fails_keeps_what_was(site: ObjectSite) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise DumpFailed(what="acme", reason="it died")

    site.store(NAME, [b"before"])
    with pytest.raises(DumpFailed):
        site.store(NAME, blocks())
    assert b"".join(site.read(NAME)) == b"before"
    assert list(site.files()) == [NAME]


def test_a_protocol_that_is_none() -> None:
    site = ObjectSite(protocol="nonsense", folder="x", machine="store.example")
    with pytest.raises(SiteSettingInvalid, match="nonsense"):
        site.files()
