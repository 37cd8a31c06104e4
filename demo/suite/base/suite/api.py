"""The JSON side: orders for the ERP, health and version for whoever operates the Suite."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from suite import order_changes
from suite.database import for_writing
from suite.migrations import current_revision, newest_revision
from suite.orders import find_order, import_orders, list_orders
from suite.registrations import register_hours, register_material
from suite.values import RefusedValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from suite.pages import Change


def answer(content: Any, status: int = 200) -> Response:
    """JSON; dates as YYYY-MM-DD, quantities as text so that no decimal is lost."""
    body = json.dumps(content, default=_plain, ensure_ascii=False)
    return Response(body, status_code=status, media_type="application/json")


def get_orders(request: Request) -> Response:
    """All orders, without what hangs on them."""
    with request.app.state.engine.begin() as connection:
        return answer({"orders": list_orders(connection)})


def get_order(request: Request) -> Response:
    """One order whole."""
    with request.app.state.engine.begin() as connection:
        order = find_order(connection, request.path_params["number"])
    if order is None:
        return answer({"error": "no such order"}, status=404)
    return answer(order)


async def post_orders(request: Request) -> Response:
    """Take in orders from the ERP: all of them or none."""
    try:
        payload = await request.json()
    except ValueError:
        return answer({"error": "the body is not JSON"}, status=400)
    return await run_in_threadpool(_import, request, payload)


def change_of(change: Change) -> Callable[[Request], Any]:
    """An endpoint that applies `change` to the order with the JSON object sent, and answers the order."""

    async def endpoint(request: Request) -> Response:
        try:
            given = await request.json()
        except ValueError:
            return answer({"error": "the body is not JSON"}, status=400)
        return await run_in_threadpool(_change, request, change, given)

    return endpoint


add_hours = change_of(register_hours)
add_material = change_of(register_material)
change_status = change_of(order_changes.change_status)
change_master_data = change_of(order_changes.change_master_data)


def get_health(request: Request) -> Response:
    """200 when the database answers and stands at this code's schema revision; else 503 and why."""
    expected = newest_revision()
    facts: dict[str, Any] = {"status": "failing", "expected_schema_revision": expected}
    try:
        with request.app.state.engine.connect() as connection:
            facts["schema_revision"] = current_revision(connection)
    except SQLAlchemyError as unreachable:
        return answer(facts | {"reason": f"database: {type(unreachable).__name__}"}, status=503)
    if facts["schema_revision"] != expected:
        return answer(facts | {"reason": "the database stands at another schema revision"}, status=503)
    return answer(facts | {"status": "ok"})


def get_version(request: Request) -> Response:
    """Which release answers: version, revision, SHA-256 of the installed artefact."""
    return answer(asdict(request.app.state.release))


def _change(request: Request, change: Change, given: Any) -> Response:
    number = request.path_params["number"]
    try:
        with for_writing(request.app.state.engine).begin() as connection:
            if find_order(connection, number) is None:
                return answer({"error": "no such order"}, status=404)
            change(connection, number, given if isinstance(given, dict) else {})
            return answer(find_order(connection, number))
    except RefusedValueError as refused:
        return answer({"error": str(refused)}, status=400)


def _import(request: Request, payload: Any) -> Response:
    try:
        with for_writing(request.app.state.engine).begin() as connection:
            stored = import_orders(connection, payload)
    except RefusedValueError as refused:
        return answer({"error": str(refused)}, status=400)
    except IntegrityError:
        return answer({"error": "operations: a sequence stands twice in one order"}, status=400)
    return answer({"stored": stored})


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    msg = f"{type(value).__name__} has no JSON form here"
    raise TypeError(msg)
