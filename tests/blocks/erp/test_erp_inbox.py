"""An inbox over SFTP, on a real OpenSSH server: half files, growing files, the same file twice, bad days."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from blocks.erp.errors import (
    InboxFileChanged,
    InboxFileMissing,
    InboxFileTooLarge,
    InboxLost,
    InboxNameRefused,
    InboxReadOnly,
)
from blocks.erp.inbox import ErpInbox
from blocks.erp.inbox_session import InboxFile
from blocks.ssh_errors import HostKeyChanged, SshLoginRefused, SshUnreachable
from tests.blocks.conftest import Sshd, make_key, sshd_in
from tests.blocks.erp.proxy import line_to

if TYPE_CHECKING:
    from collections.abc import Callable

AN_HOUR_AGO = -3600
CONTENT = b"number;quantity\nA-1;5\n"


class Place:
    """The ERP's side of the inbox."""

    def __init__(self, sshd: Sshd, folder: Path) -> None:
        self.sshd = sshd
        self.folder = folder
        (folder / "inbox").mkdir()

    def put(self, name: str, content: bytes = CONTENT) -> Path:
        path = self.folder / "inbox" / name
        path.write_bytes(content)
        return path

    def block(self, **changes: Any) -> ErpInbox:
        of_machine = self.sshd.block()
        given = {
            "host": "127.0.0.1",
            "port": self.sshd.port,
            "username": of_machine.username,
            "host_key": self.sshd.host_key,
            "private_key": of_machine.private_key,
            "folder": str(self.folder / "inbox"),
            "answers": str(self.folder / "answers"),
            "processed": str(self.folder / "processed"),
        }
        return ErpInbox(**(given | changes))


def nothing(_: float) -> None:
    """No pause: between the two listings nothing happens."""


@pytest.fixture
def place(sshd: Sshd, tmp_path: Path) -> Place:
    return Place(sshd, tmp_path)


def test_a_file_is_fetched_answered_and_moved(place: Place, tmp_path: Path) -> None:
    place.put("orders één.csv")
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        digest = session.fetch(file, tmp_path / "here.csv")
        answer = session.acknowledge(file, "Überall gut.\n", digest=digest)
        moved = session.move(file, digest=digest)
        assert session.arrived() == []
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "here.csv").read_bytes() == CONTENT
    assert Path(answer).read_text() == "Überall gut.\n"
    assert Path(moved).read_bytes() == CONTENT
    assert digest[:16] in answer
    assert list((tmp_path / "answers").iterdir()) == [Path(answer)]


def test_only_finished_excel_and_csv_files_are_seen(place: Place) -> None:
    for name in ("a.csv", "b.XLSX", "c.xlsm"):
        place.put(name)
    for name in (
        "d.csv.part",
        ".e.csv",
        "~$b.xlsx",
        "f.csv.filepart",
        "g.xls",
        "h.pdf",
        "i\n.csv",
        "J.csv.TMP",
    ):
        place.put(name)
    (place.folder / "inbox" / "k.csv").mkdir()
    (place.folder / "inbox" / "l.csv").symlink_to("/etc/hostname")
    with place.block().connect(pause=nothing) as session:
        assert [each.name for each in session.arrived()] == ["a.csv", "b.XLSX", "c.xlsm"]
        assert session.strange() == ["g.xls", "h.pdf", "i\n.csv"]
    assert "g.xls" in place.block(settle=timedelta(0)).check()[-1]


def test_a_file_that_grows_has_not_arrived(place: Place) -> None:
    growing = place.put("a.csv")
    place.put("b.csv")

    def grow(seconds: float) -> None:
        assert seconds == 2.0
        with growing.open("ab") as file:
            file.write(b"A-2;6\n")

    with place.block().connect(pause=grow) as session:
        assert [each.name for each in session.arrived()] == ["b.csv"]
        before = session.listing()
        assert [each.name for each in session.arrived(before)] == ["a.csv", "b.csv"]
        touched = growing.stat().st_mtime + AN_HOUR_AGO
        os.utime(growing, (touched, touched))
        assert [each.name for each in session.arrived(before)] == ["b.csv"]


