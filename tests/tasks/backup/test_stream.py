"""A dump to its sites and back: whole at each, gone from each, or said which one failed."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import pytest

from blocks.backup.errors import BackupError, DumpFailed, SiteError, SiteFull, SiteUnreachable
from blocks.backup.site_folder import FolderSite
from nakoming.records.backup_keys import BackupKeys, Recipient
from tasks.backup.opening import check, opened
from tasks.backup.stream import copy, send
from tasks.backup.stream_errors import (
    KeyInvalid,
    PartChanged,
    PartLong,
    PartNotForKey,
    PartShort,
    PartUnreadable,
    SiteHangs,
)
from tests.tasks.backup.kept_sets import FACTS, BytesDump, Kept, keep, two_sites

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from blocks.backup.protocol import Facts

NAME = "acme/2026-11-23-000001/database.age"


class FailingDump(BytesDump):
    """One that dies in the middle, or is found bad only at its end."""

    def __init__(self, content: bytes, *, at_end: bool) -> None:
        super().__init__(content)
        self._at_end = at_end
        self._reads = 0

    def read(self, size: int = 1 << 20, /) -> bytes:
        self._reads += 1
        if self._reads == 30 and not self._at_end:
            raise DumpFailed(what="acme", reason="the server went away")
        return super().read(size)

    def facts(self) -> Facts:
        if self._at_end:
            raise DumpFailed(what="acme", reason="pg_dump ended with 1")
        return FACTS


class FullSite(FolderSite):
    """Takes some blocks, then has no room."""

    _block_type_slug = "test-full-site"

    def store(self, name: str, blocks: Iterable[bytes]) -> int:
        def limited() -> Iterator[bytes]:
            for count, block in enumerate(blocks):
                if count == 1:
                    raise SiteFull(site="full.example", doing=f"keeping {name}", reason="no room")
                yield block

        return super().store(name, limited())


class HangingSite(FolderSite):
    """Takes nothing until it is let go."""

    _block_type_slug = "test-hanging-site"

    def store(self, name: str, blocks: Iterable[bytes]) -> int:
        HELD.wait(20)
        return super().store(name, blocks)


HELD = threading.Event()


@pytest.fixture
def keys(tmp_path: Path) -> BackupKeys:
    return BackupKeys(tmp_path / "keys")


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same ones each time


@pytest.mark.parametrize("content", [b"", b"x", noise(5_000_000), bytes(40_000_000)], ids=len)
def test_what_was_sent_comes_back(tmp_path: Path, keys: BackupKeys, content: bytes) -> None:
    sites, recipient = two_sites(tmp_path), keys.recipient("acme")
    sent = send(NAME, BytesDump(content, 1 << 20), recipient, sites)
    assert (sent.raw_bytes, sent.failed, sent.facts) == (len(content), {}, FACTS)
    for site in sites:
        assert check(site, NAME, sent) == sent.bytes == site.files()[NAME]
        back = opened(site, NAME, sent, keys.identity(recipient.key_id), recipient.key_id)
        assert b"".join(back) == content


def test_no_plain_bytes_lie_at_a_site(tmp_path: Path, keys: BackupKeys) -> None:
    sites = two_sites(tmp_path)
    send(NAME, BytesDump(b"a customer's own words " * 50_000), keys.recipient("acme"), sites)
    files = [path.read_bytes() for path in tmp_path.rglob("*.age")]
    assert len(files) == 2
    assert files[0] == files[1]
    assert all(b"customer" not in file for file in files)


@pytest.mark.parametrize("at_end", [False, True])
def test_a_dump_that_fails_leaves_no_file(tmp_path: Path, keys: BackupKeys, *, at_end: bool) -> None:
    sites = two_sites(tmp_path)
    with pytest.raises(DumpFailed):
        send(NAME, FailingDump(noise(5_000_000), at_end=at_end), keys.recipient("acme"), sites)
    assert [site.files() for site in sites] == [{}, {}]


@pytest.mark.parametrize("at_end", [False, True])
def test_a_dump_that_fails_leaves_the_file_of_before(
    tmp_path: Path, keys: BackupKeys, *, at_end: bool
) -> None:
    sites, recipient = two_sites(tmp_path), keys.recipient("acme")
    sent = send(NAME, BytesDump(b"before"), recipient, sites)
    with pytest.raises(DumpFailed):
        send(NAME, FailingDump(noise(5_000_000), at_end=at_end), recipient, sites)
    assert check(sites[1], NAME, sent) == sent.bytes


def test_a_site_that_fails_does_not_stop_the_other(tmp_path: Path, keys: BackupKeys) -> None:
    first, second = two_sites(tmp_path)
    full = FullSite(folder=second.folder, machine="full.example")
    sent = send(NAME, BytesDump(noise(20_000_000)), keys.recipient("acme"), (first, full))
    assert {place: type(error) for place, error in sent.failed.items()} == {1: SiteFull}
    assert check(first, NAME, sent) == sent.bytes
    assert second.files() == {}
    assert copy(NAME, sent, first, second) == sent.bytes
    assert check(second, NAME, sent) == sent.bytes


def test_when_every_site_fails_the_dump_is_not_read_on(tmp_path: Path, keys: BackupKeys) -> None:
    first, _ = two_sites(tmp_path)
    dump = BytesDump(noise(60_000_000), 1 << 20)
    with pytest.raises(SiteFull):
        send(NAME, dump, keys.recipient("acme"), (FullSite(folder=first.folder, machine="full.example"),))
    assert dump.read()


def test_a_site_that_hangs_is_left_behind(tmp_path: Path, keys: BackupKeys) -> None:
    first, second = two_sites(tmp_path)
    HELD.clear()
    hanging = HangingSite(folder=second.folder, machine="two.example")
    patience = timedelta(seconds=0.3)
    sent = send(
        NAME, BytesDump(noise(20_000_000)), keys.recipient("acme"), (hanging, first), patience=patience
    )
    HELD.set()
    assert {place: type(error) for place, error in sent.failed.items()} == {0: SiteHangs}
    assert check(first, NAME, sent) == sent.bytes
    until = time.monotonic() + 10
    while any(thread.name == f"backup-{NAME}" for thread in threading.enumerate()):
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    assert second.files() == {}


def test_a_recipient_that_is_none(tmp_path: Path) -> None:
    sites = two_sites(tmp_path)
    with pytest.raises(KeyInvalid):
        send(NAME, BytesDump(b"x"), Recipient("acme.1", "age1nonsense"), sites)
    assert [site.files() for site in sites] == [{}, {}]


def test_a_copy_of_a_damaged_file_is_not_kept(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    flip(kept.part, 100_000, 3)
    kept.sites[1].remove(kept.name)
    with pytest.raises(PartChanged):
        copy(kept.name, kept.manifest.parts[0], *kept.sites)
    assert kept.name not in kept.sites[1].files()


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))


def refused(kept: Kept, place: int = 0) -> type[BaseException]:
    """Which error it is; the blocks given before are never the whole dump."""
    given = b""
    try:
        for block in kept.restored(place):
            given += block
    except BackupError as error:
        said, found = str(error), type(error)
    else:
        return AssertionError
    assert len(given) < len(kept.content)
    assert said.startswith(kept.name)
    return found


@pytest.mark.parametrize("site", [0, 1])
def test_every_flipped_bit_is_found(tmp_path: Path, site: int) -> None:
    kept = keep(tmp_path)
    part = kept.part_at(site)
    size = part.stat().st_size
    chosen = random.Random(7)  # noqa: S311 - the same ones each time
    for _ in range(1000):
        place, bit = chosen.randrange(size), chosen.randrange(8)
        flip(part, place, bit)
        assert refused(kept, site) is PartChanged, (place, bit)
        flip(part, place, bit)
    assert b"".join(kept.restored(site)) == kept.content


def test_every_cut_is_found(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    whole = kept.part.read_bytes()
    for size in range(0, len(whole), 4096):
        kept.part.write_bytes(whole[:size])
        assert refused(kept) is PartShort, size


@pytest.mark.parametrize("more", [b"x", b"\0" * 70_000])
def test_bytes_behind_the_end_are_found(tmp_path: Path, more: bytes) -> None:
    kept = keep(tmp_path)
    kept.part.write_bytes(kept.part.read_bytes() + more)
    assert refused(kept) is PartLong


def test_another_key_is_told_from_damage(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    other = kept.keys.rotate("acme")
    with pytest.raises(PartNotForKey):
        list(
            opened(
                kept.sites[0], kept.name, kept.manifest.parts[0], kept.keys.identity(other.key_id), "acme.2"
            )
        )
    flip(kept.part, 5, 0)
    with pytest.raises(PartChanged):
        list(
            opened(
                kept.sites[0], kept.name, kept.manifest.parts[0], kept.keys.identity(other.key_id), "acme.2"
            )
        )


def test_a_whole_file_with_a_dump_of_another_size(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    part = kept.manifest.parts[0].model_copy(update={"raw_bytes": len(kept.content) + 1})
    with pytest.raises(PartUnreadable):
        list(opened(kept.sites[0], kept.name, part, kept.keys.identity("acme.1"), "acme.1"))


def test_a_restore_that_stops_reading_ends_its_threads(tmp_path: Path) -> None:
    kept = keep(tmp_path, size=20_000_000)
    blocks = kept.restored()
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("opening-")]


def test_a_site_that_goes_away_while_it_is_read(tmp_path: Path) -> None:
    kept = keep(tmp_path, size=5_000_000)

    class Leaving(FolderSite):
        _block_type_slug = "test-leaving-site"

        def read(self, name: str) -> Iterator[bytes]:
            for count, block in enumerate(super().read(name)):
                if count == 3:
                    raise SiteUnreachable(site="one.example", doing=f"reading {name}", reason="gone")
                yield block

    leaving = Leaving(folder=kept.sites[0].folder, machine="one.example")
    with pytest.raises(SiteError, match="gone"):
        list(opened(leaving, kept.name, kept.manifest.parts[0], kept.keys.identity("acme.1"), "acme.1"))


def test_memory_is_constant(tmp_path: Path, keys: BackupKeys) -> None:
    class Long:
        left = 400

        def read(self, _size: int = 1 << 20, /) -> bytes:
            self.left -= 1
            return block[self.left :] + block[: self.left] if self.left > 0 else b""

        def facts(self) -> Facts:
            return FACTS

    block = noise(1 << 20)
    sites, recipient = two_sites(tmp_path), keys.recipient("acme")
    send(NAME, BytesDump(noise(30_000_000)), recipient, sites)  # what is allocated once
    process = psutil.Process()
    before, most, over = process.memory_info().rss, 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(0.01):
            most = max(most, process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    sent = send(NAME, Long(), recipient, sites)
    for _ in opened(sites[0], NAME, sent, keys.identity(recipient.key_id), recipient.key_id):
        pass
    over.set()
    looking.join()
    assert sent.raw_bytes == 399 << 20
    assert most - before < 60_000_000
