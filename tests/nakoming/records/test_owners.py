"""A dead holder is recognised at once on its own host; a living one is never called dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from nakoming.records.owners import is_dead, this_process

_ROOT = Path(__file__).parents[3]
_NAMED = "from nakoming.records.owners import this_process; print(this_process(), flush=True); input()"


def test_the_running_process_is_alive() -> None:
    assert not is_dead(this_process())


def test_a_killed_process_is_dead_before_and_after_its_parent_noticed() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _NAMED], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    owner = child.stdout.readline().strip()
    assert not is_dead(owner)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet taken away: a zombie
    assert is_dead(owner)
    child.communicate()
    assert is_dead(owner)


def test_a_number_that_was_given_to_another_process_is_dead() -> None:
    host, boot, pid, started = this_process().split("/")
    assert is_dead(f"{host}/{boot}/{pid}/{int(started) - 1}")


def test_a_machine_that_booted_again_kept_no_process() -> None:
    host, boot, pid, started = this_process().split("/")
    namespace = boot.rpartition(".")[2]
    of_a_machine = namespace == "4026531836"
    assert is_dead(f"{host}/another-boot.{namespace}/{pid}/{started}") is of_a_machine
    assert not is_dead(f"{host}/another-boot.4026532000/{pid}/{started}")  # of a container


def test_other_hosts_and_other_forms_are_never_called_dead() -> None:
    _, boot, _, _ = this_process().split("/")
    for owner in (f"another-host/{boot}/999999/1", "w1", "", "a/b/c/d", "a/b"):
        assert not is_dead(owner)
