from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from conftest import SCREW_PRESS
from sqlalchemy import select, update

from suite import outbox
from suite.database import for_writing
from suite.instants import now
from suite.tables import erp_outbox, production_orders

if TYPE_CHECKING:
    from conftest import Visitor
    from sqlalchemy import Engine


def told(engine: Engine) -> list[tuple[str, str, dict[str, Any]]]:
    query = select(erp_outbox).order_by(erp_outbox.c.id)
    with engine.begin() as connection:
        rows = connection.execute(query).mappings().all()
    return [(row["interface"], row["order_number"], json.loads(row["payload"])) for row in rows]


def hours(visitor: Visitor, order: str, place: int = 0) -> dict[str, Any]:
    operation = visitor.get(f"/api/orders/{order}").json()["operations"][place]["id"]
    return {"operation": operation, "employee": "Zoë", "worked_on": "2026-11-23", "minutes": 75}


def test_each_registration_is_told_in_the_names_of_the_erp(
    visitor: Visitor, order: str, engine: Engine
) -> None:
    visitor.post(f"/orders/{order}/hours", data=hours(visitor, order, 1))
    for quantity in ("2,125", "0.1"):
        form = {"article": "S235", "quantity": quantity, "unit": "kg"}
        visitor.post(f"/orders/{order}/materials", data=form)
    assert told(engine) == [
        (
            "hours_out",
            order,
            {"order_no": order, "op_no": 20, "employee": "Zoë", "worked_on": "2026-11-23", "minutes": 75},
        ),
        *(
            (
                "materials_out",
                order,
                {"order_no": order, "line_no": line, "item_no": "S235", "qty": quantity, "unit": "kg"},
            )
            for line, quantity in ((1, "2.125"), (2, "0.1"))
        ),
    ]


def test_what_happens_to_an_order_at_once_is_told_in_its_order(
    visitor: Visitor, order: str, engine: Engine
) -> None:
    def use(place: int) -> int:
        form = {"article": f"S{place}", "quantity": "1", "unit": "kg"}
        return visitor.post(f"/api/orders/{order}/materials", json=form).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(16))) == [200] * 16
    assert [said["line_no"] for _, _, said in told(engine)] == list(range(1, 17))
    stored = visitor.get(f"/api/orders/{order}").json()["materials"]
    assert [used["article"] for used in stored] == [said["item_no"] for _, _, said in told(engine)]


def test_what_is_refused_is_not_told(visitor: Visitor, order: str, engine: Engine) -> None:
    visitor.post(f"/orders/{order}/hours", data=hours(visitor, order) | {"minutes": 0})
    visitor.post(f"/orders/{order}/materials", data={"article": "S235", "quantity": "0", "unit": "kg"})
    visitor.post(f"/orders/{order}/status", data={"status": "planned"})
    assert told(engine) == []


def test_without_its_row_in_the_outbox_nothing_is_registered(
    visitor: Visitor, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_connection: object) -> None:
        msg = "database or disk is full"
        raise OSError(msg)

    form = hours(visitor, order)
    monkeypatch.setattr(outbox, "now", full)
    with pytest.raises(OSError, match="disk is full"):
        visitor.post(f"/orders/{order}/hours", data=form)
    assert visitor.get(f"/api/orders/{order}").json()["hours"] == []


def test_the_outbox_holds_when_it_happened(visitor: Visitor, order: str, engine: Engine) -> None:
    visitor.post(f"/orders/{order}/status", data={"status": "started"})
    with engine.begin() as connection:
        created = connection.execute(select(erp_outbox.c.created_at)).scalar_one()
        passed = now(connection) - created
    assert created.utcoffset() == timedelta(0)
    assert timedelta(0) <= passed < timedelta(minutes=1)


