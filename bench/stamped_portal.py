"""The portal's process, which notes when a POST arrives, its answer is committed, and Prefect is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bench.stamps import mark
from deployments import portal
from nakoming.portal.app import create_app
from nakoming.portal.limits import Limits, Rate
from nakoming.portal.waking import Waker
from tasks.waking.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI

_MANY = Rate(100_000, 1000.0)  # one officer of the benchmark answers more than a person does


class NotesArrival:
    """ASGI middleware around all others: the first thing that happens to a request."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Note, and pass on."""
        if scope["type"] == "http" and scope["method"] == "POST":
            mark("POST")
        await self._app(scope, receive, send)


def _stamped_app(*arguments: Any, **options: Any) -> FastAPI:
    limits = Limits(address=_MANY, customer=_MANY)
    app = create_app(*arguments, **options, limits=limits)
    app.add_middleware(NotesArrival)
    return app


def _stamp() -> None:
    portal.create_app = _stamped_app
    told, resume = Waker.__call__, Runs.resume

    def stamped_tell(self: Waker, case_id: str) -> None:
        mark("committed")
        told(self, case_id)

    async def stamped_resume(self: Runs, run_id: str) -> str:
        mark("resume asked")
        answer = await resume(self, run_id)
        mark("resume answered")
        return answer

    Waker.__call__ = stamped_tell  # type: ignore[method-assign]
    Runs.resume = stamped_resume  # type: ignore[method-assign]


if __name__ == "__main__":
    _stamp()
    sys.exit(portal.main())
