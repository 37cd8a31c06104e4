"""The mailbox page: every mailbox and mail, for persons to look at and for scripts to read as JSON."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel
from starlette.middleware.trustedhost import TrustedHostMiddleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from demo.mailbox.store import Store, StoredMail

_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A mail may style itself inline and nothing more; links open in a window of their own.
_MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_WEB_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']+")
_NOT_FOUND: Final = "There is no such mailbox or message."


class MailboxSummary(BaseModel):
    """A mailbox and how much lies in it."""

    address: str
    messages: int


class MessageSummary(BaseModel):
    """A message as a script reads it. `date` is its Date header; `links` are those found, each once."""

    id: str
    message_id: str
    subject: str
    sender: str
    date: str
    links: list[str]


@dataclass(frozen=True)
class _Shown:
    summary: MessageSummary
    plain: str
    html: str | None
    attachments: list[str]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def make_page(store: Store) -> FastAPI:
    """The application over one store; it changes nothing."""
    app = FastAPI(title="Mailboxes", docs_url=None, redoc_url=None, openapi_url=None)
    # A foreign page must not reach this one through a name that points at loopback.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.middleware("http")(_guard)
    _add_pages(app, store)
    _add_api(app, store)
    return app


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_pages(app: FastAPI, store: Store) -> None:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )

    @app.get("/", response_class=HTMLResponse)
    def index() -> str:
        return templates.get_template("index.html").render(mailboxes=_mailboxes(store))

    @app.get("/style.css")
    def style() -> PlainTextResponse:
        return PlainTextResponse(templates.get_template("style.css").render(), media_type="text/css")

    @app.get("/mailboxes/{address}", response_class=HTMLResponse)
    def mailbox(address: str) -> str:
        shown = [_read(mail).summary for mail in _existing(store, address)]
        return templates.get_template("mailbox.html").render(address=address, messages=shown[::-1])

    @app.get("/mailboxes/{address}/{name}", response_class=HTMLResponse)
    def message(address: str, name: str) -> str:
        return templates.get_template("message.html").render(
            address=address, mail=_read(_one(store, address, name))
        )

    @app.get("/mailboxes/{address}/{name}/html")
    def as_html(address: str, name: str) -> HTMLResponse:
        html = _read(_one(store, address, name)).html or ""
        opened = re.sub(r"(?i)<head>", '<head><base target="_blank">', html, count=1)
        return HTMLResponse(opened, headers={"Content-Security-Policy": _MAIL_POLICY})

    @app.get("/mailboxes/{address}/{name}/raw", response_class=PlainTextResponse)
    def as_raw(address: str, name: str) -> str:
        return _one(store, address, name).raw.decode("utf-8", "replace")


def _add_api(app: FastAPI, store: Store) -> None:
    @app.get("/api/mailboxes")
    def api_mailboxes() -> list[MailboxSummary]:
        return _mailboxes(store)

    @app.get("/api/mailboxes/{address}/messages")
    def api_messages(address: str) -> list[MessageSummary]:
        # A script may ask before the first mail is there: an empty list, so that it can ask again.
        return [_read(mail).summary for mail in store.messages(address)]


def _mailboxes(store: Store) -> list[MailboxSummary]:
    return [
        MailboxSummary(address=address, messages=sum(1 for _ in store.messages(address)))
        for address in store.addresses()
    ]


def _existing(store: Store, address: str) -> list[StoredMail]:
    if address.lower() not in store.addresses():
        raise HTTPException(404, _NOT_FOUND)
    return list(store.messages(address))


def _one(store: Store, address: str, name: str) -> StoredMail:
    found = store.message(address, name)
    if found is None:
        raise HTTPException(404, _NOT_FOUND)
    return found


def _read(mail: StoredMail) -> _Shown:
    message = email.message_from_bytes(mail.raw, _class=EmailMessage, policy=email.policy.default)
    plain, html = _part(message, "plain"), _part(message, "html")
    links = _Links()
    links.feed(html or "")
    return _Shown(
        MessageSummary(
            id=mail.id,
            message_id=str(message["Message-ID"] or ""),
            subject=str(message["Subject"] or ""),
            sender=str(message["From"] or ""),
            date=str(message["Date"] or ""),
            links=list(dict.fromkeys([*links.found, *_WEB_ADDRESS.findall(plain or "")])),
        ),
        plain or "",
        html,
        [f"{part.get_filename()} ({part.get_content_type()})" for part in message.iter_attachments()],
    )


def _part(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body((subtype,))
    return None if part is None else str(part.get_content())
