"""What a visitor reads when something is not there, too often, out of reach, or broken."""

from __future__ import annotations

import logging
import math
import re
import secrets
import traceback
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from nakoming.portal.errors import FormForged, FormTooLarge, FormUnreadable, LinkUnknown, TooManyRequests
from nakoming.records.errors import DatabaseLocked, DocumentDamaged, StorageFull

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from nakoming.portal.pages import Pages

_log = logging.getLogger("nakoming.portal")
_RETRY_SECONDS = 30
_IN_SECONDS = 90  # what is longer is said in minutes
_QUESTION = re.compile(r"/question/[^/]+")


def add_to(app: FastAPI, pages: Pages) -> None:
    """Let the pages speak for every error."""
    troubles = Troubles(pages)
    handlers: dict[type[Exception], Any] = {
        LinkUnknown: troubles.missing,
        HTTPException: troubles.http,
        TooManyRequests: troubles.busy,
        FormUnreadable: troubles.unreadable,
        FormForged: troubles.forged,
        DocumentDamaged: troubles.damaged,
        DatabaseLocked: troubles.down,
        StorageFull: troubles.full,
        OperationalError: troubles.down,
        PoolTimeout: troubles.down,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(FaultPage, troubles=troubles)


class FaultPage:
    """Answers a fault of ours within the headers' reach: the framework's own handler stands outside it."""

    def __init__(self, app: ASGIApp, *, troubles: Troubles) -> None:
        self._app = app
        self._troubles = troubles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; when it fails before it is answered, answer with a page."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            return  # nobody is left to read an answer
        except Exception as raised:  # noqa: BLE001 - logged with its number; the visitor reads that number
            response = await self._troubles.failed(Request(scope), raised)
            if not begun:
                await response(scope, receive, send)


class Troubles:
    """The pages of what went wrong."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def missing(self, request: Request, _: Exception) -> Response:
        """One page for whatever is not there: nobody learns why."""
        return self._pages.page(request, self._pages.words(request), "missing.html", status=404)

    async def http(self, request: Request, raised: HTTPException) -> Response:
        """A path or method that does not exist."""
        response = await self.missing(request, raised)
        response.status_code = raised.status_code
        response.headers.update(raised.headers or {})
        return response

    async def busy(self, request: Request, raised: TooManyRequests) -> Response:
        """Too many requests."""
        seconds = raised.data["seconds"]
        minutes = math.ceil(seconds / 60)
        key = "busy" if seconds <= _IN_SECONDS else "busy_long"
        response = self._said(request, 429, key, seconds=seconds, minutes=minutes)
        response.headers["Retry-After"] = str(seconds)
        return response

    async def unreadable(self, request: Request, raised: FormUnreadable) -> Response:
        """A body that is no form, or too large; the rest of it is not waited for."""
        too_large = isinstance(raised, FormTooLarge)
        response = self._said(request, 413 if too_large else 400, "large" if too_large else "form")
        response.headers["Connection"] = "close"
        return response

    async def forged(self, request: Request, _: FormForged) -> Response:
        """Another site made the browser send it."""
        return self._said(request, 403, "form")

    async def down(self, request: Request, raised: Exception) -> Response:
        """The records cannot be reached; nothing was recorded."""
        _log.error("The records cannot be reached: %s", type(raised).__name__)
        return self._later(request, "down")

    async def full(self, request: Request, raised: StorageFull) -> Response:
        """There is no room to record anything; nothing was recorded."""
        _log.error("The records cannot be written: %s", raised)
        return self._later(request, "full")

    async def damaged(self, request: Request, raised: DocumentDamaged) -> Response:
        """A document that is not what it was."""
        return self._numbered(request, raised, "document")

    async def failed(self, request: Request, raised: Exception) -> Response:
        """A fault of ours; the number joins the visitor's words to the log."""
        return self._numbered(request, raised, "failed")

    def _later(self, request: Request, key: str) -> Response:
        response = self._said(request, 503, key)
        response.headers["Retry-After"] = str(_RETRY_SECONDS)
        return response

    def _numbered(self, request: Request, raised: Exception, key: str) -> Response:
        number = secrets.token_hex(4)
        # Neither address nor message: they may hold what is not for a log (parameters of a statement).
        place, frames = request.url.path.split("/")[1], "".join(traceback.format_tb(raised.__traceback__))
        _log.error("Fault %s at %s: %s\n%s", number, place, type(raised).__name__, frames)
        return self._said(request, 500, key, number=number)

    def _said(self, request: Request, status: int, key: str, **values: object) -> Response:
        words = self._pages.words(request)
        title = next(name for name in _titles(key) if words.has(name))
        text = words(f"trouble.{key}", **values)
        # What was sent cannot be sent again by a link: the other language and the way back show the question.
        question = _QUESTION.match(request.url.path)
        back = question[0] if question else ""
        return self._pages.page(
            request,
            words,
            "trouble.html",
            status=status,
            title=words(title),
            text=text,
            back=back,
            here=back if request.method == "POST" else "",
        )


def _titles(key: str) -> tuple[str, ...]:
    """The names of its title, the nearest first."""
    return f"trouble.{key}_title", f"trouble.{key.partition('_')[0]}_title", "trouble.failed_title"
