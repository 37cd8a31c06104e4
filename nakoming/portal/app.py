"""The portal as an ASGI application."""

from __future__ import annotations

import ipaddress
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI

from nakoming.portal import officer_routes, question_routes, texts, troubles
from nakoming.portal.errors import PublicAddressRefused
from nakoming.portal.headers import StrictHeaders
from nakoming.portal.limits import Limits, networks
from nakoming.portal.pages import Pages
from nakoming.portal.passes import Passes
from nakoming.portal.portal import Portal
from nakoming.portal.waking import Waker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from nakoming.portal.waking import Wake
    from nakoming.records.store import Records


def create_app(
    records: Records,
    *,
    wake: Wake,
    public_url: str,
    trusted_proxies: Sequence[str] = (),
    limits: Limits | None = None,
    vendor: str = "Smart Production Solutions",
) -> FastAPI:
    """The portal over these records.

    Args:
        records: opened with `pooled=True`, as the portal lives long.
        wake: told the case's id the moment a decision is committed; its failure changes no answer.
        public_url: the address in the mails; https, or http on loopback.
        trusted_proxies: addresses or networks whose X-Forwarded-For is believed.
        limits: how often visitors may ask.
        vendor: the name at the head of each page.

    Raises:
        PublicAddressRefused: a public address over plain http.
        ProxyRefused: a trusted proxy is no address or network.
        TextsDiffer: a language lacks a text.
    """
    texts.check()
    secure = is_secure(public_url)
    pages = Pages(vendor, secure=secure)
    portal = Portal(
        records=records,
        passes=Passes(records.keys),
        pages=pages,
        waker=Waker(wake),
        secure=secure,
        proxies=networks(trusted_proxies),
        limits=limits or Limits(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        portal.waker.start()
        yield
        portal.waker.stop()

    app = FastAPI(
        title="Nakoming portal",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        routes=[*question_routes.ROUTES, *officer_routes.ROUTES],
        redirect_slashes=False,
    )
    app.state.portal = portal
    troubles.add_to(app, pages)
    app.add_middleware(StrictHeaders, secure=secure)
    return app


def is_secure(public_url: str) -> bool:
    """Whether visitors come over https; `PublicAddressRefused` when they would come unprotected."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return True
    if parts.scheme == "http" and _is_loopback(host):
        return False
    raise PublicAddressRefused(url=public_url)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
