"""The forkserver: a Python that has imported everything, holds nothing, and forks.

Run as `python -m deployments.warm.forkserver REQUESTS_FD REPLIES_FD` by the worker. It reads one JSON object
a line from the first pipe: `preload` (once, first), `fork`, `retire`; it writes `ready`, `forked`, `refused`
and `exited`. End of the first pipe means that the worker is gone: all children are killed with their groups.

It keeps one thread and no socket, for a lock held by another thread at the moment of the fork stays locked in
the child for ever.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 16


class Forkserver:
    """One forkserver process, from its pipes to its children.

    Args:
        requests: File descriptor to read requests from.
        replies: File descriptor to write replies to.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self._woken, self._wakes = _child_signal_pipe()
        self._children: dict[int, str] = {}
        self._buffer = b""
        self._retired = False

    def serve(self) -> dict[str, Any] | None:
        """Serve until the worker goes, or until this process is a child.

        Returns:
            The job to run when this process is a new child, None when the forkserver itself has to end.
        """
        poller = select.poll()
        poller.register(self._requests, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        while not (self._retired and not self._children):
            ready = {descriptor for descriptor, _ in poller.poll()}
            if self._woken in ready:
                self._reap()
            if self._requests in ready:
                for request in self._read():
                    job = self._handle(request)
                    if job is not None:
                        return job
        return None

    def _read(self) -> Iterator[dict[str, Any]]:
        chunk = os.read(self._requests, _CHUNK)
        if not chunk:
            self._kill_all()
            os._exit(0)
        self._buffer += chunk
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            yield json.loads(line)

    def _handle(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if request["op"] == "preload":
            self._preload(request["entrypoints"])
        elif request["op"] == "retire":
            self._retired = True
        elif request["op"] == "fork":
            return self._fork(request)
        return None

    def _preload(self, entrypoints: list[str]) -> None:
        # Heavy: imports Prefect and the flows. Nothing before this line may import it.
        from deployments.warm import preload

        report = preload.load(entrypoints)
        gc.collect()
        # What exists now is shared with every child: a collection there would copy all its pages.
        gc.freeze()
        self._reply({"event": "ready", "pid": os.getpid(), **report})

    def _fork(self, request: dict[str, Any]) -> dict[str, Any] | None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
        except OSError as error:
            self._reply({"event": "refused", "id": request["id"], "reason": str(error)})
            return None
        if pid == 0:
            self._become_child(parent)
            return request
        self._children[pid] = request["id"]
        self._reply({"event": "forked", "id": request["id"], "pid": pid})
        return None

    def _become_child(self, parent: int) -> None:
        """Take what belongs to the forkserver off this new process, and tie its life to its parent's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in (self._requests, self._replies, self._woken, self._wakes):
            os.close(descriptor)
        from deployments.warm.lifeline import die_with_parent

        die_with_parent(parent)

    def _reap(self) -> None:
        os.read(self._woken, _CHUNK)
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            job = self._children.pop(pid, None)
            if job is not None:
                code = os.waitstatus_to_exitcode(status)
                self._reply({"event": "exited", "id": job, "pid": pid, "code": code})

    def _reply(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._replies, data) :]
        except BrokenPipeError:
            self._kill_all()
            os._exit(0)

    def _kill_all(self) -> None:
        for pid in self._children:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:  # it ended, or has not reached setsid and dies by its lifeline
                continue


def _child_signal_pipe() -> tuple[int, int]:
    """Make SIGCHLD readable: a byte in a pipe for each, so that one poll waits for everything."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader, writer


def main() -> None:
    """Serve; in a child, run the job and end as a Python program ends."""
    # The worker decides when this process ends: Ctrl-C in a terminal reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job = Forkserver(int(sys.argv[1]), int(sys.argv[2])).serve()
    if job is None:
        os._exit(0)
    from deployments.warm import child

    child.run_and_exit(job)


if __name__ == "__main__":
    main()
