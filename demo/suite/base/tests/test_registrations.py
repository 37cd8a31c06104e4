from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Visitor


def hours_on(visitor: Visitor, order: str, **other: str) -> dict[str, str]:
    operation = visitor.get(f"/api/orders/{order}").json()["operations"][0]["id"]
    form = {
        "operation": str(operation),
        "employee": "Sanne de Wît",
        "worked_on": "2026-11-23",
        "minutes": "75",
    }
    return form | other


def test_registered_hours_add_up_on_the_operation(visitor: Visitor, order: str) -> None:
    form = hours_on(visitor, order)
    visitor.post(f"/orders/{order}/hours", data=form)
    page = visitor.post(f"/orders/{order}/hours", data=form | {"minutes": "30"})
    assert "Sanne de Wît" in page.text
    whole = visitor.get(f"/api/orders/{order}").json()
    assert whole["operations"][0]["spent_minutes"] == 105
    assert [hours["minutes"] for hours in whole["hours"]] == [75, 30]


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": "1441"},
        {"minutes": "0"},
        {"employee": " "},
        {"worked_on": "vandaag"},
        {"operation": "999"},
    ],
)
def test_wrong_hours_are_refused_and_not_stored(visitor: Visitor, order: str, wrong: dict[str, str]) -> None:
    answer = visitor.post(f"/orders/{order}/hours", data=hours_on(visitor, order, **wrong))
    assert answer.status_code == 400
    assert f"<p>{next(iter(wrong))}: " in answer.text
    assert visitor.get(f"/api/orders/{order}").json()["hours"] == []


def test_material_keeps_its_decimals(visitor: Visitor, order: str) -> None:
    visitor.post(f"/orders/{order}/materials", data={"article": "S235", "quantity": "2,125", "unit": "kg"})
    (material,) = visitor.get(f"/api/orders/{order}").json()["materials"]
    assert (material["article"], material["quantity"], material["unit"]) == ("S235", "2.125", "kg")


@pytest.mark.parametrize("quantity", ["0", "-1", "1,2345", "veel", "NaN", "Infinity"])
def test_a_wrong_quantity_is_refused(visitor: Visitor, order: str, quantity: str) -> None:
    form = {"article": "S235", "quantity": quantity, "unit": "kg"}
    assert visitor.post(f"/orders/{order}/materials", data=form).status_code == 400


def test_a_document_comes_back_byte_for_byte_as_a_file(visitor: Visitor, order: str) -> None:
    content = bytes(range(256))
    visitor.post(f"/orders/{order}/documents", files={"file": ("tekening é.bin", content, "text/html")})
    (document,) = visitor.get(f"/api/orders/{order}").json()["documents"]
    answer = visitor.get(f"/orders/{order}/documents/{document['id']}")
    assert answer.content == content
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''tekening%20%C3%A9.bin"


def test_an_empty_document_is_refused(visitor: Visitor, order: str) -> None:
    assert visitor.post(f"/orders/{order}/documents", files={"file": ("leeg.txt", b"")}).status_code == 400


def test_a_form_on_another_site_cannot_register(visitor: Visitor, order: str) -> None:
    form, headers = hours_on(visitor, order), {"Origin": "https://elsewhere.example"}
    assert visitor.post(f"/orders/{order}/hours", data=form, headers=headers).status_code == 403
    headers = {"Origin": "http://suite.example"}
    assert visitor.post(f"/orders/{order}/hours", data=form, headers=headers).status_code == 200
