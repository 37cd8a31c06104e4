"""All forkservers of a worker: one a project directory, kept fresh, asked to fork."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

from deployments.warm.errors import CodePlaceError, ForkserverLostError
from deployments.warm.forked import ForkedProcess, Forkserver
from deployments.warm.job import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import Logger, LoggerAdapter

    from prefect.client.orchestration import PrefectClient

_REFRESH_SECONDS = 2.0


class Stable:
    """All forkservers of a worker, by project directory (None: no project, only Prefect).

    Args:
        logger: The worker's.
        environment: What each forkserver starts with.
    """

    def __init__(self, logger: Logger | LoggerAdapter[Any], environment: Mapping[str, str]) -> None:
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


async def keep_fresh(
    stable: Stable, client: PrefectClient, pool_name: str, logger: Logger | LoggerAdapter[Any]
) -> None:
    """Preload the flows of a pool's deployments, and again whenever their files change; until cancelled."""
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool_name]))
    known = False
    while True:
        try:
            if not known:
                for deployment in await client.read_deployments(work_pool_filter=pool):
                    place = place_of(deployment)
                    if place.directory is not None and place.entrypoint is not None:
                        stable.want(place.directory, place.entrypoint)
                known = True
            await stable.refresh()
        except (CodePlaceError, httpx.HTTPError) as error:
            logger.info("Not all flows of the pool are preloaded: %s", error)
        except Exception:
            logger.exception("The flows could not be preloaded; the next run tries again")
        await asyncio.sleep(_REFRESH_SECONDS)
