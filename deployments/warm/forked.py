"""A forkserver as the worker sees it: a process behind two pipes, and the children it forks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio

from deployments.warm.ends import stop_group
from deployments.warm.errors import ForkRefusedError, ForkserverLostError
from deployments.warm.preload import stamps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import Logger, LoggerAdapter

    Log = Logger | LoggerAdapter[Any]

_REPLY_LIMIT = 1 << 22  # bytes of one reply line: `ready` lists every file of the project
_END_SECONDS = 5.0


class ForkedProcess:
    """A child of a forkserver, with the face of a process: `pid`, `returncode`, `wait()`."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.pid: int | None = None
        self.returncode: int | None = None
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.refusal: str | None = None

    async def wait(self) -> int:
        """Wait for the end; a negative number is the signal that ended it."""
        await self.ended.wait()
        return self.returncode or 0

    def end(self, code: int) -> None:
        """Record the exit code."""
        self.returncode = code
        self.started.set()
        self.ended.set()


class Forkserver:
    """One forkserver process as the worker sees it. Make it with `start`."""

    def __init__(self, directory: str | None, entrypoints: frozenset[str], logger: Log) -> None:
        self.directory = directory
        self.entrypoints = entrypoints
        self.files: dict[str, list[int]] = {}
        self.threads = 0
        self.pid: int | None = None
        self.lost = False
        self._logger = logger
        self._children: dict[str, ForkedProcess] = {}
        self._ready = asyncio.Event()
        self._requests: int = -1
        self._listening: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, environment: Mapping[str, str]) -> None:
        """Start the process and wait until it has imported everything.

        Raises:
            ForkserverLostError: It ended before it was ready.
        """
        request_reader, self._requests = os.pipe()
        reply_reader, reply_writer = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "deployments.warm.forkserver",
                str(request_reader),
                str(reply_writer),
                pass_fds=(request_reader, reply_writer),
                env=self._environment(environment),
                cwd=self.directory or tempfile.gettempdir(),
                stdin=asyncio.subprocess.DEVNULL,
            )
        finally:
            os.close(request_reader)
            os.close(reply_writer)
        self.pid = self._process.pid
        self._listening = asyncio.create_task(self._listen(reply_reader), name=f"forkserver-{self.pid}")
        self._send({"op": "preload", "entrypoints": sorted(self.entrypoints)})
        await self._ready.wait()
        if self.lost:
            raise ForkserverLostError(directory=self.directory, purpose="had imported the flows")

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        # The house comes first (and -P keeps the current directory out): a project may have a package of the
        # same name as this one.
        house = str(Path(__file__).resolve().parents[2])
        paths = [house, self.directory or "", environment.get("PYTHONPATH", "")]
        return {**environment, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}

    def is_stale(self) -> bool:
        """Say whether it ended, or a file it has imported is another now."""
        return self.lost or stamps(list(self.files)) != self.files

    async def fork(self, request: dict[str, Any]) -> ForkedProcess:
        """Fork a child for a job.

        Raises:
            ForkserverLostError: The forkserver ended first; nothing was forked, or it died with the server.
            ForkRefusedError: The operating system gave no process.
        """
        child = ForkedProcess(str(uuid4()))
        self._children[child.job] = child
        self._send({"op": "fork", "id": child.job, **request})
        try:
            await child.started.wait()
        except asyncio.CancelledError:  # asked for already: it comes about, and must not run on by itself
            with anyio.CancelScope(shield=True):
                await child.started.wait()
                if child.returncode is None:
                    await stop_group(child)
            raise
        if child.pid is None:
            if child.refusal is None:
                raise ForkserverLostError(directory=self.directory, purpose="forked")
            raise ForkRefusedError(flow_run_id=request["flow_run"]["id"], reason=child.refusal)
        return child

    def retire(self) -> None:
        """Tell it to end with its last child."""
        self._send({"op": "retire"})

    async def close(self) -> None:
        """End it and all its children now."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), _END_SECONDS)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGKILL)
                await self._process.wait()
        if self._listening is not None:
            await self._listening

    def _send(self, message: dict[str, Any]) -> None:
        """Write a request; the pipe is blocking, and a forkserver does nothing but read it."""
        if self._requests < 0:
            return
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._requests, data) :]
        except BrokenPipeError:
            self._lose()

    async def _listen(self, descriptor: int) -> None:
        reader = asyncio.StreamReader(limit=_REPLY_LIMIT)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        finally:
            transport.close()
            self._lose()

    def _take(self, reply: dict[str, Any]) -> None:
        if reply["event"] == "ready":
            self.files, self.threads = reply["files"], reply["threads"]
            for entrypoint, reason in reply["failed"].items():
                self._logger.warning("Entrypoint %s could not be preloaded: %s", entrypoint, reason)
            self._ready.set()
            return
        child = self._children.get(reply["id"])
        if child is None:
            return
        if reply["event"] == "forked":
            child.pid = reply["pid"]
            child.started.set()
        elif reply["event"] == "refused":
            child.refusal = reply["reason"]
            child.started.set()
        if reply["event"] != "forked":
            del self._children[child.job]
        if reply["event"] == "exited":
            child.end(reply["code"])

    def _lose(self) -> None:
        """Its end is the end of its children: the kernel kills them with it."""
        self.lost = True
        self._ready.set()
        for child in list(self._children.values()):
            child.end(-signal.SIGKILL)
        self._children.clear()