def test_an_order_is_started_and_finished_on_its_page(visitor: Visitor, order: str, engine: Engine) -> None:
    page = visitor.get(f"/orders/{order}").text
    assert 'value="started">Starten</button>' in page
    assert "Gereedmelden" not in page
    page = visitor.post(f"/orders/{order}/status", data={"status": "started"}).text
    assert "<dd>gestart</dd>" in page
    page = visitor.post(f"/orders/{order}/status", data={"status": "finished"}).text
    assert "<dd>gereed</dd>" in page
    assert 'name="status"' not in page
    assert [(name, said["status"]) for name, _, said in told(engine)] == [
        ("status_out", "started"),
        ("status_out", "finished"),
    ]
    assert all(set(said) == {"order_no", "status", "at"} for _, _, said in told(engine))


@pytest.mark.parametrize(
    ("there", "wanted", "may"),
    [
        ("planned", "finished", "started"),
        ("started", "released", "finished"),
        ("started", "started", "finished"),
        ("finished", "started", "no other status"),
    ],
)
def test_a_status_is_not_skipped_and_not_taken_back(
    visitor: Visitor, there: str, wanted: str, may: str
) -> None:
    number = SCREW_PRESS["number"]
    visitor.post("/api/orders", json={"orders": [SCREW_PRESS | {"status": there}]})
    refused = visitor.post(f"/api/orders/{number}/status", json={"status": wanted})
    assert refused.status_code == 400
    said = f"status: order {number} is {there}; from there it goes to {may}"
    assert refused.json() == {"error": said}
    assert visitor.get(f"/api/orders/{number}").json()["status"] == there


def test_the_api_registers_as_the_pages_do(visitor: Visitor, order: str, engine: Engine) -> None:
    answer = visitor.post(f"/api/orders/{order}/hours", json=hours(visitor, order))
    assert answer.json()["operations"][0]["spent_minutes"] == 75
    material = {"article": "S355", "quantity": "3.5", "unit": "m"}
    answer = visitor.post(f"/api/orders/{order}/materials", json=material)
    assert [(used["line"], used["article"]) for used in answer.json()["materials"]] == [(1, "S355")]
    answer = visitor.post(f"/api/orders/{order}/status", json={"status": "started"})
    assert (answer.status_code, answer.json()["status"]) == (200, "started")
    assert [name for name, _, _ in told(engine)] == ["hours_out", "materials_out", "status_out"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"status": 3}'])
def test_the_api_refuses_what_it_cannot_read(visitor: Visitor, order: str, body: bytes) -> None:
    assert visitor.post(f"/api/orders/{order}/status", content=body).status_code == 400
    assert visitor.post("/api/orders/PO-0/status", json={"status": "started"}).status_code == 404


def test_master_data_changed_here_are_marked_until_the_exchange_resets_it(
    visitor: Visitor, order: str, engine: Engine
) -> None:
    same = {"description": SCREW_PRESS["description"], "quantity": "12", "due_on": "2026-12-18"}
    visitor.post(f"/orders/{order}/master-data", data=same)
    assert visitor.get(f"/api/orders/{order}").json()["changed_in_suite_at"] is None
    page = visitor.post(f"/orders/{order}/master-data", data=same | {"quantity": "13"}).text
    assert "<dd>13</dd>" in page
    assert "de gegevens van het ERP gaan voor" in page
    assert visitor.get(f"/api/orders/{order}").json()["changed_in_suite_at"].endswith("+00:00")
    assert told(engine) == []
    with for_writing(engine).begin() as connection:
        connection.execute(update(production_orders).values(changed_in_suite_at=None))
    assert "gaan voor" not in visitor.get(f"/orders/{order}").text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"quantity": "0"}, "quantity: a whole number"),
        ({"due_on": "18-12-2026"}, "due_on: a date as YYYY-MM-DD is needed"),
        ({"description": " "}, "description: one line"),
        ({"number": "X"}, "number: unknown field"),
        ({}, "description: one line"),
    ],
)
def test_wrong_master_data_are_refused(
    visitor: Visitor, order: str, wrong: dict[str, str], said: str
) -> None:
    answer = visitor.post(f"/api/orders/{order}/master-data", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)
    assert visitor.get(f"/api/orders/{order}").json()["changed_in_suite_at"] is None
