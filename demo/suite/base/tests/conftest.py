"""A Suite on an empty database, asked without a network.

The database is a SQLite file, or the PostgreSQL database that `SUITE_TEST_DATABASE_URL` names: each test
empties it first.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text

from suite.app import create_app
from suite.database import for_writing, open_engine
from suite.migrations import migrate, newest_revision
from suite.release import Release
from suite.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine
    from starlette.applications import Starlette

SCREW_PRESS = {
    "number": "PO-2026-0001",
    "customer": "Müller & Zoon <Staal> B.V.",
    "article": "SP-400",
    "description": "Schroefpers, Ø 40 mm",
    "quantity": 12,
    "due_on": "2026-12-18",
    "operations": [
        {"sequence": 10, "name": "Zagen", "planned_minutes": 90},
        {"sequence": 20, "name": "Lassen", "planned_minutes": 240},
    ],
}


class Visitor:
    """Asks the application as a browser or the ERP would."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://suite.example") as client:
                return await client.request(method, path, follow_redirects=True, **more)

        return asyncio.run(ask())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    given = os.environ.get("SUITE_TEST_DATABASE_URL")
    if given:
        _empty(given)
    url = given or f"sqlite:///{tmp_path}/suite.db"
    return Settings(database_url=url, language="nl", title="Proeffabriek")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = open_engine(settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def bare(settings: Settings) -> Iterator[Visitor]:
    app = create_app(settings, Release(version="0", revision="test", sha256="ab" * 32))
    yield Visitor(app)
    app.state.engine.dispose()


@pytest.fixture
def visitor(bare: Visitor, engine: Engine) -> Visitor:
    with for_writing(engine).begin() as connection:
        migrate(connection, newest_revision())
    return bare


@pytest.fixture
def order(visitor: Visitor) -> str:
    assert visitor.post("/api/orders", json={"orders": [SCREW_PRESS]}).status_code == 200
    return str(SCREW_PRESS["number"])


def _empty(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
