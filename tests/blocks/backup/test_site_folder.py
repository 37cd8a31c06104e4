"""A folder as a site: whole or not at all, whatever the disk does."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blocks.backup.errors import (
    DumpFailed,
    FileGone,
    SiteFailed,
    SiteFull,
    SiteNameRefused,
    SiteReadOnly,
    SiteUnreachable,
)
from blocks.backup.site_folder import FolderSite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "acme/2026-11-23-000001/database.age"
BLOCK = bytes(range(256)) * 512


@pytest.fixture
def site(tmp_path: Path) -> FolderSite:
    (tmp_path / "site").mkdir()
    return FolderSite(folder=tmp_path / "site", machine="one.example")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[FolderSite]:
    """A disk of 1 MB; mounting one is root's right, and not every container gives it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")
    yield FolderSite(folder=disk, machine="one.example", mount=disk)
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 - beside mount


@pytest.mark.parametrize("percent", [1, 50, 99])
def test_a_full_disk_keeps_what_was_and_nothing_else(small_disk: FolderSite, percent: int) -> None:
    small_disk.store(NAME, [b"before"])
    ballast = small_disk.folder / "ballast"
    # The disk is full when so much of the new file is written.
    room = (small_disk.free() or 0) - len(BLOCK) * percent // 100 // 4096 * 4096
    with ballast.open("wb") as file:
        file.write(bytes(room))
    with pytest.raises(SiteFull, match="No space left"):
        small_disk.store(NAME, [BLOCK])
    assert small_disk.files("acme") == {NAME: 6}
    assert b"".join(small_disk.read(NAME)) == b"before"
    ballast.unlink()
    assert small_disk.store(NAME, [BLOCK]) == len(BLOCK)


def test_an_error_on_write(site: FolderSite) -> None:
    # The kernel's own limit of a file's size: a real error of a real write, in the middle.
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, old[1]))
    try:
        with pytest.raises(SiteFull):
            site.store(NAME, [BLOCK] * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert site.files() == {}


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_an_error_on_fsync(site: FolderSite, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    # No disk here can be told to fail an fsync, so the call itself does: for each folder, the file, and
    # for the folder after the rename.
    real, calls = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(SiteFailed, match="Input/output error"):
        site.store(NAME, [BLOCK])
    assert calls == failing
    monkeypatch.undo()
    assert set(site.files()) <= {NAME}  # renamed already, but not said to be kept
    assert site.store(NAME, [BLOCK]) == len(BLOCK)


def test_a_lost_rename_leaves_what_is_unfinished_and_the_next_attempt_replaces_it(site: FolderSite) -> None:
    # A power cut between the writing and the rename: only the unfinished file is there.
    part = site.folder / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BLOCK * 3)
    assert site.files() == {f"{NAME}.part": len(BLOCK) * 3}
    with pytest.raises(FileGone):
        list(site.read(NAME))
    site.store(NAME, [b"x"])
    assert site.files() == {NAME: 1}


def test_the_name_comes_only_after_the_bytes_are_durable(
    site: FolderSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append((path.name, (site.folder / NAME).exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    site.store(NAME, [BLOCK])
    assert seen == [
        ("site", False),
        ("acme", False),
        ("database.age.part", False),
        ("2026-11-23-000001", True),
    ]


def test_a_source_that_fails_leaves_nothing(site: FolderSite) -> None:
    def blocks() -> Iterator[bytes]:
        yield BLOCK
        raise DumpFailed(what="acme", reason="it died")

    with pytest.raises(DumpFailed):
        site.store(NAME, blocks())
    assert site.files() == {}


def test_a_folder_that_is_gone_or_not_mounted(tmp_path: Path) -> None:
    gone = FolderSite(folder=tmp_path / "gone", machine="one.example")
    away = FolderSite(folder=tmp_path, machine="one.example", mount=tmp_path)
    calls: list[Callable[[FolderSite], object]] = [
        lambda site: site.store(NAME, [b"x"]),
        lambda site: list(site.read(NAME)),
        lambda site: site.files(),
        lambda site: site.remove(NAME),
        lambda site: site.free(),
    ]
    for call in calls:
        for site in (gone, away):
            with pytest.raises(SiteUnreachable):
                call(site)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk(small_disk: FolderSite) -> None:
    small_disk.store(NAME, [b"x"])
    command = ["mount", "-o", "remount,ro", str(small_disk.folder)]
    subprocess.run(command, check=True)
    with pytest.raises(SiteReadOnly):
        small_disk.store(NAME, [b"y"])
    with pytest.raises(SiteReadOnly):
        small_disk.remove(NAME)
    assert b"".join(small_disk.read(NAME)) == b"x"


def test_removing_takes_empty_folders_along(site: FolderSite) -> None:
    site.store(NAME, [b"x"])
    site.store("acme/other/database.age", [b"x"])
    assert site.remove(NAME) is True
    assert site.remove(NAME) is False
    assert [path.name for path in (site.folder / "acme").iterdir()] == ["other"]
    site.remove("acme/other/database.age")
    assert list(site.folder.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "A",
        "a b",
        "a/",
        ".hidden",
        "a\n",
        "é",
        "x.part",
        "a" * 101,
    ],
)
def test_names_are_made_of_ids(site: FolderSite, name: str) -> None:
    with pytest.raises(SiteNameRefused):
        site.store(name, [b"x"])
    assert list(site.folder.iterdir()) == []


def test_only_the_owner_may_read(site: FolderSite) -> None:
    site.store(NAME, [b"x"])
    assert (site.folder / NAME).stat().st_mode & 0o777 == 0o600
    assert (site.folder / NAME).parent.stat().st_mode & 0o777 == 0o700
