"""Commands and files over SSH, against a real OpenSSH server."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from pydantic import ValidationError

from blocks.command_result import (
    CommandFailed,
    CommandMissing,
    CommandNotExecutable,
    CommandTimedOut,
    WorkingFolderMissing,
)
from blocks.ssh_errors import (
    EnvironmentRefused,
    HostKeyChanged,
    RemoteFileMissing,
    SshConnectionLost,
    SshKeyInvalid,
    SshLoginRefused,
    SshUnreachable,
    fingerprint,
)

if TYPE_CHECKING:
    from tests.blocks.conftest import Sshd

LONG = timedelta(seconds=60)
Find = Callable[[str], list[int]]
Eventually = Callable[..., None]
STUBBORN = "trap '' TERM; sh -c 'while :; do sleep 1; done' {word} & while :; do sleep 1; done"


@pytest.fixture
def word(processes_with: Find) -> Iterator[str]:
    mark = uuid.uuid4().hex
    yield mark
    for pid in processes_with(mark):
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def test_output_exit_code_and_order(sshd: Sshd) -> None:
    result = sshd.block().run(["sh", "-c", "echo one; echo two >&2; echo three; exit 7"], timeout=LONG)
    assert (result.exit_code, result.output, result.timed_out) == (7, "one\ntwo\nthree\n", False)
    with pytest.raises(CommandFailed, match="exit code 7"):
        result.expect_success()


def test_no_shell_reads_the_arguments(sshd: Sshd) -> None:
    hostile = "$(touch x); `id` 'quoted' \"double\" \\ * \n newline é"
    assert sshd.block().run(["printf", "%s", hostile], timeout=LONG).output == hostile


def test_variables_arrive_and_are_in_no_command_line(sshd: Sshd) -> None:
    script = 'printf "%s|" "$A" "$B"; echo; ps -eo args | grep -c "[s]3cret x"'
    env = {"A": "s3cret x", "B": "  \\n 'é' $HOME"}
    result = sshd.block().run(["sh", "-c", script], timeout=LONG, env=env, secrets=["s3cret x"])
    assert result.output.startswith("[removed]|  \\n 'é' $HOME|")
    assert result.output.splitlines()[-1] == "0"


@pytest.mark.parametrize("env", [{"A": "two\nlines"}, {"A B": "x"}, {"1A": "x"}])
def test_a_variable_that_cannot_be_sent(sshd: Sshd, env: dict[str, str]) -> None:
    with pytest.raises(EnvironmentRefused):
        sshd.block().run(["true"], timeout=LONG, env=env)


def test_what_cannot_be_started_is_told_apart(sshd: Sshd, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    block = sshd.block()
    for program in ("no-such-program", "/no/such/program"):
        with pytest.raises(CommandMissing, match=r"not found on 127\.0\.0\.1"):
            block.run([program], timeout=LONG)
    with pytest.raises(CommandNotExecutable):
        block.run([str(plain)], timeout=LONG)
    with pytest.raises(WorkingFolderMissing):
        block.run(["true"], timeout=LONG, cwd=str(tmp_path / "none"))
    # A command's own codes are not mistaken for these.
    assert block.run(["sh", "-c", "exit 41"], timeout=LONG).exit_code == 41
    assert block.run(["pwd"], timeout=LONG, cwd=str(tmp_path)).output == f"{tmp_path}\n"


def test_much_output_is_kept_in_bounds(sshd: Sshd) -> None:
    script = "echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last"
    result = sshd.block().run(["sh", "-c", script], timeout=LONG, output_limit=10_000)
    assert result.output.startswith("first\n")
    assert result.output.endswith("\nlast\n")
    assert len(result.output) < 10_100


def test_a_time_out_ends_command_and_children_there(sshd: Sshd, word: str, processes_with: Find) -> None:
    result = sshd.block().run(
        ["sh", "-c", STUBBORN.format(word=word), word],
        timeout=timedelta(seconds=1),
        grace=timedelta(seconds=1),
    )
    assert (result.timed_out, result.exit_code) == (True, 128 + 9)
    assert processes_with(word) == []
    with pytest.raises(CommandTimedOut):
        result.expect_success()


def test_a_daemon_in_a_session_of_its_own_stays(
    sshd: Sshd, word: str, processes_with: Find, eventually: Eventually
) -> None:
    script = f"setsid sh -c 'while :; do sleep 1; done' {word} & echo installed"
    result = sshd.block().run(["sh", "-c", script], timeout=LONG)
    assert (result.exit_code, result.output) == (0, "installed\n")
    eventually(lambda: processes_with(word) != [])


def test_a_cut_connection_ends_the_command_and_is_told(
    sshd: Sshd, word: str, processes_with: Find, eventually: Eventually
) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            command = ["sh", "-c", STUBBORN.format(word=word), word]
            sshd.block().run(command, timeout=LONG, grace=timedelta(seconds=1))
        except SshConnectionLost as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: len(_commands(processes_with(word))) == 2)
    sshd.cut_connections()
    thread.join(20)
    assert "it is not known how it ended" in str(caught[0])
    eventually(lambda: _commands(processes_with(word)) == [])


def _commands(pids: list[int]) -> list[int]:
    # Of what carries the word: not the shell that watches, whose command line holds its own script.
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if "setsid" not in " ".join(psutil.Process(pid).cmdline()):
                found.append(pid)
    return found


def test_the_far_command_dies_with_our_killed_process(
    sshd: Sshd, word: str, processes_with: Find, eventually: Eventually
) -> None:
    program = (
        "import sys; from datetime import timedelta; from blocks.ssh import SshHost\n"
        "block = SshHost.model_validate_json(sys.argv[1])\n"
        "block.run(sys.argv[2:], timeout=timedelta(minutes=5), grace=timedelta(seconds=1))"
    )
    block = sshd.block().model_dump_json(exclude_none=True)
    command = ["sh", "-c", STUBBORN.format(word=word), word]
    parent = subprocess.Popen([sys.executable, "-c", program, block, *command])
    try:
        eventually(lambda: len(_commands(processes_with(word))) == 3)
    finally:
        parent.kill()
        parent.wait()
    eventually(lambda: _commands(processes_with(word)) == [])


def test_silence_on_an_open_line_ends_the_command(
    word: str, processes_with: Find, eventually: Eventually
) -> None:
    # What a worker without power looks like from there: the line stays open and nothing comes.
    script = (Path(__file__).parents[2] / "blocks" / "ssh_watch.sh").read_text()
    command = [
        "sh",
        "-c",
        script,
        "sh",
        "the-mark",
        "1",
        "2",
        "/",
        "sh",
        "-c",
        STUBBORN.format(word=word),
        word,
    ]
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    for _ in range(3):
        time.sleep(1)  # the beat itself: three seconds, longer than the two of silence
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert process.poll() is None
    assert process.wait(15) == 128 + 9
    assert time.monotonic() - begun > 5
    process.stdin.close()
    eventually(lambda: processes_with(word) == [])


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_watch_speaks_plain_shell(shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    script = (Path(__file__).parents[2] / "blocks" / "ssh_watch.sh").read_text()
    command = [found, "-c", script, "sh", "mark", "1", "5", "/", "sh", "-c", "echo $A; exit 3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(b"A=x y\n\n")
        run.stdin.flush()
        assert run.wait(15) == 3  # and the lifeline is still open
        run.stdin.close()
        assert run.stdout.read() == b"mark\nx y\n"


def test_another_host_key_is_refused_before_the_login(sshd: Sshd) -> None:
    other = " ".join((sshd.folder / "other.pub").read_text().split()[:2])
    logins = (sshd.folder / "log").read_text().count("Accepted")
    with pytest.raises(HostKeyChanged) as caught:
        sshd.block(host_key=other, connect_timeout=5).check()
    assert fingerprint(sshd.host_key) in str(caught.value)
    assert fingerprint(other) in str(caught.value)
    assert (sshd.folder / "log").read_text().count("Accepted") == logins


def test_another_type_of_host_key_is_refused_too(sshd: Sshd) -> None:
    from tests.blocks.conftest import make_key

    make_key(sshd.folder / "ecdsa", "ecdsa")
    other = " ".join((sshd.folder / "ecdsa.pub").read_text().split()[:2])
    with pytest.raises(HostKeyChanged):
        sshd.block(host_key=other).run(["true"], timeout=LONG)


def test_the_fingerprint_is_the_one_openssh_shows(sshd: Sshd) -> None:
    keygen = shutil.which("ssh-keygen")
    assert keygen is not None
    shown = subprocess.run(
        [keygen, "-l", "-f", str(sshd.folder / "host.pub")], capture_output=True, check=True, text=True
    )
    assert shown.stdout.split()[1] == fingerprint(sshd.host_key)


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "ssh-ed25519 %%%", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", "x y"]
)
def test_a_host_key_that_is_none(sshd: Sshd, text: str) -> None:
    with pytest.raises(ValidationError, match="is not a type and its base64 text"):
        sshd.block(host_key=text)


def test_one_way_in(sshd: Sshd) -> None:
    with pytest.raises(ValidationError, match="either private_key or password"):
        sshd.block(private_key=None)
    with pytest.raises(ValidationError, match="either private_key or password"):
        sshd.block(password="env:PASSWORD")


def test_a_login_that_is_refused(sshd: Sshd) -> None:
    with pytest.raises(SshLoginRefused, match="refuses the login"):
        sshd.block(private_key=f"file:{sshd.folder / 'other'}").check()


@pytest.mark.parametrize(("kind", "passphrase"), [("rsa", ""), ("ecdsa", ""), ("ed25519", "open sesame")])
def test_every_usual_kind_of_key(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, passphrase: str
) -> None:
    from tests.blocks.conftest import make_key

    key = make_key(tmp_path / "key", kind, passphrase)
    allowed = sshd.folder / "login.pub"
    allowed.write_text(allowed.read_text() + (tmp_path / "key.pub").read_text())
    settings: dict[str, object] = {"private_key": f"file:{key}"}
    if passphrase:
        monkeypatch.setenv("PASSPHRASE", passphrase)
        settings["passphrase"] = "env:PASSPHRASE"
    assert len(sshd.block(**settings).check()) == 2


def test_a_private_key_that_is_none(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "-----BEGIN nonsense")
    with pytest.raises(SshKeyInvalid, match="it is no private key"):
        sshd.block(private_key="env:KEY").check()


def test_nobody_answers(sshd: Sshd) -> None:
    with pytest.raises(SshUnreachable):
        sshd.block(port=1).check()


def test_a_file_arrives_whole_and_under_its_name_only_then(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "artefact"
    source.write_bytes(bytes(range(256)) * 20_000)
    remote = tmp_path / "there" / "it is"
    remote.parent.mkdir()
    remote.write_text("the one before")
    block = sshd.block()
    digest = block.put(source, str(remote))
    assert remote.read_bytes() == source.read_bytes()
    assert digest == block.sha256(str(remote))
    assert [path.name for path in remote.parent.iterdir()] == ["it is"]


def test_files_that_cannot_be_written_or_read(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "artefact"
    source.write_bytes(b"x")
    with pytest.raises(RemoteFileMissing, match="cannot be written"):
        sshd.block().put(source, str(tmp_path / "none" / "there"))
    with pytest.raises(RemoteFileMissing, match="cannot be read"):
        sshd.block().sha256(shlex.quote(str(tmp_path / "none")))
