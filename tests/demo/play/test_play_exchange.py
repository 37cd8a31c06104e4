"""The demo's exchange: people act once, what is counted is what was sown, and the words are the flow's."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from demo.erp import play as erp
from demo.erp.making import sown
from demo.play import exchange, exchange_summary, proving
from demo.play.errors import HeldBackError, SuiteRefusedError
from demo.play.exchange_summary import Summed
from demo.play.shop_floor import WISH, ShopFloor
from demo.play.web import Browser
from flows.erp import both_ways
from tests.harness.erp_pair import sqlite_pair
from tests.harness.vendor import running_environments

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = exchange.WORKED_ON[0]


def test_people_do_each_thing_once_however_often_the_demo_starts(tmp_path: Path) -> None:
    with running_environments(tmp_path / "demo", "brouwer") as root, Browser() as browser:
        address = proving.suite_address(root, "brouwer", "production")
        floor = ShopFloor(address, date(2026, 11, 23))
        for _ in range(2):
            floor.register_hours(NUMBER, "Żaneta Wójcik")
            floor.register_material(NUMBER)
            floor.begin(exchange.BEGUN)
            floor.rename(NUMBER)
        order = browser.get(f"{address}/api/orders/{NUMBER}").json()
        begun = browser.get(f"{address}/api/orders/{exchange.BEGUN}").json()
        with pytest.raises(SuiteRefusedError, match="did not take hours of order 999: status 404"):
            floor.register_hours("999", "Żaneta Wójcik")
    assert [hours["employee"] for hours in order["hours"]] == ["Żaneta Wójcik"]
    assert [material["quantity"] for material in order["materials"]] == ["12.5"]
    assert (order["description"], begun["status"]) == (WISH, "started")


def test_what_is_held_back_must_be_what_was_sown(tmp_path: Path) -> None:
    pair = sqlite_pair(tmp_path / "pair", orders=300)
    pair.load("demo")
    with pair.engine.connect() as connection:
        held = exchange_summary._held_back(connection, sown(orders=300))
        assert held["orders"] == sown(orders=300).bad_orders > 0
        with pytest.raises(HeldBackError) as other:
            exchange_summary._held_back(connection, sown(orders=50_000))
    assert str(other.value).startswith(f"Of orders {held['orders']} rows are held back, and 170 bad ones ")


def test_the_orders_that_will_change_are_known_and_are_not_those_on_the_shop_floor(tmp_path: Path) -> None:
    pair = sqlite_pair(tmp_path / "pair", orders=50_000)
    drawn = erp.drawn(pair.erp_url, exchange.CHANGED_ORDERS, exchange.SEED)
    assert not {*drawn} & {*exchange.WORKED_ON, exchange.BEGUN, *sown().closed}
    assert erp.change(pair.erp_url, exchange.CHANGED_ORDERS, exchange.SEED) == drawn
    assert erp.drawn(pair.erp_url, exchange.CHANGED_ORDERS, exchange.SEED) == drawn


def test_the_words_for_a_good_end_are_those_of_the_flow() -> None:
    assert exchange.GOOD == {
        "full": both_ways.EXCHANGED,
        "incremental": both_ways.EXCHANGED,
        "compare": both_ways.COMPARED,
    }


def test_figures_are_shown_again_as_long_as_the_workbook_is_what_it_was(tmp_path: Path) -> None:
    workbook = tmp_path / "overview.xlsx"
    workbook.write_bytes(b"workbook")
    found = Summed(
        seconds=12.5,
        fetched={"orders": 50_100},
        loaded={"orders": 49_580},
        held_back={"orders": 170},
        changed=40,
        overruled=1,
        written_back={"hours_out": 2},
        dead_letters=["hours_out of order 102622: Order 102622 is closed for registrations"],
        workbook=str(workbook),
        workbook_rows=297_889,
        workbook_sha256="c4a1c9fd5b3a6ce6e19ef3b3b0ae4e4b1f58a0f0ac2b5e0b1b5f3d5a5a0c0d3e",
        evidence={"full": "brouwer:41", "incremental": "brouwer:50", "compare": "brouwer:58"},
    )
    note = tmp_path / "demo-exchange.json"
    assert exchange_summary.noted(note) is None
    found.keep(note)
    assert exchange_summary.noted(note) is None
    digest = exchange_summary.digest_of(workbook)
    whole = Summed(**{**vars(found), "workbook_sha256": digest})
    whole.keep(note)
    assert exchange_summary.noted(note) == whole
    shown = io.StringIO()
    Console(file=shown, width=200).print(exchange_summary.as_table(whole))
    for told in ("orders 50,100", "Order 102622 is closed for registrations", "brouwer:58", digest):
        assert told in shown.getvalue()