@pytest.mark.parametrize("change", ["more", "less", "newer", "gone"])
def test_a_file_that_changes_before_it_is_fetched_is_left(place: Place, tmp_path: Path, change: str) -> None:
    path = place.put("a.csv")
    changes: dict[str, Callable[[], object]] = {
        "more": lambda: path.write_bytes(CONTENT * 2),
        "less": lambda: path.write_bytes(CONTENT[:5]),
        "newer": lambda: os.utime(path, (1, 1)),
        "gone": path.unlink,
    }
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        changes[change]()
        with pytest.raises(InboxFileMissing if change == "gone" else InboxFileChanged, match=r"a\.csv"):
            session.fetch(file, tmp_path / "here.csv")
    assert not list(tmp_path.glob("here.csv*"))


def test_everything_may_be_done_again(place: Place, tmp_path: Path) -> None:
    """After a crash behind any of them the next run begins anew."""
    place.put("a.csv")
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
    for _ in range(2):
        with place.block().connect(pause=nothing) as session:
            digest = session.fetch(file, tmp_path / "here.csv")
    for _ in range(2):
        with place.block().connect(pause=nothing) as session:
            answer = session.acknowledge(file, "taken", digest=digest)
    for _ in range(2):
        with place.block().connect(pause=nothing) as session:
            moved = session.move(file, digest=digest)
            assert session.acknowledge(file, "taken", digest=digest) == answer
    assert sorted(each.name for each in tmp_path.rglob("*.*")) == sorted(
        [Path(answer).name, Path(moved).name, "here.csv"]
    )
    with place.block().connect(pause=nothing) as session, pytest.raises(InboxFileMissing, match=r"a\.csv"):
        session.move(file, digest="0" * 64)


def test_the_same_file_twice_leaves_one(place: Place, tmp_path: Path) -> None:
    for _ in range(2):
        place.put("a.csv")
        with place.block().connect(pause=nothing) as session:
            (file,) = session.arrived()
            digest = session.fetch(file, tmp_path / "here.csv")
            session.acknowledge(file, "taken", digest=digest)
            session.move(file, digest=digest)
    assert len(list((tmp_path / "processed").iterdir())) == 1
    assert len(list((tmp_path / "answers").iterdir())) == 1
    place.put("a.csv", b"another day\n")
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        session.move(file, digest=session.fetch(file, tmp_path / "here.csv"))
    assert len(list((tmp_path / "processed").iterdir())) == 2


def test_a_file_that_was_replaced_after_it_was_fetched_is_not_moved(place: Place, tmp_path: Path) -> None:
    """Of the same size, in the same second: only its digest tells."""
    path = place.put("a.csv")
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        digest = session.fetch(file, tmp_path / "here.csv")
        path.write_bytes(CONTENT[::-1])
        os.utime(path, (file.modified, file.modified))
        with pytest.raises(InboxFileChanged, match="left until it rests"):
            session.move(file, digest=digest)
        assert [each.name for each in session.arrived()] == ["a.csv"]


def test_names_that_lead_elsewhere_are_refused(place: Place, tmp_path: Path) -> None:
    with place.block().connect(pause=nothing) as session:
        for name in ("../a.csv", "/etc/passwd", "..", "", "a\0.csv", "a\n.csv"):
            file = InboxFile(name, 1, 1)
            for attempt in (
                lambda file=file: session.fetch(file, tmp_path / "here"),
                lambda file=file: session.acknowledge(file, "x", digest="0" * 64),
                lambda file=file: session.move(file, digest="0" * 64),
            ):
                with pytest.raises(InboxNameRefused):
                    attempt()


