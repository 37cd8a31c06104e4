"""A site over SFTP: OpenSSH's own server, cut, hanging, full, read-only, changed; and one that lies."""

from __future__ import annotations

import pickle
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import pytest

from blocks.backup.errors import (
    DumpFailed,
    FileGone,
    SiteError,
    SiteFull,
    SiteReadOnly,
    SiteUnreachable,
)
from blocks.backup.site_errors import SiteKeyChanged, SiteLoginRefused
from blocks.backup.site_sftp import SftpSite
from blocks.ssh_errors import fingerprint
from tests.blocks.conftest import Sshd, sshd_in

if TYPE_CHECKING:
    from pathlib import Path

NAME = "acme/2026-11-23-000001/database.age"
NOISE = random.Random(3).randbytes(1_000_000)  # noqa: S311 - the same ones each time

Make = Callable[..., SftpSite]


def site_of(server: Sshd, folder: Path, **changes: object) -> SftpSite:
    block = server.block()
    given = {name: getattr(block, name) for name in ("host", "port", "username", "host_key", "private_key")}
    return SftpSite.model_validate({**given, "folder": str(folder), **changes})


@pytest.fixture
def make(sshd: Sshd, tmp_path: Path) -> Iterator[Make]:
    made: list[SftpSite] = []

    def site(folder: Path | None = None, **changes: object) -> SftpSite:
        made.append(site_of(sshd, folder or tmp_path, **changes))
        return made[-1]

    yield site
    for each in made:
        each.close()


def test_what_was_kept_comes_back(make: Make, tmp_path: Path) -> None:
    site = make()
    whole = NOISE * 9 + b"x"
    assert site.store(NAME, (whole[at : at + 777_777] for at in range(0, len(whole), 777_777))) == len(whole)
    assert (tmp_path / NAME).read_bytes() == whole
    assert b"".join(site.read(NAME)) == whole
    assert site.files() == site.files("acme") == {NAME: len(whole)}
    assert site.store(NAME, [b""]) == 0
    assert list(site.read(NAME)) == []
    assert site.files("other") == {}
    assert (site.free() or 0) > 0
    assert site.remove(NAME) is True
    assert site.remove(NAME) is False
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileGone):
        list(site.read(NAME))
    assert "pinned key" in site.check()[0]


def test_a_server_is_told_by_its_key(make: Make, sshd: Sshd) -> None:
    assert make().server() == f"127.0.0.1 {fingerprint(sshd.host_key)}"


def test_a_connection_is_used_again_and_a_dead_one_is_not(make: Make, sshd: Sshd) -> None:
    site = make()
    site.store(NAME, [b"x"])
    before = len(psutil.Process(sshd.process.pid).children())
    for _ in range(5):
        site.store(NAME, [b"x"])
    assert len(psutil.Process(sshd.process.pid).children()) == before
    sshd.cut_connections()
    assert site.store(NAME, [b"xy"]) == 2


def test_a_reading_that_stops_early_leaves_a_site_that_works(make: Make) -> None:
    site = make()
    site.store(NAME, [NOISE * 5])
    blocks = site.read(NAME)
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert b"".join(site.read(NAME)) == NOISE * 5


def test_a_source_that_fails_leaves_nothing(make: Make) -> None:
    def blocks() -> Iterator[bytes]:
        yield NOISE
        raise DumpFailed(what="acme", reason="it died")

    site = make()
    with pytest.raises(DumpFailed):
        site.store(NAME, blocks())
    assert site.files() == {}


def test_a_block_can_be_copied_and_sent(make: Make) -> None:
    site = make()
    site.store(NAME, [b"x"])
    other = pickle.loads(pickle.dumps(site.model_copy(deep=True)))  # noqa: S301 - our own
    assert b"".join(other.read(NAME)) == b"x"
    other.close()


def test_a_changed_host_key(make: Make, sshd: Sshd, tmp_path: Path) -> None:
    other = " ".join((sshd.folder / "other.pub").read_text().split()[:2])
    with pytest.raises(SiteKeyChanged, match="another host key"):
        make(host_key=other).store(NAME, [b"x"])
    assert list(tmp_path.iterdir()) == []


def test_a_login_that_is_refused(make: Make, sshd: Sshd) -> None:
    with pytest.raises(SiteLoginRefused):
        make(private_key=f"file:{sshd.folder / 'other'}").files()


