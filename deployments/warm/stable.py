"""The worker's side of the forkservers: one a project directory, kept fresh, asked to fork."""

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
        await child.started.wait()
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


class Stable:
    """All forkservers of a worker, by project directory (None: no project, only Prefect).

    Args:
        logger: The worker's.
        environment: What each forkserver starts with.
    """

    def __init__(self, logger: Log, environment: Mapping[str, str]) -> None:
        self._logger = logger
        self._environment = environment
        self._servers: dict[str | None, Forkserver] = {}
        self._wanted: dict[str | None, set[str]] = {}
        self._unclean: set[str | None] = set()
        self._retired: list[Forkserver] = []
        self._locks: dict[str | None, asyncio.Lock] = {}

    async def fork(
        self, directory: str | None, entrypoint: str | None, request: dict[str, Any]
    ) -> ForkedProcess:
        """Fork a child from a forkserver whose code is that on the disk now.

        Args:
            directory: The project's directory.
            entrypoint: The flow; one unknown until now is imported by the child, and preloaded for the next.
            request: What `deployments.warm.child` needs.

        Raises:
            ForkserverLostError: Even a new forkserver ended.
            ForkRefusedError: The operating system gave no process.
        """
        server = await self.ready(directory)
        try:
            child = await server.fork(request)
        except ForkserverLostError:
            server = await self.ready(directory)
            child = await server.fork(request)
        if entrypoint is not None:
            self.want(directory, entrypoint)
        return child

    def want(self, directory: str | None, entrypoint: str) -> None:
        """Note a flow to preload; `ready` does it."""
        self._wanted.setdefault(directory, set()).add(entrypoint)

    def directories(self) -> list[str | None]:
        """List the directories that something is known of."""
        return list(self._wanted)

    async def ready(self, directory: str | None) -> Forkserver:
        """Return a forkserver with today's code, starting one where needed (2-3 s)."""
        async with self._locks.setdefault(directory, asyncio.Lock()):
            server = self._servers.get(directory)
            if server is not None and not server.is_stale():
                return server
            return await self._replace(directory)

    async def refresh(self) -> None:
        """Replace what is stale or lacks a wanted flow, before a run needs it."""
        for directory in self.directories():
            async with self._locks.setdefault(directory, asyncio.Lock()):
                server = self._servers.get(directory)
                if (
                    server is None
                    or server.is_stale()
                    or not self._entrypoints(directory) <= server.entrypoints
                ):
                    await self._replace(directory)

    def _entrypoints(self, directory: str | None) -> frozenset[str]:
        if directory is None or directory in self._unclean:
            return frozenset()
        return frozenset(self._wanted.get(directory, ()))

    async def _replace(self, directory: str | None) -> Forkserver:
        server = await self._start(directory)
        if server.threads > 1:
            self._logger.warning(
                "The flows of %s start threads when imported, so they are not preloaded: "
                "each run imports them itself.",
                directory,
            )
            self._unclean.add(directory)
            await server.close()
            server = await self._start(directory)
        former = self._servers.get(directory)
        self._servers[directory] = server
        if former is not None:
            self._retire(former)
        return server

    async def _start(self, directory: str | None) -> Forkserver:
        server = Forkserver(directory, self._entrypoints(directory), self._logger)
        await server.start(self._environment)
        self._logger.info(
            "Forkserver %s for %s is ready: %d flow(s) preloaded",
            server.pid,
            directory,
            len(server.entrypoints),
        )
        return server

    def _retire(self, server: Forkserver) -> None:
        server.retire()
        self._retired = [former for former in self._retired if not former.lost]
        self._retired.append(server)

    async def close(self) -> None:
        """End all forkservers and their children."""
        for server in [*self._servers.values(), *self._retired]:
            await server.close()
        self._servers.clear()
        self._retired.clear()
