from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import SCREW_PRESS
from sqlalchemy import text

from suite.database import for_writing
from suite.migrations import migrate

if TYPE_CHECKING:
    from conftest import Visitor
    from sqlalchemy import Engine

BEFORE_THE_CHANGE = 1


@pytest.fixture
def old_order(bare: Visitor, engine: Engine) -> Visitor:
    """A Suite whose database held an order before the urgency code came."""
    with for_writing(engine).begin() as connection:
        migrate(connection, BEFORE_THE_CHANGE)
        connection.execute(
            text(
                "INSERT INTO production_orders"
                " (number, customer, article, description, quantity, due_on, status)"
                " VALUES ('PO-OLD', 'Van Dijk', 'A1', 'Kast', 1, '2026-12-01', 'planned')"
            )
        )
        migrate(connection, BEFORE_THE_CHANGE + 1)
    return bare


def test_an_order_from_before_is_normal_in_the_api(old_order: Visitor) -> None:
    assert old_order.get("/api/orders/PO-OLD").json()["urgency"] == "normal"


def test_an_order_from_before_is_normal_on_the_pages(old_order: Visitor) -> None:
    assert "<td>normaal</td>" in old_order.get("/").text
    assert "<dd>normaal</dd>" in old_order.get("/orders/PO-OLD").text


def test_a_new_order_is_normal_unless_the_erp_says_otherwise(visitor: Visitor, order: str) -> None:
    assert visitor.get(f"/api/orders/{order}").json()["urgency"] == "normal"
    visitor.post("/api/orders", json={"orders": [SCREW_PRESS | {"urgency": "urgent"}]})
    assert visitor.get(f"/api/orders/{order}").json()["urgency"] == "urgent"


def test_the_code_is_changed_on_the_page(visitor: Visitor, order: str) -> None:
    page = visitor.post(f"/orders/{order}/urgency", data={"urgency": "critical"})
    assert "<dd>kritiek</dd>" in page.text
    assert visitor.post(f"/orders/{order}/urgency", data={"urgency": "asap"}).status_code == 400
