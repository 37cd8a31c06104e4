from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from conftest import SCREW_PRESS
from sqlalchemy import insert, text

from suite.database import for_writing
from suite.tables import planned_materials

if TYPE_CHECKING:
    from conftest import Visitor
    from sqlalchemy import Engine


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
        ({"status": "lost"}, "status: one of planned, released, started, finished, cancelled is needed"),
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


def test_many_orders_are_shown_a_page_at_a_time(visitor: Visitor) -> None:
    many = [SCREW_PRESS | {"number": f"PO-{place:04d}", "operations": []} for place in range(401)]
    visitor.post("/api/orders", json={"orders": many})
    pages = [visitor.get(address).text for address in ("/", "/?page=2", "/?page=3")]
    assert [page.count('<a href="/orders/PO-') for page in pages] == [200, 200, 1]
    assert ['rel="prev"' in page for page in pages] == [False, True, True]
    assert ['rel="next"' in page for page in pages] == [True, True, False]
    assert visitor.get("/?page=0").status_code == 400


def test_an_order_is_found_by_how_its_number_begins(visitor: Visitor) -> None:
    numbers = ("PO-2026-0001", "PO-2026-00%", "XPO-2026", "PO-2027-1")
    visitor.post("/api/orders", json={"orders": [SCREW_PRESS | {"number": number} for number in numbers]})
    for begins, found in (("PO-2026", 2), ("PO-2026-00%25", 1), ("_O", 0), ("", 4)):
        assert visitor.get(f"/?number={begins}").text.count('<td><a href="/orders/') == found


def test_planned_materials_stand_on_the_page_of_their_order(
    visitor: Visitor, order: str, engine: Engine
) -> None:
    row = {"order_number": order, "line": 10, "article": "S355 <10>", "quantity": "2.125", "unit": "kg"}
    with for_writing(engine).begin() as connection:
        connection.execute(insert(planned_materials).values(row | {"quantity": Decimal("2.125")}))
    page = visitor.get(f"/orders/{order}").text
    assert '<td>10</td><td>S355 &lt;10&gt;</td><td class="number">2.125</td><td>kg</td>' in page
    (planned,) = visitor.get(f"/api/orders/{order}").json()["planned_materials"]
    assert planned == {name: value for name, value in row.items() if name != "order_number"}


def test_an_operation_is_known_by_its_order_and_sequence_and_numbers_itself(
    visitor: Visitor, order: str, engine: Engine
) -> None:
    upsert = text(
        "INSERT INTO operations (order_number, sequence, name, planned_minutes)"
        " VALUES (:number, :sequence, :name, 60) ON CONFLICT (order_number, sequence)"
        " DO UPDATE SET name = excluded.name, planned_minutes = excluded.planned_minutes"
    )
    before = {step["sequence"]: step for step in visitor.get(f"/api/orders/{order}").json()["operations"]}
    with for_writing(engine).begin() as connection:
        for sequence, name in ((20, "Lassen TIG"), (30, "Keuren")):
            connection.execute(upsert, {"number": order, "sequence": sequence, "name": name})
    after = {step["sequence"]: step for step in visitor.get(f"/api/orders/{order}").json()["operations"]}
    assert [step["name"] for step in after.values()] == ["Zagen", "Lassen TIG", "Keuren"]
    assert after[20]["id"] == before[20]["id"]
    assert after[30]["id"] not in {step["id"] for step in before.values()}


def test_an_unknown_order_is_not_found(visitor: Visitor) -> None:
    assert visitor.get("/orders/PO-0").status_code == 404
    assert visitor.get("/api/orders/PO-0").status_code == 404
    assert visitor.post("/orders/PO-0/hours", data={}).status_code == 404
