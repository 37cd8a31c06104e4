"""Commands as real processes: how they end, what is kept, and that they never outlive us."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import pytest

from blocks.command import run_command
from blocks.command_result import (
    CommandFailed,
    CommandLost,
    CommandMissing,
    CommandNotExecutable,
    CommandTimedOut,
    WorkingFolderMissing,
)

if TYPE_CHECKING:
    from pathlib import Path

Find = Callable[[str], list[int]]
Eventually = Callable[..., None]
LONG = timedelta(seconds=60)

# A command, its child in a process group of its own, and a grandchild; all ignore SIGTERM. A word marks them.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
level = int(sys.argv[2])
if level:
    group = 0 if level == 2 else None
    subprocess.Popen([sys.executable, __file__, sys.argv[1], str(level - 1)], process_group=group)
print(level, flush=True)
time.sleep(600)
"""

PARENT = """
import sys, threading, time
from datetime import timedelta
from blocks.command import run_command

def work():
    command = [sys.executable, *sys.argv[1:]]
    run_command(command, timeout=timedelta(minutes=5), grace=timedelta(seconds=0.3))

threading.Thread(target=work).start()
time.sleep(600)
"""
# As a forkserver may: another process gets a copy of all descriptors, the lifeline's too, and lives on.
FORKING_PARENT = PARENT.replace(
    "time.sleep(600)",
    """
import os
time.sleep(1)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
time.sleep(600)
""",
)


@pytest.fixture
def family(tmp_path: Path) -> Path:
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    return script


@pytest.fixture
def word(processes_with: Find) -> Iterator[str]:
    """Mark what a test starts; nothing of it outlives the test, whatever happens."""
    mark = uuid.uuid4().hex
    yield mark
    for pid in processes_with(mark):
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


@pytest.fixture
def parent_of() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process that runs a command from a thread."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, program: str = PARENT) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-W", "ignore", "-c", program, *words]
        started.append(subprocess.Popen(command, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_output_exit_code_and_duration() -> None:
    result = run_command(["sh", "-c", "echo one; echo two >&2; echo three; exit 7"], timeout=LONG)
    assert (result.exit_code, result.output, result.timed_out) == (7, "one\ntwo\nthree\n", False)
    assert timedelta(0) < result.duration < LONG


def test_no_shell_reads_the_arguments() -> None:
    hostile = "$(touch x); `id` 'quoted' \"double\" \\ * \n newline é"
    assert run_command(["printf", "%s", hostile], timeout=LONG).output == hostile


def test_a_failure_says_what_and_keeps_the_output() -> None:
    result = run_command(["sh", "-c", "echo 'no such customer' >&2; exit 3"], timeout=LONG)
    with pytest.raises(CommandFailed) as caught:
        result.expect_success()
    assert str(caught.value) == (
        "Command 'sh' ended with exit code 3; 0 is expected. Its last line: no such customer"
    )
    assert caught.value.data["output"] == "no such customer\n"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 (our own)


def test_a_signal_is_told_from_an_exit_code() -> None:
    assert run_command(["sh", "-c", "kill -SEGV $$"], timeout=LONG).exit_code == -signal.SIGSEGV


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "./no-such-program"])
def test_a_missing_command(program: str) -> None:
    with pytest.raises(CommandMissing, match="was not found"):
        run_command([program], timeout=LONG)


def test_what_cannot_be_executed(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    with pytest.raises(CommandNotExecutable, match="Permission denied"):
        run_command([plain], timeout=LONG)
    plain.write_text("#!/no/such/interpreter\n")
    plain.chmod(0o755)
    with pytest.raises(CommandNotExecutable, match="interpreter that its first line names does not exist"):
        run_command([plain], timeout=LONG)
    plain.write_text("neither\n")
    with pytest.raises(CommandNotExecutable, match="neither a program nor a script"):
        run_command([plain], timeout=LONG)
    with pytest.raises(CommandNotExecutable):
        run_command([tmp_path], timeout=LONG)


def test_a_missing_working_folder(tmp_path: Path) -> None:
    with pytest.raises(WorkingFolderMissing, match=r"none.*does not exist"):
        run_command(["true"], timeout=LONG, cwd=tmp_path / "none")


def test_the_working_folder_is_used(tmp_path: Path) -> None:
    assert run_command(["pwd"], timeout=LONG, cwd=tmp_path).output.strip() == str(tmp_path.resolve())


def test_the_environment_is_what_is_allowed_and_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "hush")
    monkeypatch.setenv("LC_ALL", "C")
    output = run_command(["env"], timeout=LONG, env={"GIVEN": "é=\nx"}).output
    names = {line.partition("=")[0] for line in output.splitlines() if "=" in line}
    assert "PREFECT_API_KEY" not in names
    assert {"PATH", "GIVEN", "LC_ALL"} <= names
    assert "GIVEN=é=\nx\n" in output


def test_no_descriptor_and_no_signal_setting_is_inherited() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        script = "ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status; cat"
        output = run_command(["sh", "-c", script], timeout=LONG).output
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(reader)
        os.close(writer)
    descriptors, blocked, ignored = output.splitlines()
    assert descriptors == "4"
    for line in (blocked, ignored):
        # Signals 32 and 33 are the C library's own; whoever started this process may have left them changed.
        assert int(line.split()[1], 16) & ~(0b11 << 31) == 0, line


def test_a_hundred_megabytes_are_kept_in_bounds() -> None:
    script = "echo first; head -c 104857600 /dev/zero | tr '\\0' x; echo; echo last"
    before = psutil.Process().memory_info().rss
    peak = _Peak()
    result = run_command(["sh", "-c", script], timeout=LONG, output_limit=100_000)
    grown = peak.stop() - before
    assert result.output.startswith("first\nxxx")
    assert result.output.endswith("xxx\nlast\n")
    cut = len("first\n\nlast\n") + 104857600 - 100_000
    assert f"[… {cut} bytes left out …]" in result.output
    assert len(result.output) < 101_000
    assert grown < 20_000_000


