"""What the play does at the ERP, and the command that makes one."""

# ruff: noqa: S608 - the tables and conditions that are put together stand in this file

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from demo.erp import schema
from demo.erp.__main__ import main
from demo.erp.address import open_erp
from demo.erp.making import make, sown
from demo.erp.play import Hours, change, counts, hours, remove, repair
from demo.errors import ErpAddressUnusable, ErpOrdersTooFew, ErpOrderUnknown, ErpStandsThere, ErpUnusable
from tests.demo.erp.conftest import SMALL, Erp

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = "SELECT order_no, qty, description, row_version FROM erp_orders"


def test_so_many_orders_change_and_no_others(erp: Erp) -> None:
    before = {row[0]: row for row in erp.rows(ORDERS)}
    version = max(row[3] for row in before.values())
    changed = change(erp.url, 25, seed=1)
    assert len(set(changed)) == 25
    newer = erp.rows(f"{ORDERS} WHERE row_version > {version}")
    assert {row[0] for row in newer} == set(changed)
    assert len(newer) == 25
    for number, quantity, description, _ in newer:
        assert quantity != before[number][1]
        assert 1 <= int(quantity) <= 97
        assert description.startswith(f"{before[number][2]}, rev. ")


def test_the_same_seed_changes_the_same_orders_in_the_same_way(tmp_path: Path, postgres_url: str) -> None:
    urls = [f"sqlite:///{tmp_path / 'erp.sqlite'}", postgres_url]
    for url in urls:
        make(url, orders=SMALL)
    assert len({change(url, 40, seed=5) for url in urls}) == 1
    assert len({change(url, 40, seed=6) for url in urls}) == 1
    first, second = (Erp(url, sown(orders=SMALL)) for url in urls)
    assert first.rows(f"{ORDERS} ORDER BY row_version") == second.rows(f"{ORDERS} ORDER BY row_version")


def test_no_more_orders_change_than_are_fit_for_it(erp: Erp) -> None:
    assert change(erp.url, 0, seed=1) == ()
    with pytest.raises(ErpOrdersTooFew, match=r"400 orders cannot be changed: 3[0-9]{2} are fit for it"):
        change(erp.url, SMALL, seed=1)


@pytest.mark.parametrize("wrong", ["qty LIKE '-%'", "due_date = '01-01-0001'", "trim(item_no) = ''"])
def test_what_was_wrong_with_an_order_is_repaired(erp: Erp, wrong: str) -> None:
    number = erp.one(f"SELECT min(order_no) FROM erp_orders WHERE {wrong}")
    repair(erp.url, number)
    query = "SELECT qty, item_no, due_date FROM erp_orders WHERE order_no = :number"
    assert erp.rows(query, number=number) == [("12", "HEB-200", "2026-12-18")]


def test_a_removed_order_is_marked_and_its_lines_are_gone(erp: Erp) -> None:
    number = erp.order("order_no IN (SELECT order_no FROM erp_operations)")
    before = counts(erp.url)
    remove(erp.url, number)
    assert erp.one("SELECT deleted FROM erp_orders WHERE order_no = :number", number=number) == 1
    after = counts(erp.url)
    assert after["erp_orders"] == before["erp_orders"]
    for table in ("erp_operations", "erp_materials"):
        assert after[table] < before[table]
        left = f"SELECT count(*) FROM {table} WHERE order_no = :number"
        assert erp.one(left, number=number) == 0


@pytest.mark.parametrize("act", [repair, remove])
def test_an_order_that_is_not_there_is_named(erp: Erp, act: object) -> None:
    assert callable(act)
    with pytest.raises(ErpOrderUnknown, match="has no order 31"):
        act(erp.url, "31")


def test_hours_are_read_back_as_they_came(erp: Erp) -> None:
    number = erp.order()
    insert = (
        "INSERT INTO erp_hours_in (external_key, order_no, op_no, employee, worked_on, minutes)"
        " VALUES (:key, :number, 10, 'Zoë 🔩', '2026-11-23', 75)"
    )
    for key in ("K-2", "K-1"):
        erp.do(insert, key=key, number=number)
    assert hours(erp.url) == tuple(
        Hours(number, 10, "Zoë 🔩", "2026-11-23", 75, key) for key in ("K-1", "K-2")
    )
    assert counts(erp.url)["erp_hours_in"] == 2


def test_an_erp_is_not_made_over_another_one_unasked(erp: Erp) -> None:
    changed = change(erp.url, 1, seed=1)
    with pytest.raises(ErpStandsThere, match=r"stands at .* already"):
        make(erp.url, orders=SMALL)
    revised = "SELECT count(*) FROM erp_orders WHERE description LIKE '%, rev. _'"
    assert (len(changed), erp.one(revised)) == (1, 1)
    erp.do("CREATE TABLE something_else (id integer)")
    make(erp.url, orders=SMALL, replace=True)
    assert erp.one(revised) == 0
    assert erp.one("SELECT count(*) FROM something_else") == 0


def test_an_erp_stands_there_whole_or_not_at_all(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class CutError(Exception):
        pass

    def cut(*_: object) -> None:
        raise CutError

    with monkeypatch.context() as patch:
        patch.setattr(schema, "bring_to_life", cut)
        with pytest.raises(CutError):
            make(database_url, orders=SMALL)
    with open_erp(database_url).begin() as connection:
        assert not schema.stands(connection)
    make(database_url, orders=SMALL)


def test_the_newest_row_changed_when_it_is_asked_to(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'erp.sqlite'}"
    make(url, orders=SMALL, as_of=datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    with open_erp(url).begin() as connection:
        ends = "SELECT min(changed_at), max(changed_at) FROM (SELECT changed_at FROM erp_orders UNION ALL"
        ends += " SELECT changed_at FROM erp_materials)"
        oldest, newest = connection.exec_driver_sql(ends).one()
    assert "2026-10-24 09:30" <= oldest < "2026-10-24 20"
    assert "2026-11-23 09:2" <= newest < "2026-11-23 09:30"


def test_the_command_makes_an_erp_and_says_what_was_sown(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--url", database_url, "--orders", str(SMALL), "--seed", "9"]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(asdict(sown(orders=SMALL, seed=9))))
    assert counts(database_url)["erp_orders"] == said["order_rows"]
    assert main(command) == 1
    assert capsys.readouterr().err.startswith("NK6022: An ERP stands at ")
    assert main([*command, "--replace"]) == 0


@pytest.mark.parametrize("url", ["mysql://somebody@db.example/erp", "erp.db", "sqlite://"])
def test_an_address_of_another_kind_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", url]) == 2
    assert "is no address of an ERP; sqlite:///FILE" in capsys.readouterr().err
    with pytest.raises(ErpAddressUnusable):
        counts(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ErpUnusable) as refused:
        counts("postgresql://somebody:s3cret@127.0.0.1:1/erp")
    assert "s3cret" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_a_database_that_holds_no_erp_is_named(database_url: str) -> None:
    with pytest.raises(ErpUnusable, match="erp_orders"):
        counts(database_url)


def test_a_folder_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", f"sqlite:///{tmp_path / 'none' / 'erp.sqlite'}"]) == 1
    assert capsys.readouterr().err.endswith("cannot be used: unable to open database file.\n")
