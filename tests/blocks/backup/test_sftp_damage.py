"""A server of SFTP that lies, hangs or is cut: what it did not keep is never taken for kept (S-2.4.6)."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from blocks.backup.errors import BackupError, SiteError, SiteUnreachable
from blocks.backup.site_errors import SiteKeptLess, SiteLoginRefused
from nakoming.records.backup_keys import BackupKeys
from tasks.backup.opening import check
from tasks.backup.stream import Sent, copy, send
from tests.blocks.backup.lying_sftp import HANGS, LIES, Liar, lying
from tests.tasks.backup.kept_sets import BytesDump, two_sites

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blocks.backup.protocol import Site

pytestmark = pytest.mark.clause("S-2.4.6")
NAME = "acme/2026-11-23-000001/database.age"
NOISE = random.Random(5).randbytes(400_000)  # noqa: S311 - the same ones each time
OLDER = random.Random(6).randbytes(400_000)  # noqa: S311 - the same ones each time


@pytest.fixture
def liar(tmp_path: Path) -> Iterator[Liar]:
    with lying(tmp_path / "liar") as found:
        yield found


def good(sent: Sent, site: Site, place: int) -> bool:
    """What the step of a night asks before it calls a copy good."""
    if place in sent.failed:
        return False
    try:
        check(site, NAME, sent)
    except BackupError:
        return False
    return True


def copied(sent: Sent, source: Site, target: Site) -> int:
    """What is done at a site that lacks a file."""
    copy(NAME, sent, source, target)
    return check(target, NAME, sent)


ABOUT_THE_OLDER = {"keeps nothing", "keeps the older file", "gives the older file", "loses the rename"}
CASES = [(lie, False) for lie in LIES] + [(lie, True) for lie in LIES if lie in ABOUT_THE_OLDER]


@pytest.mark.parametrize(("lie", "before"), CASES)
def test_a_lie_is_never_good(liar: Liar, tmp_path: Path, lie: str, *, before: bool) -> None:
    first, site = two_sites(tmp_path)[0], liar.site()
    recipient = BackupKeys(tmp_path / "keys").recipient("acme")
    if before:
        assert good(send(NAME, BytesDump(OLDER), recipient, (first, site)), site, 1)
    liar.lie = lie
    sent = send(NAME, BytesDump(NOISE), recipient, (first, site))
    assert good(sent, first, 0)
    assert not good(sent, site, 1)
    with pytest.raises(BackupError):
        copied(sent, first, site)
    liar.lie = ""
    assert copied(sent, first, site) == sent.bytes
    site.close()


@pytest.mark.parametrize("place", [0, 1, 32 * 1024, 399_999])
def test_one_flipped_bit_anywhere_is_found(liar: Liar, tmp_path: Path, place: int) -> None:
    site = liar.site()
    liar.lie, liar.place = "flips a bit on write", place
    sent = send(NAME, BytesDump(NOISE), BackupKeys(tmp_path / "keys").recipient("acme"), [site])
    assert not sent.failed, "nothing told us"
    assert not good(sent, site, 0)
    site.close()


@pytest.mark.parametrize("lie", HANGS)
def test_a_server_that_hangs_is_left_in_time(liar: Liar, lie: str) -> None:
    site = liar.site()
    if lie != "hangs at login":
        site.store(NAME, [NOISE])
    liar.lie = lie
    begun = time.monotonic()
    # Who never answers a login is told as one that lets nobody in.
    error = SiteLoginRefused if lie == "hangs at login" else SiteUnreachable
    read = lie in {"hangs at reading", "hangs at opening"}
    with pytest.raises(error):
        _ = list(site.read(NAME)) if read else site.store(NAME, [NOISE])
    assert time.monotonic() - begun < 10
    liar.lie = ""
    liar.hangs.set()
    assert site.store(NAME, [NOISE]) == len(NOISE)
    assert b"".join(site.read(NAME)) == NOISE
    site.close()


def _pump(source: socket.socket, target: socket.socket, limit: int) -> None:
    with suppress(OSError):
        while limit > 0 and (data := source.recv(min(limit, 65536))):
            target.sendall(data)
            limit -= len(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cut_towards_us(port: int, after: int) -> Iterator[int]:
    """Pass on one connection, and cut it after so many bytes from the server."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
            up = threading.Thread(target=_pump, args=(near, far, 1 << 40))
            up.start()
            _pump(far, near, after)
            up.join()
            near.close()
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_line_cut_at_every_64_kb_of_reading_back_is_never_good(liar: Liar, tmp_path: Path) -> None:
    straight = liar.site()
    sent = send(NAME, BytesDump(NOISE), BackupKeys(tmp_path / "keys").recipient("acme"), [straight])
    for number in range(sent.bytes // 65536 + 1):
        with cut_towards_us(liar.port, number * 65536 + 2000) as port:
            site = liar.site(port=port)
            with pytest.raises(SiteError):
                check(site, NAME, sent)
            site.close()
    assert check(straight, NAME, sent) == sent.bytes
    straight.close()


@pytest.mark.parametrize(
    "lie", ["writes less", "keeps nothing", "tells a smaller size", "tells a larger size"]
)
def test_what_the_server_holds_of_another_size_is_not_kept(liar: Liar, lie: str) -> None:
    site = liar.site()
    liar.lie = lie
    with pytest.raises(SiteKeptLess):
        site.store(NAME, [NOISE])
    site.close()
