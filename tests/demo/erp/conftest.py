"""ERPs on both databases: a large one that is only read, and small ones to play with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from demo.erp.address import open_erp
from demo.erp.making import make

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.erp.mess import Mess

SMALL = 400


@dataclass(frozen=True)
class Erp:
    """An ERP of the tests: where it stands, what was sown, how long it took to make."""

    url: str
    mess: Mess
    seconds: float = 0.0

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with open_erp(self.url).begin() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def one(self, query: str, **values: Any) -> Any:
        """The only value a query finds."""
        ((value,),) = self.rows(query, **values)
        return value

    def do(self, statement: str, **values: Any) -> int:
        """Change something; returns how many rows it met."""
        with open_erp(self.url).begin() as connection:
            return connection.execute(text(statement), values).rowcount

    def order(self, condition: str = "1 = 1") -> str:
        """The number of an order with which nothing is the matter, the first that fulfils a condition."""
        query = (
            "SELECT min(order_no) FROM erp_orders o WHERE order_no NOT LIKE '% ' AND deleted = 0"
            " AND (SELECT count(*) FROM erp_orders WHERE order_no = o.order_no) = 1"
            " AND order_no NOT IN (SELECT order_no FROM erp_closed_orders)"
            " AND qty > '0' AND qty < 'A' AND "
        )
        return str(self.one(query + condition))


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """An ERP of the demo's own size, on each of the two databases; nobody changes it."""
    if request.param == "sqlite":
        yield _made(f"sqlite:///{tmp_path_factory.mktemp('erp') / 'erp.sqlite'}")
        return
    server = request.getfixturevalue("postgres_server")
    with server.database() as name:
        yield _made(server.url(name))


@pytest.fixture
def erp(database_url: str) -> Erp:
    """A small ERP of this test's own, on each of the two databases."""
    return Erp(database_url, make(database_url, orders=SMALL, seed=3))


def _made(url: str) -> Erp:
    began = time.monotonic()
    mess = make(url)
    return Erp(url, mess, time.monotonic() - began)