def test_a_file_too_large_is_not_read(place: Place, tmp_path: Path) -> None:
    place.put("a.csv", b"x" * 101)
    with place.block(most_bytes=100).connect(pause=nothing) as session:
        (file,) = session.arrived()
        with pytest.raises(InboxFileTooLarge, match="101 bytes; 100"):
            session.fetch(file, tmp_path / "here.csv")
        lied = replace(file, size=50)
        with pytest.raises(InboxFileChanged):
            session.fetch(lied, tmp_path / "here.csv")


def test_a_changed_host_key_is_refused_before_anything_is_sent(place: Place) -> None:
    other = " ".join((place.sshd.folder / "other.pub").read_text().split()[:2])
    with pytest.raises(HostKeyChanged), place.block(host_key=other).connect():
        pass


def test_a_login_that_is_refused(place: Place, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with pytest.raises(SshLoginRefused), place.block(private_key=f"file:{stranger}").connect():
        pass


def test_a_folder_that_takes_no_changes_is_told_and_still_read(tmp_path: Path) -> None:
    (tmp_path / "ssh").mkdir()
    (tmp_path / "erp").mkdir()
    with sshd_in(tmp_path / "ssh", sftp="internal-sftp -R") as server:
        place = Place(server, tmp_path / "erp")
        place.put("a.csv")
        with place.block().connect(pause=nothing) as session:
            (file,) = session.arrived()
            digest = session.fetch(file, tmp_path / "here.csv")
            with pytest.raises(InboxReadOnly, match="answers"):
                session.acknowledge(file, "x", digest=digest)
            with pytest.raises(InboxReadOnly, match="processed"):
                session.move(file, digest=digest)
            assert session.arrived() == [file]
        with pytest.raises(InboxReadOnly):
            place.block(settle=timedelta(0)).check()


def test_a_server_that_goes_in_the_middle_of_a_file_leaves_nothing(place: Place, tmp_path: Path) -> None:
    place.put("a.csv", os.urandom(20 << 20))
    with line_to(place.sshd.port) as line, place.block(port=line.port).connect(pause=nothing) as session:
        (file,) = session.arrived()
        line.cut_after(5 << 20)
        with pytest.raises(InboxLost, match=r"a\.csv was read"):
            session.fetch(file, tmp_path / "here.csv")
        assert not list(tmp_path.glob("here.csv*"))
        with pytest.raises(InboxLost):
            session.listing()
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        session.fetch(file, tmp_path / "here.csv")


def test_a_server_that_went_before_an_answer(place: Place) -> None:
    place.put("a.csv")
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        place.sshd.cut_connections()
        for attempt in (
            lambda: session.acknowledge(file, "x", digest="0" * 64),
            lambda: session.move(file, digest="0" * 64),
        ):
            with pytest.raises(InboxLost):
                attempt()
    with place.block().connect(pause=nothing) as session:
        assert session.arrived() == [file]


def test_nobody_there_and_no_folder_there(place: Place) -> None:
    with line_to(place.sshd.port) as line:
        line.down()
        with pytest.raises(SshUnreachable), place.block(port=line.port).connect():
            pass
    with (
        place.block(folder=str(place.folder / "none")).connect(pause=nothing) as session,
        pytest.raises(InboxFileMissing, match="none"),
    ):
        session.arrived()


def test_a_full_disk_here_is_no_fault_of_the_inbox(place: Place) -> None:
    place.put("a.csv", b"x" * 100_000)
    with place.block().connect(pause=nothing) as session:
        (file,) = session.arrived()
        full = Path("/dev/full")
        into = place.folder / "here.csv"
        into.with_name("here.csv.part").symlink_to(full)
        with pytest.raises(OSError, match="No space left"):
            session.fetch(file, into)
    with suppress(FileNotFoundError):
        assert full.exists()


@pytest.mark.parametrize("folder", ["../up", "in/../../up", "a\nb", ""])
def test_a_folder_that_leads_out_is_refused(place: Place, folder: str) -> None:
    with pytest.raises(ValidationError):
        place.block(folder=folder)
