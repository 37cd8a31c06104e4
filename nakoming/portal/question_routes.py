"""The routes of a question: entering by a link, looking, answering, taking back, downloading."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from nakoming.portal import decision, filling, sight
from nakoming.portal.decision import Refused
from nakoming.portal.errors import LinkUnknown
from nakoming.portal.filling import Problem
from nakoming.portal.forms import read_form
from nakoming.portal.passes import LIFETIME, Typed
from nakoming.records import answers, documents
from nakoming.records.errors import AlreadyAnswered, GateClosed, NotAsked, ShownChanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from nakoming.portal.forms import Form
    from nakoming.portal.portal import Portal
    from nakoming.portal.sight import Sight
    from nakoming.records.documents import Document

_BROWSER_LENGTH: Final = 200


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal


async def enter(request: Request) -> Response:
    """Swap the token of a link for a pass, so that it leaves the address bar; changes nothing."""
    portal = _portal(request)
    portal.admit(request)
    held = await run_in_threadpool(sight.enter, portal.records, portal.passes, request.path_params["token"])
    response = RedirectResponse(f"/question/{held.link_id}", status_code=303)
    return portal.hand_over(response, held, int(LIFETIME.total_seconds()))


async def show(request: Request) -> Response:
    """The question, or the receipt of who answered, or what was decided; changes nothing."""
    portal = _portal(request)
    portal.admit(request)
    seen = await portal.look(request)
    notice = request.query_params.get("notice")
    known = notice if notice in {"retracted", "not_retracted"} else None
    return await run_in_threadpool(portal.question_page, request, seen, notice=known)


async def answer(request: Request) -> Response:
    """Take an answer, and tell the flows the moment it is committed."""
    portal = _portal(request)
    portal.admit(request)
    seen = await portal.look(request)
    portal.by_customer.take(seen.link.customer)
    most = seen.gate.question.documents[1]
    with await read_form(request, file_limit=portal.records.document_limit, most_files=most) as form:
        return await run_in_threadpool(_decide, portal, request, seen, form)


def _decide(portal: Portal, request: Request, seen: Sight, form: Form) -> Response:
    try:
        taken = decision.decide(portal.records, portal.passes, seen, form, origin(portal, request))
    except ShownChanged:
        words = portal.pages.words(request, seen.link.contact.language)
        return portal.pages.page(request, words, "changed.html", status=409)
    except AlreadyAnswered:
        return portal.question_page(request, seen, status=409, notice="already")
    except GateClosed:
        return portal.question_page(request, seen, status=410, notice="closed")
    if isinstance(taken, Refused):
        return portal.question_page(
            request, seen, status=taken.status, filled=taken.filled, problems=taken.problems
        )
    if not taken.repeated:
        portal.waker(seen.gate.case_id)
    return portal.question_page(request, seen, notice="repeated" if taken.repeated else None)


async def retract(request: Request) -> Response:
    """Take a misclick back, as long as nothing was done with it."""
    portal = _portal(request)
    portal.admit(request)
    seen = await portal.look(request)
    portal.by_customer.take(seen.link.customer)
    with await read_form(request, file_limit=0, most_files=0) as form:
        filled = filling.read(form, seen.gate)
    if not portal.passes.fits(seen.held, filled.form_token):
        return await run_in_threadpool(portal.question_page, request, seen, status=403, notice="forged")
    typed = portal.passes.check(seen.held, filled.sealed, filled.word, seen.now)
    if typed is not Typed.RIGHT:
        wrong = (Problem("word", f"word_{typed}"),)
        return await run_in_threadpool(
            portal.question_page, request, seen, status=400, filled=filled, problems=wrong
        )
    notice = await run_in_threadpool(_retract, portal, seen)
    return RedirectResponse(f"/question/{seen.link.id}?notice={notice}", status_code=303)


def _retract(portal: Portal, seen: Sight) -> str:
    try:
        decision.retract(portal.records, seen)
    except (GateClosed, NotAsked):
        return "not_retracted"
    portal.waker(seen.gate.case_id)
    return "retracted"


async def download(request: Request) -> Response:
    """A document of the question, or one that the visitor sent along with the answer."""
    portal = _portal(request)
    portal.admit(request)
    seen = await portal.look(request)
    return await run_in_threadpool(_download, portal, seen, request.path_params["document_id"])


def _download(portal: Portal, seen: Sight, document_id: str) -> Response:
    with portal.records.read() as tx:
        if document_id not in seen.gate.documents and document_id not in _own(portal, seen):
            raise LinkUnknown
        document = documents.get(tx, seen.gate.customer, document_id)
    digest = base64.b64encode(bytes.fromhex(document.sha256)).decode("ascii")
    headers = {
        "Content-Disposition": _attachment(document),
        "Content-Length": str(document.size),
        "Repr-Digest": f"sha-256=:{digest}:",
    }
    # The first piece is read before the answer begins: a document that is gone is still a page that says so.
    pieces = _one_behind(documents.pieces(portal.records, document))
    begun = itertools.chain([next(pieces, b"")], pieces)
    return StreamingResponse(begun, media_type=document.media_type, headers=headers)


def _one_behind(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece when the next one is there: the last one leaves only after the whole was found undamaged.

    What was changed is so never complete at the visitor's: the connection ends before its announced length.
    """
    held = next(pieces, None)
    for piece in pieces:
        if held is not None:
            yield held
        held = piece
    if held is not None:
        yield held


def _own(portal: Portal, seen: Sight) -> set[str]:
    with portal.records.read() as tx:
        given = answers.of_gate(tx, seen.gate.id)
    own = [answer for answer in given if answer.person == seen.link.contact.person]
    return {document for answer in own for document in answer.documents}


def _attachment(document: Document) -> str:
    plain = document.name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(document.name, safe='')}"


def origin(portal: Portal, request: Request) -> dict[str, str]:
    """From where an answer came, as it is recorded."""
    browser = request.headers.get("user-agent", "")[:_BROWSER_LENGTH]
    return {"address": portal.visitor(request), "browser": browser}


ROUTES: Final = (
    Route("/q/{token}", enter, methods=["GET"]),
    Route("/question/{link_id}", show, methods=["GET"]),
    Route("/question/{link_id}", answer, methods=["POST"]),
    Route("/question/{link_id}/retract", retract, methods=["POST"]),
    Route("/question/{link_id}/documents/{document_id}", download, methods=["GET"]),
)
