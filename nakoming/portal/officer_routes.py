"""The routes beside a question: all that is open for an officer, a lost link, the portal's own health."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nakoming.portal import decision, pages, sight
from nakoming.portal.forms import read_form
from nakoming.portal.limits import bucket_key
from nakoming.portal.views import open_questions
from nakoming.records import links
from nakoming.records.errors import RecordsError
from nakoming.records.links import address_index

if TYPE_CHECKING:
    from starlette.requests import Request

    from nakoming.portal.portal import Portal
    from nakoming.portal.sight import Sight
    from nakoming.records.links import Link

_log = logging.getLogger("nakoming.portal")
_ADDRESS: Final = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}\.[^@\s<>\".]{2,63}")
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal


async def officer(request: Request) -> Response:
    """All open questions of the person of a link, at that customer; changes nothing."""
    portal = _portal(request)
    portal.admit(request)
    seen = await portal.look(request)
    return await run_in_threadpool(_officer, portal, request, seen)


def _officer(portal: Portal, request: Request, seen: Sight) -> Response:
    words = portal.pages.words(request, seen.link.contact.language)
    with portal.records.read() as tx:
        questions = open_questions(tx, seen, words)
    return portal.pages.page(request, words, "officer.html", questions=questions, sight=seen)


async def hop(request: Request) -> Response:
    """From the list to another question of the same person and customer; changes nothing in the records."""
    portal = _portal(request)
    portal.admit(request)
    seen = await portal.look(request)
    to = request.path_params["other_id"]
    held = await run_in_threadpool(sight.hop, portal.records, portal.passes, seen, to)
    seconds = int((held.ends_at - seen.now).total_seconds())
    return portal.hand_over(RedirectResponse(f"/question/{to}", status_code=303), held, seconds)


async def lost(request: Request) -> Response:
    """The form that asks for new links."""
    portal = _portal(request)
    portal.admit(request)
    words = portal.pages.words(request)
    return portal.pages.page(request, words, "lost.html", typed="", problem=None)


async def send_again(request: Request) -> Response:
    """Say the same to everyone, at once; whether the address is known is found out afterwards."""
    portal = _portal(request)
    portal.admit(request)
    portal.lost_by_address.take(bucket_key(portal.visitor(request)))
    with await read_form(request, file_limit=0, most_files=0) as form:
        typed = form.text("email").strip()
    words = portal.pages.words(request)
    if not _ADDRESS.fullmatch(typed):
        problem = words("lost.bad")
        return portal.pages.page(request, words, "lost.html", status=422, typed=typed[:254], problem=problem)
    response = portal.pages.page(request, words, "lost_sent.html")
    response.background = BackgroundTask(_reissue, portal, typed)
    return response


def _reissue(portal: Portal, address: str) -> None:
    """Every open question of an address gets a new link, not more often than a mailbox bears."""
    if portal.lost_by_mailbox.wait(address_index(portal.records.keys, address)):
        return
    try:
        with portal.records.read() as tx:
            found = links.by_address(tx, address)
        for link in found:
            _reissue_one(portal, link)
    except Exception as raised:  # noqa: BLE001 - the visitor has the answer; an address is not for the log
        _log.error("Reissuing links failed: %s", type(raised).__name__)


def _reissue_one(portal: Portal, link: Link) -> None:
    decision.writing(portal.records, lambda tx: links.reissue(tx, link))


async def health(request: Request) -> Response:
    """Whether the portal can reach the records."""
    try:
        await run_in_threadpool(_touch, _portal(request))
    except (SQLAlchemyError, RecordsError):
        return JSONResponse({"status": "down", "records": "unreachable"}, status_code=503)
    return JSONResponse({"status": "ok", "records": "reachable"})


def _touch(portal: Portal) -> None:
    with portal.records.read() as tx:
        tx.connection.execute(text("SELECT count(*) FROM chains"))


async def style(_: Request) -> Response:
    """The style sheet; its name changes with its content."""
    return Response(pages.STYLE, media_type="text/css", headers=_FOR_EVER)


async def icon(_: Request) -> Response:
    """The icon."""
    return Response(pages.ICON, media_type="image/svg+xml", headers=_FOR_EVER)


ROUTES: Final = (
    Route("/officer/{link_id}", officer, methods=["GET"]),
    Route("/officer/{link_id}/{other_id}", hop, methods=["GET"]),
    Route("/lost", lost, methods=["GET"]),
    Route("/lost", send_again, methods=["POST"]),
    Route("/health", health, methods=["GET"]),
    Route(pages.STYLE_PATH, style, methods=["GET"]),
    Route(pages.ICON_PATH, icon, methods=["GET"]),
)
