"""The pages: the list of orders, one order with its forms, a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from suite import order_changes
from suite.database import for_writing
from suite.orders import find_order, list_orders
from suite.registrations import add_document, read_document, register_hours, register_material
from suite.texts import texts
from suite.values import RefusedValueError, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection
    from starlette.requests import Request

    Change = Callable[[Connection, str, Mapping[str, Any]], None]

ORDERS_A_PAGE = 200
MOST_PAGES = 100_000

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """Render one template in the language of this environment."""
    state = request.app.state
    html = TEMPLATES.get_template(template).render(
        t=texts(state.settings.language), settings=state.settings, release=state.release, **facts
    )
    return HTMLResponse(html, status_code=status)


def show_orders(request: Request) -> Response:
    """The orders, so many a page, or those whose number begins as asked."""
    begins = request.query_params.get("number", "").strip()
    try:
        place = whole_number("page", request.query_params.get("page", 1), MOST_PAGES)
    except RefusedValueError as refused:
        return page(request, "refused.html", status=400, reason=str(refused))
    skip = (place - 1) * ORDERS_A_PAGE
    with request.app.state.engine.begin() as connection:
        # One more than is shown says whether there is a next page.
        orders = list_orders(connection, begins=begins, skip=skip, most=ORDERS_A_PAGE + 1)
    later = place + 1 if len(orders) > ORDERS_A_PAGE else None
    shown = orders[:ORDERS_A_PAGE]
    return page(request, "orders.html", orders=shown, number=begins, earlier=place - 1, later=later)


def show_order(request: Request) -> Response:
    """One order with its forms."""
    with request.app.state.engine.begin() as connection:
        order = find_order(connection, request.path_params["number"])
    if order is None:
        return page(request, "missing.html", status=404)
    return page(request, "order.html", order=order)


def download(request: Request) -> Response:
    """One document, always as a file to save: what users upload is never shown as a page of ours."""
    number, document = request.path_params["number"], request.path_params["document"]
    with request.app.state.engine.begin() as connection:
        found = read_document(connection, number, document)
    if found is None:
        return page(request, "missing.html", status=404)
    name, content_type, content = found
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=content_type, headers=headers)


def form_of(change: Change) -> Callable[[Request], Any]:
    """An endpoint that applies `change` to the order with the posted form, then shows the order."""

    async def endpoint(request: Request) -> Response:
        async with request.form() as form:
            given = {name: value for name, value in form.items() if isinstance(value, str)}
        return await run_in_threadpool(_apply, request, lambda c, number: change(c, number, given))

    return endpoint


async def upload(request: Request) -> Response:
    """Keep a posted file with the order."""
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            return page(request, "refused.html", status=400, reason="file: a file is needed")
        content, name = await file.read(), file.filename or ""
        kind = file.content_type or "application/octet-stream"
    return await run_in_threadpool(
        _apply, request, lambda c, number: add_document(c, number, name, kind, content)
    )


add_hours = form_of(register_hours)
add_material = form_of(register_material)
change_status = form_of(order_changes.change_status)
change_master_data = form_of(order_changes.change_master_data)


def _apply(request: Request, change: Callable[[Connection, str], None]) -> Response:
    number = request.path_params["number"]
    try:
        with for_writing(request.app.state.engine).begin() as connection:
            if find_order(connection, number) is None:
                return page(request, "missing.html", status=404)
            change(connection, number)
    except RefusedValueError as refused:
        return page(request, "refused.html", status=400, reason=str(refused))
    return RedirectResponse(f"/orders/{quote(number, safe='')}", status_code=303)
