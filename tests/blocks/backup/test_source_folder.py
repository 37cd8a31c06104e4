"""Folders of documents: names kept, links not followed, changes noticed."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from blocks.backup.errors import DumpFailed, RestoreFailed, SourceUnreachable
from blocks.backup.scratch_folder import FolderScratch
from blocks.backup.source_folder import FolderSource
from tests.blocks.backup.backup_contract import NAME, SourceContract, dumped

if TYPE_CHECKING:
    from pathlib import Path

LONG = "é" * 100


@dataclass
class FolderPeer:
    """A folder with files, and one for restores."""

    folder: Path

    def __post_init__(self) -> None:
        scratch = self.folder.parent / "scratch"
        scratch.mkdir(exist_ok=True)
        self.source = FolderSource(folder=self.folder)
        self.scratch = FolderScratch(folder=scratch)

    def change(self) -> None:
        (self.folder / "b" / "deep" / "one.txt").write_text("onf")


@pytest.fixture
def peer(tmp_path: Path) -> FolderPeer:
    folder = tmp_path / "documents"
    (folder / "b" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "b" / "deep" / "one.txt").write_text("one")
    (folder / "b" / f"{LONG}.txt").write_text("long")
    (folder / "a.bin").write_bytes(os.urandom(3_000_000))
    (folder / "zero").write_bytes(b"")
    (folder / "new\nline").write_text("x")
    (folder / "inside").symlink_to("b/deep/one.txt")
    (folder / "outside").symlink_to("/etc")
    (folder / os.fsdecode(b"latin-\xe9")).write_text("y")
    return FolderPeer(folder)


class TestFolder(SourceContract):
    """All of the contract."""


def test_everything_comes_back_as_it_was(peer: FolderPeer) -> None:
    blocks, facts = dumped(peer.source)
    peer.scratch.restore(NAME, blocks, frozenset())
    place = peer.scratch.place(NAME)
    assert (place / "b" / f"{LONG}.txt").read_text() == "long"
    assert (place / "a.bin").read_bytes() == (peer.folder / "a.bin").read_bytes()
    assert (place / "empty").is_dir()
    assert (place / "outside").readlink() == (peer.folder / "outside").readlink()
    assert {each.name for each in place.iterdir()} == {each.name for each in peer.folder.iterdir()}
    assert facts.rows == {".": 6, "b": 2, "empty": 0}
    assert facts.checksums["b"].startswith("7 bytes ")


def test_the_same_folder_gives_the_same_bytes(peer: FolderPeer) -> None:
    assert b"".join(dumped(peer.source)[0]) == b"".join(dumped(peer.source, 777)[0])


def test_nothing_behind_a_link_is_read(peer: FolderPeer, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("tomato-sesame")
    (peer.folder / "way-out").symlink_to(tmp_path / "secret")
    assert b"tomato-sesame" not in b"".join(dumped(peer.source)[0])


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 10)


def rewrite(path: Path) -> None:
    seen = path.stat()
    with path.open("r+b") as file:
        file.write(b"xxxx")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))


def replace(path: Path) -> None:
    other = path.with_name("zz-other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize("doing", [grow, shrink, rewrite, replace, os.unlink])
def test_a_file_that_changes_while_it_is_read_is_named(peer: FolderPeer, doing: object) -> None:
    assert callable(doing)
    with peer.source.dump() as dump:
        dump.read(100_000)
        doing(peer.folder / "a.bin")
        with pytest.raises(DumpFailed, match=r"a\.bin"):
            list(iter(dump.read, b""))


def test_what_is_no_document_is_named(peer: FolderPeer) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(peer.folder / "sock"))
        with pytest.raises(DumpFailed, match="sock is neither"):
            dumped(peer.source)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="No such file"), FolderSource(folder=tmp_path / "no").dump():
        pass


def test_a_damaged_header_is_not_the_end(peer: FolderPeer) -> None:
    damaged = b"".join(dumped(peer.source)[0]).replace(b"outside\0", b"outsidE\0")
    with pytest.raises(RestoreFailed):
        peer.scratch.restore(NAME, [damaged], frozenset())


def test_an_archive_that_leads_outside_is_refused(peer: FolderPeer, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    for name in ("../victim/x", "way/x"):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
            way = tarfile.TarInfo("way")
            way.type, way.linkname = tarfile.SYMTYPE, str(tmp_path / "victim")
            tar.addfile(way)
            tar.addfile(tarfile.TarInfo(name))
        with pytest.raises(RestoreFailed):
            peer.scratch.restore(NAME, [made.getvalue()], frozenset())
        assert not list((tmp_path / "victim").iterdir())