class _Peak:
    """The highest memory of this process while something runs."""

    def __init__(self) -> None:
        self._highest = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._highest = max(self._highest, psutil.Process().memory_info().rss)

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self._highest


def test_binary_output_becomes_text_that_can_be_stored() -> None:
    result = run_command(["printf", r"\000\377\033[31mred\r\n\303\251"], timeout=LONG)
    assert result.output == "\\x00\\xff\\x1b[31mred\né"


def test_secrets_are_removed_also_across_reads() -> None:
    secret = "s3cr3t-" + "x" * 3000
    script = "printf %s \"${S%????}\"; sleep 0.2; printf '%s' 'xxxx'; echo; echo end"
    result = run_command(["sh", "-c", script], timeout=LONG, env={"S": secret}, secrets=[secret, ""])
    assert result.output == "[removed]\nend\n"
    result = run_command(
        ["sh", "-c", 'echo "$S"'], timeout=LONG, env={"S": secret}, secrets=[secret], output_limit=20
    )
    assert "s3cr" not in result.output


def test_a_time_out_ends_the_whole_family(family: Path, word: str, processes_with: Find) -> None:
    begun = time.monotonic()
    command = [sys.executable, str(family), word, "2"]
    result = run_command(command, timeout=seconds(1), grace=seconds(0.3))
    assert result.timed_out
    assert result.exit_code == -signal.SIGKILL
    assert time.monotonic() - begun < 6
    assert sorted(result.output.split()) == ["0", "1", "2"]
    assert processes_with(word) == []
    with pytest.raises(CommandTimedOut, match="took longer than 1 s"):
        result.expect_success()


def test_sigterm_comes_first_and_may_be_used_to_tidy_up() -> None:
    # Without a child: one that ends too could leave the shell nothing to wait for before its own turn.
    script = "trap 'echo tidied; exit 5' TERM; echo begun; while :; do :; done"
    result = run_command(["sh", "-c", script], timeout=seconds(0.5), grace=seconds(10))
    assert (result.timed_out, result.exit_code, result.output) == (True, 5, "begun\ntidied\n")


def test_a_stopped_command_ends_too(word: str, processes_with: Find) -> None:
    result = run_command(["sh", "-c", "kill -STOP $$", word], timeout=seconds(0.5), grace=seconds(0.3))
    assert result.timed_out
    assert processes_with(word) == []


def test_what_is_left_behind_in_its_session_ends_with_it(word: str, processes_with: Find) -> None:
    result = run_command(
        ["sh", "-c", f"sh -c 'while :; do sleep 1; done' {word} & echo done"], timeout=LONG, grace=seconds(1)
    )
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "done")
    assert processes_with(word) == []


@pytest.mark.parametrize("redirect", ["", ">/dev/null 2>&1"])
def test_a_daemon_in_a_session_of_its_own_stays(
    redirect: str, word: str, processes_with: Find, eventually: Eventually
) -> None:
    script = f"setsid sh -c 'while :; do sleep 1; done' {word} {redirect} & echo installed"
    result = run_command(["sh", "-c", script], timeout=LONG)
    assert (result.exit_code, result.output) == (0, "installed\n")
    assert result.duration < seconds(10)
    eventually(lambda: processes_with(word) != [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_family_dies_with_its_killed_parent(
    number: signal.Signals,
    family: Path,
    word: str,
    parent_of: Callable[..., subprocess.Popen[bytes]],
    processes_with: Find,
    eventually: Eventually,
) -> None:
    parent = parent_of(str(family), word, "2")
    eventually(lambda: len(processes_with(word)) == 4)  # the parent and three generations
    parent.send_signal(number)
    assert parent.wait(10) == -number
    eventually(lambda: processes_with(word) == [])


def test_a_fork_that_holds_the_lifeline_does_not_keep_the_family_alive(
    family: Path,
    word: str,
    parent_of: Callable[..., subprocess.Popen[bytes]],
    processes_with: Find,
    eventually: Eventually,
) -> None:
    parent = parent_of(str(family), word, "0", program=FORKING_PARENT)
    eventually(lambda: len(processes_with(word)) == 3)  # parent, its copy, the command
    (holder,) = (pid for pid in processes_with(word) if psutil.Process(pid).ppid() == parent.pid)
    parent.kill()
    parent.wait(10)
    eventually(lambda: processes_with(word) == [holder])


def test_a_killed_launcher_is_told_and_leaves_nothing(
    family: Path, word: str, processes_with: Find, eventually: Eventually
) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            run_command([sys.executable, str(family), word, "0"], timeout=LONG)
        except CommandLost as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: processes_with(word) != [])
    (launched,) = processes_with(word)
    launcher = psutil.Process(launched).parent()
    assert launcher is not None
    launcher.kill()
    thread.join(15)
    assert "not known how command" in str(caught[0])
    eventually(lambda: processes_with(word) == [])


def test_many_threads_at_once() -> None:
    outputs: list[str] = []
    threads = [
        threading.Thread(
            target=lambda i=i: outputs.append(run_command(["echo", str(i)], timeout=LONG).output)
        )
        for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs) == sorted(f"{i}\n" for i in range(20))


def test_no_descriptor_leaks() -> None:
    run_command(["true"], timeout=LONG)
    before = psutil.Process().num_fds()
    for _ in range(5):
        run_command(["true"], timeout=LONG)
    with pytest.raises(CommandMissing):
        run_command(["no-such-program"], timeout=LONG)
    assert psutil.Process().num_fds() == before