def test_nobody_answers(make: Make) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(SiteUnreachable):
        make(port=port).files()


def _pump(source: socket.socket, target: socket.socket, limit: float) -> None:
    passed = 0
    with suppress(OSError):
        while passed < limit and (data := source.recv(min(65536, int(min(limit - passed, 65536))))):
            target.sendall(data)
            passed += len(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(port: int, cut_after: int) -> Iterator[int]:
    """Pass bytes on in both directions, and cut the line after so many towards the server."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                ends.extend((near, far))
                threads = [
                    threading.Thread(target=_pump, args=(near, far, cut_after)),
                    threading.Thread(target=_pump, args=(far, near, float("inf"))),
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                near.close()
                far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for end in (listener, *ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_line_cut_at_every_64_kb_never_keeps_half_a_file(make: Make, sshd: Sshd) -> None:
    straight = make()
    for cut in range(16):
        with proxy(sshd.port, 64 * 1024 * cut + 32) as port:
            site = make(port=port)
            with pytest.raises(SiteUnreachable):
                site.store(NAME, [NOISE])
            site.close()
        assert NAME not in straight.files(), cut
    assert straight.store(NAME, [NOISE]) == len(NOISE)
    assert straight.files() == {NAME: len(NOISE)}


def test_a_server_that_hangs(sshd: Sshd, tmp_path: Path) -> None:
    site = site_of(sshd, tmp_path, answer_timeout=timedelta(seconds=0.5))
    site.store(NAME, [b"before"])
    stopped: list[psutil.Process] = []

    def blocks() -> Iterator[bytes]:
        yield NOISE
        for child in psutil.Process(sshd.process.pid).children(recursive=True):
            child.send_signal(signal.SIGSTOP)
            stopped.append(child)
        for _ in range(40):
            yield NOISE

    try:
        with pytest.raises(SiteUnreachable):
            site.store(NAME, blocks())
    finally:
        for child in stopped:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGCONT)
    assert b"".join(site.read(NAME)) == b"before"
    site.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB; mounting one is root's right, and not every container gives it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 - beside mount


@pytest.mark.parametrize("percent", [1, 50, 99])
def test_a_full_server(make: Make, small_disk: Path, percent: int) -> None:
    site = make(small_disk)
    site.store(NAME, [b"before"])
    left = 500_000 * percent // 100 // 4096 * 4096
    (small_disk / "ballast").write_bytes(bytes(site.free() - left))  # type: ignore[operator]
    with pytest.raises(SiteFull):
        site.store(NAME, [NOISE[:500_000]])
    assert site.files("acme") == {NAME: 6}
    (small_disk / "ballast").unlink()
    assert site.store(NAME, [NOISE[:500_000]]) == 500_000


def test_a_read_only_server(make: Make, small_disk: Path) -> None:
    site = make(small_disk)
    site.store(NAME, [b"before"])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)  # noqa: S607 - beside mount
    with pytest.raises(SiteReadOnly):
        site.store(NAME, [b"x"])
    with pytest.raises(SiteReadOnly):
        site.remove(NAME)
    assert b"".join(site.read(NAME)) == b"before"


def test_a_server_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with sshd_in(tmp_path / "server", "internal-sftp -R") as server:
        site = site_of(server, tmp_path)
        with pytest.raises(SiteReadOnly):
            site.store(NAME, [b"x"])
        site.close()


def test_a_server_without_extensions(tmp_path: Path) -> None:
    # As others than OpenSSH: small requests, no rename over a file, no fsync.
    (tmp_path / "server").mkdir()
    names = "posix-rename,statvfs,fsync,limits"
    with sshd_in(tmp_path / "server", f"internal-sftp -P {names}") as server:
        site = site_of(server, tmp_path)
        for content in (NOISE, NOISE[:-1]):
            assert site.store(NAME, [content]) == len(content)
            assert b"".join(site.read(NAME)) == content
        site.close()


def test_a_server_without_sftp(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with sshd_in(tmp_path / "server", "/bin/cat") as server, pytest.raises(SiteError):
        site_of(server, tmp_path, answer_timeout=timedelta(seconds=1)).files()


def test_only_the_owner_may_read(make: Make, tmp_path: Path) -> None:
    make().store(NAME, [b"x"])
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
