"""The demo's customers: prepared once, gone on with afterwards, stopped whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.environment_folder import EnvironmentFolder
from demo.environments import CUSTOMERS, main, prepare, start_all, status_all, stop_all
from demo.install_log import read_log
from demo.orders import orders_for
from tests.demo.conftest import Place, end_services, services_under

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_services(tmp_path)


def test_a_customer_has_two_filled_environments_that_go_on_after_a_stop(root: Path) -> None:
    (brouwer,) = [customer for customer in CUSTOMERS if customer.key == "brouwer"]
    made = prepare(root, [brouwer])
    assert [(facts["environment"], facts["revision"], facts["healthy"]) for facts in made] == [
        ("acceptance", "1.0", True),
        ("production", "1.0", True),
    ]
    place = Place(EnvironmentFolder(root, "brouwer", "production"), {})
    page = place.ask("GET", "/")[1]
    assert page.count('<a href="/orders/BR-2026-') == 36
    assert "株式会社みどり機械" in page
    assert "Brouwer Plaatwerk" in page
    assert "Leverdatum" in page

    psutil.Process(made[1]["pids"][0]).kill()
    again = prepare(root, [brouwer])
    assert again[0]["pids"] == made[0]["pids"]
    assert [facts["healthy"] for facts in again] == [True, True]
    assert [line["sequence"] for line in read_log(root)] == [1, 2]

    stop_all(root)
    assert services_under(root) == []
    assert [facts["healthy"] for facts in status_all(root)] == [False, False]
    assert [facts["url"] for facts in start_all(root)] == [facts["url"] for facts in made]


def test_an_environment_that_was_installed_and_not_filled_is_filled(root: Path) -> None:
    kestrel = [customer for customer in CUSTOMERS if customer.key == "kestrel"]
    for customer in kestrel:
        EnvironmentFolder(root, customer.key, "acceptance").write_json("settings.json", {"title": "Kept"})
    prepare(root, kestrel)
    place = Place(EnvironmentFolder(root, "kestrel", "acceptance"), {})
    assert "Kept" in place.ask("GET", "/")[1]
    assert "Due date" in place.ask("GET", "/")[1]
    assert len(json.loads(place.ask("GET", "/api/orders")[1])["orders"]) == 36


def test_an_environment_with_damaged_settings_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "environments" / "fenwick" / "production"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{", encoding="utf-8")
    (folder / "current").symlink_to("releases/gone")
    assert main(["start", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("NK6020: fenwick production could not be prepared: ")
    assert f"{folder / 'settings.json'} cannot be used: it is not JSON" in said


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.key)
def test_every_customers_orders_are_distinct_and_the_same_each_time(customer: object) -> None:
    key, language = vars(customer)["key"], vars(customer)["language"]
    orders = orders_for(key, language)
    assert orders == orders_for(key, language)
    assert len({order["number"] for order in orders}) == 36
    assert {order["status"] for order in orders} == {"finished", "released", "planned"}
