"""The application: settings, database and routes put together."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from suite.database import open_engine
from suite.release import Release, read_release
from suite.routes import ROUTES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from suite.settings import Settings


class SameOrigin:
    """Refuses a POST that a browser sends from another site's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to a foreign form, pass everything else on."""
        headers = dict(scope.get("headers", []))
        origin = headers.get(b"origin")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get(b"host")
        if scope["type"] == "http" and scope["method"] == "POST" and foreign:
            await PlainTextResponse("This form came from another site.", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def create_app(settings: Settings, release: Release | None = None) -> Starlette:
    """The Suite for one environment; `release` is read from the folder of the code when not given."""
    app = Starlette(routes=ROUTES, middleware=[Middleware(SameOrigin)])
    app.state.settings = settings
    app.state.engine = open_engine(settings.database_url)
    app.state.release = release or read_release()
    return app
