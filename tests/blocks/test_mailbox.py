"""A mailbox gives each message until it is done, also when the reader is killed between."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from blocks.mailbox import Mailbox, MailboxMessageUnknown, MailboxUnreachable
from demo.mailbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def read(mailbox: Mailbox) -> list[bytes]:
    return [message.raw for message in mailbox.fetch()]


def test_each_message_comes_until_it_is_done(store: Store) -> None:
    mailbox = Mailbox(maildir=store.bounces)
    for raw in (b"first", b"second", b"third"):
        store.notify(raw)
    assert read(mailbox) == read(mailbox) == [b"first", b"second", b"third"]
    second = list(mailbox.fetch())[1]
    mailbox.done(second.id)
    mailbox.done(second.id)
    assert read(mailbox) == [b"first", b"third"]
    (kept,) = (store.bounces / "cur").iterdir()
    assert kept.name == f"{second.id}:2,S"
    assert kept.read_bytes() == b"second"


def test_what_another_program_moved_but_nobody_read_still_comes(store: Store) -> None:
    mailbox = Mailbox(maildir=store.bounces)
    name = store.notify(b"flagged")
    (store.bounces / "new" / name).rename(store.bounces / "cur" / f"{name}:2,F")
    assert read(mailbox) == [b"flagged"]
    mailbox.done(name)
    assert [path.name for path in (store.bounces / "cur").iterdir()] == [f"{name}:2,FS"]
    assert read(mailbox) == []


def test_done_during_fetch_loses_nothing(store: Store) -> None:
    mailbox = Mailbox(maildir=store.bounces)
    for number in range(20):
        store.notify(b"%d" % number)
    seen = []
    for message in mailbox.fetch():
        seen.append(message.raw)
        mailbox.done(message.id)
    assert seen == [b"%d" % number for number in range(20)]
    assert read(mailbox) == []


READER = """
import os, sys
from pathlib import Path
from blocks.mailbox import Mailbox
mailbox = Mailbox(maildir=Path(sys.argv[1]))
for number, message in enumerate(mailbox.fetch()):
    print(message.raw.decode(), flush=True)
    if number == 1:
        os.kill(os.getpid(), 9)
    mailbox.done(message.id)
"""


def test_killed_between_reading_and_done_it_comes_again(store: Store) -> None:
    for raw in (b"one", b"two", b"three"):
        store.notify(raw)
    killed = subprocess.run(
        [sys.executable, "-c", READER, store.bounces], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split() == ["one", "two"]
    assert read(Mailbox(maildir=store.bounces)) == [b"two", b"three"]


@pytest.mark.parametrize("name", ["none", "../new/x", "", "a:2,S"])
def test_an_id_it_never_gave_is_unknown(store: Store, name: str) -> None:
    with pytest.raises(MailboxMessageUnknown, match="has no message"):
        Mailbox(maildir=store.bounces).done(name)


def test_a_folder_that_is_no_maildir(tmp_path: Path) -> None:
    with pytest.raises(MailboxUnreachable, match="No such file or directory"):
        Mailbox(maildir=tmp_path / "none").check()
    with pytest.raises(MailboxUnreachable, match="No such file or directory"):
        list(Mailbox(maildir=tmp_path / "none").fetch())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "either maildir or host"),
        ({"maildir": "x", "host": "h"}, "either maildir or host"),
        ({"host": "imap.vendor.example"}, "needs username and password"),
        (
            {"host": "imap.vendor.example", "tls": "none", "username": "u", "password": "env:X"},
            "loopback only",
        ),
        ({"maildir": "x", "folder": 'a" "b'}, "pattern"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Mailbox.model_validate(fields)


def test_the_block_describes_itself_and_its_example_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "A mailbox that is read" in str(Mailbox.get_description())
    assert all(field.description for field in Mailbox.model_fields.values())
    example = Mailbox.get_code_example()
    assert example is not None
    store.notify(b"one")
    monkeypatch.chdir(store.bounces.parent)
    names: dict[str, object] = {}
    exec(example.split("```python")[1].split("```")[0], names)  # noqa: S102 - the documented example is tested
    assert names["read"] == [b"one"]
    assert read(Mailbox(maildir=store.bounces)) == []


DOVECOT = shutil.which("dovecot") or shutil.which("/usr/sbin/dovecot")
needs_dovecot = pytest.mark.skipif(
    DOVECOT is None or os.geteuid() != 0, reason="needs Debian's dovecot-imapd, and root to start it"
)
CONFIGURATION = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{base}/mail
first_valid_uid = 1
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
passdb {{
  driver = static
  args = password=geheim-woord
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={base}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@contextmanager
def dovecot(base: Path) -> Iterator[int]:
    """A real IMAP server over the Maildir `base/mail`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (base / "dovecot.conf").write_text(CONFIGURATION.format(base=base, port=port))
    for path in (base / "mail", *(base / "mail").rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    for parent in (base, *base.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o011)
    with subprocess.Popen([str(DOVECOT), "-F", "-c", str(base / "dovecot.conf")]) as server:
        try:
            end = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except ConnectionRefusedError:
                    assert server.poll() is None, (base / "log").read_text()
                    assert time.monotonic() < end
                    time.sleep(0.02)
            yield port
        finally:
            server.terminate()
            server.wait(10)


@needs_dovecot
def test_an_imap_account_gives_each_message_until_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAKOMING_TEST_IMAP", "geheim-woord")
    for part in ("new", "cur", "tmp"):
        (tmp_path / "mail" / part).mkdir(parents=True)
    for number in (1, 2):
        (tmp_path / "mail" / "new" / f"170000000{number}.M{number}.host").write_bytes(
            b"Subject: %d\n\nx\n" % number
        )
    with dovecot(tmp_path) as port:
        fields = {"host": "127.0.0.1", "port": port, "tls": "none", "username": "bounces", "timeout": 5}
        mailbox = Mailbox.model_validate(fields | {"password": "env:NAKOMING_TEST_IMAP"})
        mailbox.check()
        assert read(mailbox) == read(mailbox) == [b"Subject: 1\r\n\r\nx\r\n", b"Subject: 2\r\n\r\nx\r\n"]
        first = next(mailbox.fetch())
        mailbox.done(first.id)
        mailbox.done(first.id)
        assert read(mailbox) == [b"Subject: 2\r\n\r\nx\r\n"]
        validity, _, uid = first.id.partition(".")
        for unknown in (f"{int(validity) + 1}.{uid}", f"{validity}.99", "x", "1.1) UID STORE 1:*"):
            with pytest.raises(MailboxMessageUnknown):
                mailbox.done(unknown)
        monkeypatch.setenv("NAKOMING_TEST_IMAP", "verkeerd-woord")
        with pytest.raises(MailboxUnreachable, match=r"(?i)authentication failed") as caught:
            mailbox.check()
        assert "verkeerd" not in str(caught.value)


def test_nobody_answers_and_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAKOMING_TEST_IMAP", "x")
    fields = {"host": "127.0.0.1", "tls": "none", "username": "u", "password": "env:NAKOMING_TEST_IMAP"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(MailboxUnreachable, match="no answer in time"):
            Mailbox.model_validate(fields | {"port": port, "timeout": 0.2}).check()
    with pytest.raises(MailboxUnreachable, match="Connection refused"):
        Mailbox.model_validate(fields | {"port": port}).check()
