"""Whether a server answers: asked over loopback with the standard library, for it is asked often."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable
from typing import Any

from deployments.embedded.options import HOST

Probe = Callable[[], Awaitable[bool]]

ANSWER_SECONDS = 5.0
_SERVER_ERROR = 500


def answers(port: int, path: str, *, only_ok: bool = False) -> Probe:
    """Whether something speaks HTTP there, without an error of its own; `only_ok`: with status 200."""

    async def probe() -> bool:
        status, _ = await _asked(port, "GET", path)
        return status == http.HTTPStatus.OK if only_ok else 0 < status < _SERVER_ERROR

    return probe


def listens(port: int) -> Probe:
    """Whether something takes connections there."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    return probe


def new_heartbeat(prefect_port: int, pool: str, worker: str) -> Probe:
    """Whether the worker has reported to the server since it was first asked here."""
    before: list[str | None] = []

    async def probe() -> bool:
        status, found = await _asked(prefect_port, "POST", f"/api/work_pools/{pool}/workers/filter", {})
        if status != http.HTTPStatus.OK:
            return False
        beats = {each["name"]: each["last_heartbeat_time"] for each in json.loads(found)}
        beat = beats.get(worker)
        if not before:
            before.append(beat)
        return beat is not None and beat != before[0]

    return probe


async def _asked(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """Status and content; status 0 when there is no answer."""
    return await asyncio.to_thread(_ask, port, method, path, body)


def _ask(port: int, method: str, path: str, body: Any) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
