"""A person's browser: keeps cookies, follows redirects, and tries again while a server is being restarted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import httpx

from demo.play.errors import SilentError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 20.0
AGAIN_SECONDS = 0.25


class Browser:
    """One person's browser. What it sends may be sent twice: every server here takes a repetition as one."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        # The machine's proxies are for the outside; everything here is on loopback.
        self._client = httpx.Client(follow_redirects=True, trust_env=False, timeout=ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, address: str) -> httpx.Response:
        """Look at a page; statuses below 500 are answers.

        Raises:
            SilentError: nothing answered within the patience.
        """
        return self._ask("GET", address)

    def post(self, address: str, **content: Any) -> httpx.Response:
        """Send a form or JSON, and again when the connection broke before the answer.

        Raises:
            SilentError: nothing answered within the patience.
        """
        return self._ask("POST", address, **content)

    def _ask(self, method: str, address: str, **content: Any) -> httpx.Response:
        give_up = time.monotonic() + self._patience_seconds
        while True:
            pause, reason = AGAIN_SECONDS, ""
            try:
                answer = self._client.request(method, address, **content)
            except httpx.TransportError as away:
                reason = str(away) or type(away).__name__
            else:
                if not _is_passing(answer.status_code):
                    return answer
                reason = f"status {answer.status_code}"
                pause = _pause(answer.headers)
                if answer.history:  # what was asked is done: only the page it led to is to be loaded again
                    method, address, content = "GET", str(answer.url), {}
            if time.monotonic() + pause > give_up:
                raise SilentError(
                    address=_without_token(address), seconds=self._patience_seconds, reason=reason
                )
            time.sleep(pause)  # until it answers, or the patience ends


def _is_passing(status: int) -> bool:
    """Too many requests, or a server in trouble: the same later may go well."""
    return status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR


def _pause(headers: Mapping[str, str]) -> float:
    asked = headers.get("retry-after", "")
    return float(asked) if asked.isdigit() else AGAIN_SECONDS


def _without_token(address: str) -> str:
    """The address without what opens a question: it may end in a log."""
    head, mark, _ = address.partition("/q/")
    return f"{head}{mark}…" if mark else address
