from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import SCREW_PRESS

if TYPE_CHECKING:
    from conftest import Visitor


def test_an_order_of_the_erp_stands_in_list_and_api(visitor: Visitor, order: str) -> None:
    listed = visitor.get("/api/orders").json()["orders"]
    assert [entry["number"] for entry in listed] == [order]
    whole = visitor.get(f"/api/orders/{order}").json()
    assert whole["customer"] == SCREW_PRESS["customer"]
    assert whole["due_on"] == "2026-12-18"
    assert [step["name"] for step in whole["operations"]] == ["Zagen", "Lassen"]


def test_pages_show_names_as_text_and_never_as_markup(visitor: Visitor, order: str) -> None:
    for address in ("/", f"/orders/{order}"):
        page = visitor.get(address).text
        assert "Müller &amp; Zoon &lt;Staal&gt; B.V." in page
        assert "<Staal>" not in page
        assert "Productieorders" in page


def test_sending_an_order_again_updates_it_and_keeps_one(visitor: Visitor, order: str) -> None:
    visitor.post("/api/orders", json={"orders": [SCREW_PRESS | {"status": "released", "quantity": 14}]})
    visitor.post("/api/orders", json={"orders": [SCREW_PRESS | {"quantity": 14}]})
    (only,) = visitor.get("/api/orders").json()["orders"]
    assert (only["status"], only["quantity"]) == ("released", 14)
    assert len(visitor.get(f"/api/orders/{order}").json()["operations"]) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"quantity": 0}, "quantity: a whole number from 1 to 1000000 is needed"),
        ({"due_on": "18-12-2026"}, "due_on: a date as YYYY-MM-DD is needed"),
        ({"status": "lost"}, "status: one of planned, released, finished is needed"),
        ({"number": ""}, "number: one line of 1 to 20 characters is needed"),
        ({"number": "A/B"}, "number: no slash may stand in it"),
        ({"colour": "red"}, "colour: unknown field"),
    ],
)
def test_one_wrong_order_stores_none(visitor: Visitor, wrong: dict[str, object], said: str) -> None:
    good = SCREW_PRESS | {"number": "PO-2026-0002"}
    answer = visitor.post("/api/orders", json={"orders": [good, SCREW_PRESS | wrong]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)
    assert visitor.get("/api/orders").json() == {"orders": []}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"orders": 3}', b'{"orders": [3]}'])
def test_what_is_no_list_of_orders_is_refused(visitor: Visitor, body: bytes) -> None:
    assert visitor.post("/api/orders", content=body).status_code == 400


def test_an_unknown_order_is_not_found(visitor: Visitor) -> None:
    assert visitor.get("/orders/PO-0").status_code == 404
    assert visitor.get("/api/orders/PO-0").status_code == 404
    assert visitor.post("/orders/PO-0/hours", data={}).status_code == 404
