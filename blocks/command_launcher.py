"""The process between us and a command: it sees to it that the command never outlives us.

Run as a program of its own by `blocks.command` (`python -I -S command_launcher.py STATUS_FD`), with the
standard library only. A parent-death signal alone would not do: the kernel ties it to the *thread* that
forked, so a command started from a worker thread would die with it, and grandchildren would not die. So:

- stdin is the lifeline. Its first line is the order (JSON); after that nothing is ever written to it. End of
  file means that our parent has died, or wants the command ended. Somebody may have forked our parent and
  hold the other end open, so the parent's process id is watched too.
- the command leads a session of its own. Ending it means ending every process of that session: SIGTERM, a
  grace period, SIGKILL. A daemon that left for a session of its own, such as the service installed, stays.
- the command itself gets a parent-death signal tied to this process, which has one thread, in case this
  process is the one that is killed.
- the exit code is kept in a file, where the order names one, for whoever comes after a parent that was
  killed.
- the status pipe says `started PID`, `failed ERRNO` or `ended CODE` (minus the number of the signal that
  ended it); no `ended` means that nobody knows.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
WATCH_SECONDS = 0.5  # how often the parent's id is looked at, beside the lifeline
POLL_SECONDS = 0.02
KILL_SECONDS = 5.0  # SIGKILL takes effect at once, but for a process in an uninterruptible wait
SETTLE_SECONDS = (
    1.0  # `setsid service &` as last line: the service may still be on its way to its own session
)


def main() -> int:
    """Carry out one order; the exit status is 0 whatever the command's own may be."""
    status_fd = int(sys.argv[1])
    os.set_inheritable(status_fd, False)
    line = _read_line(0)
    if not line.endswith(b"\n"):
        return 0  # the parent died before it had said what to do: nothing has happened
    order = json.loads(line)
    if os.getppid() != order["parent"]:
        return 0
    wake = _wake_on_signals()
    leader = _start(order, status_fd)
    if leader:
        os.write(status_fd, b"started %d\n" % leader)
        _watch(leader, order, wake, status_fd)
    return 0


def _read_line(descriptor: int) -> bytes:
    # Unbuffered: what stands behind the first line is the lifeline and must not be swallowed.
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        line += chunk
    return line


def _wake_on_signals() -> int:
    # A signal writes its number into a pipe, so that one poll() waits for everything.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reader


def _start(order: dict[str, Any], status_fd: int) -> int:
    # Returns the command's process id, or 0 when it could not be started (the reason is in the status pipe).
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _become(order, writer)
    os.close(writer)
    failure = os.read(reader, 16)
    os.close(reader)
    if not failure:
        return child
    os.waitpid(child, 0)
    os.write(status_fd, b"failed " + failure + b"\n")
    return 0


def _become(order: dict[str, Any], failure_fd: int) -> NoReturn:
    try:
        os.setsid()
        launcher = os.getppid()
        _die_with_parent()
        if os.getppid() != launcher:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(order["cwd"])
        os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 (without a shell is what we want)
    except OSError as error:
        os.write(failure_fd, b"%d" % (error.errno or 0))
    finally:
        os._exit(127)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _watch(leader: int, order: dict[str, Any], wake: int, status_fd: int) -> None:
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wake, select.POLLIN)
    stop = False
    code = None
    while code is None and not stop:
        for descriptor, _ in poll.poll(WATCH_SECONDS * 1000):
            if descriptor == 0:
                stop = True
            else:
                stop |= bool(set(os.read(wake, 512)) - {signal.SIGCHLD})
        stop |= os.getppid() != order["parent"]
        code = _reap(leader)
    if code is not None:
        _keep(code, order["verdict"])
    if not stop:
        _wait_until_gone(leader, SETTLE_SECONDS)
    ended = _end_session(leader, order["grace"])
    code = ended if code is None else code
    if code is not None:
        os.write(status_fd, b"ended %d\n" % code)


def _keep(code: int, file: str | None) -> None:
    # Before anything else is waited for, for our parent may be dead already; its line end proves it is whole.
    if file is None:
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, b"%d\n" % code)
        os.fsync(descriptor)
        os.close(descriptor)
    except OSError:
        return  # then nobody knows it but our parent


def _reap(leader: int) -> int | None:
    try:
        process, status = os.waitpid(leader, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if process else None


def _wait_until_gone(leader: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while _members(leader) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def _end_session(leader: int, grace: float) -> int | None:
    # While one member lives the kernel does not give the session's number away, so no stranger is ever hit.
    code = None
    asked: set[int] = set()
    grace_until = time.monotonic() + grace
    give_up_at = grace_until + KILL_SECONDS
    while (members := _members(leader)) and time.monotonic() < give_up_at:
        kill = time.monotonic() >= grace_until
        for member in members if kill else members - asked:
            _send(member, signal.SIGKILL if kill else signal.SIGTERM)
        asked |= members
        time.sleep(POLL_SECONDS)
        reaped = _reap(leader)
        code = reaped if code is None else code
    return _reap(leader) if code is None else code


def _send(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
        os.kill(process, signal.SIGCONT)  # a stopped process would not notice SIGTERM
    except (ProcessLookupError, PermissionError):
        return  # gone meanwhile, or it changed its user: the caller sees it still there and says so


def _members(session: int) -> set[int]:
    # Living processes of the session. Without /proc its leader's group stands for it, as -PID for kill.
    if not Path("/proc/self/stat").exists():
        try:
            os.killpg(session, 0)
        except (ProcessLookupError, PermissionError):
            return set()
        return {-session}
    names = (entry.name for entry in Path("/proc").iterdir())
    return {int(name) for name in names if name.isdigit() and _lives_in(name, session)}


def _lives_in(process: str, session: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    # "pid (name) state ppid pgrp session ...": the name may hold spaces and brackets.
    state, _, _, sid = stat.rpartition(b")")[2].split()[:4]
    return int(sid) == session and state not in (b"Z", b"X")


if __name__ == "__main__":
    sys.exit(main())
