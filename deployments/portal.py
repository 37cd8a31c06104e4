"""The portal's process: `python -m deployments.portal`, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import uvicorn

from deployments.embedded.options import HOST, Options
from nakoming.errors import NakomingError
from nakoming.portal.app import create_app
from nakoming.records import migrate
from nakoming.records.keys_check import require_keys
from nakoming.records.store import Records
from tasks.installation import settings as found
from tasks.waking.runs import Runs
from tasks.waking.waker import Waker

if TYPE_CHECKING:
    from nakoming.settings import Settings

GRACE_SECONDS = 5


class Waking:
    """Wakes cases over one connection to Prefect, opened at first need: visitors need no Prefect."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waker: Waker | None = None
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

    async def wake(self, case_id: str) -> None:
        """See to it that a run takes the case up; what fails is found by the reconciler."""
        await (await self._ready()).wake(case_id)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._open.aclose()

    async def _ready(self) -> Waker:
        async with self._opening:
            if self._waker is None:
                runs = await self._open.enter_async_context(Runs())
                self._waker = Waker(self._records, runs)
            return self._waker


async def serve(settings: Settings, host: str, port: int) -> None:
    """Answer visitors until a signal says to stop.

    Raises:
        PublicAddressRefused: the portal's address is plain http on a real network.
        RecordsTooNew: the records have another schema than this program knows.
    """
    records = Records.from_settings(settings, pooled=True)
    migrate.require_current(records)
    require_keys(records)
    waking = Waking(records)
    config = uvicorn.Config(
        create_app(records, wake=waking.wake, public_url=settings.portal_url),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # the paths of links hold tokens
        server_header=False,
        proxy_headers=False,  # the portal itself judges who may speak for a visitor
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        await waking.close()


def main(host: str = HOST, port: int | None = None) -> int:
    """Serve; one sentence on standard error when that cannot be."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(found(), host, port or Options.of().portal_port))
    except NakomingError as problem:
        sys.stderr.write(f"{problem} [{problem.code}]\n")
        return problem.exit_status
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
