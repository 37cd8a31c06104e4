"""`nakoming contract`: files, connections and versions, as a person or a program asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from data_contracts.loading import FOLDER, contract_for
from tests.harness.erp_pair import agree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

ORDERS = FOLDER / "orders.yaml"
TABLES = ("orders", "operations", "materials", "status_out", "hours_out", "materials_out")


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "orders.yaml"
    text = ORDERS.read_text(encoding="utf-8").replace("value: newest", "value: oldest")
    path.write_text(text.replace("badShareLimit, value: 0.05", "badShareLimit, value: 5"), encoding="utf-8")
    return path


def test_a_right_file(nakoming: Callable[..., Any]) -> None:
    ended = nakoming("contract", "check", ORDERS)
    assert (ended.status, ended.out) == (0, f"{ORDERS}: no problems.\n")


def test_a_damaged_file_shows_all_that_is_wrong(nakoming: Callable[..., Any], damaged: Path) -> None:
    ended = nakoming("contract", "check", damaged)
    assert ended.status == 1
    lines = [line.partition(", ")[2].partition(",")[0] for line in ended.out.splitlines()]
    assert lines == ["line 29", "line 30"]
    found = nakoming("contract", "check", damaged, "--json")
    assert found.status == 1
    keys = [problem["key"] for problem in found.data["problems"]]
    assert keys == ["schema.0.customProperties.4.value", "schema.0.customProperties.5.value"]
    assert {problem["code"] for problem in found.data["problems"]} == {"NK7401"}


def test_a_file_that_is_not_there(nakoming: Callable[..., Any], tmp_path: Path) -> None:
    ended = nakoming("contract", "check", tmp_path / "nothing.yaml")
    assert ended.status == 1
    assert ended.out == "nothing.yaml cannot be read as a data contract: no such file or directory.\n"


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    path = tmp_path / "newer.yaml"
    text = ORDERS.read_text(encoding="utf-8").replace("maxLength: 120", "maxLength: 100")
    path.write_text(text.replace("exchange@sps.example", "erp@sps.example"), encoding="utf-8")
    return path


def test_two_versions_are_compared(nakoming: Callable[..., Any], newer: Path) -> None:
    ended = nakoming("contract", "diff", ORDERS, newer)
    assert ended.status == 1
    assert [line.split() for line in ended.out.splitlines()[1:3]] == [
        ["contract", "owner", "exchange@sps.example", "erp@sps.example", "nobody"],
        ["customer_name", "max", "length", "120", "100", "writer"],
    ]
    assert "The version goes from 1.0.0 to 1.0.0; these changes ask for 2.0.0 at least." in ended.out


def test_two_versions_as_data(nakoming: Callable[..., Any], newer: Path) -> None:
    found = nakoming("contract", "diff", ORDERS, newer, "--json").data
    assert (found["breaking"], found["least_version"], found["version_fits"]) == (True, "2.0.0", False)
    assert found["changes"][1] == {
        "where": "customer_name",
        "what": "max length",
        "old": "120",
        "new": "100",
        "breaking": True,
        "breaks": ["writer"],
    }


def test_whom_a_change_breaks_is_named(
    nakoming: Callable[..., Any], records: Records, tmp_path: Path
) -> None:
    for customer, minutes in (("brouwer", 5), ("fenwick", None), ("kestrel", 15)):
        agree(records, customer, minutes)
    stricter = tmp_path / "stricter.yaml"
    text = ORDERS.read_text(encoding="utf-8")
    stricter.write_text(text.replace("{1,20}", "{1,10}"), encoding="utf-8")
    ended = nakoming("contract", "diff", ORDERS, stricter)
    assert ended.out.splitlines()[-2:] == [
        "Breaks the writer: the ERP of brouwer, kestrel.",
        (
            "Breaks the reader: the Suite of brouwer, kestrel; "
            "hours_out, materials, materials_out, operations, status_out refer to it."
        ),
    ]
    narrower = tmp_path / "narrower.yaml"
    narrower.write_text(text.replace("maxLength: 120", "maxLength: 100"), encoding="utf-8")
    (whom,) = nakoming("contract", "diff", ORDERS, narrower, "--json").data["for_whom"]
    assert whom == {"side": "writer", "program": "ERP", "customers": ["brouwer", "kestrel"], "interfaces": []}
    hours = FOLDER / "hours_out.yaml"
    longer = tmp_path / "longer.yaml"
    longer.write_text(hours.read_text(encoding="utf-8").replace("maximum: 1440", "maximum: 2880"), "utf-8")
    (reader,) = nakoming("contract", "diff", hours, longer, "--json").data["for_whom"]
    assert (reader["side"], reader["program"]) == ("reader", "ERP")


def test_the_same_version_twice(nakoming: Callable[..., Any]) -> None:
    ended = nakoming("contract", "diff", ORDERS, ORDERS)
    assert (ended.status, ended.out) == (0, "Nothing changed.\n")


def test_a_version_that_is_no_contract(nakoming: Callable[..., Any], damaged: Path) -> None:
    ended = nakoming("contract", "diff", ORDERS, damaged)
    assert ended.status == 2
    assert ended.err.startswith(
        "orders.yaml, line 29, schema.0.customProperties.4.value: 'oldest' is not one"
    )
    assert ended.err.rstrip().endswith("[NK7401]")


@pytest.fixture
def erp(tmp_path: Path, prefect_api: PrefectServer) -> sa.Engine:
    """An ERP as agreed, in a SQLite file, with its block in Prefect."""
    from blocks.erp.database import ErpDatabase

    del prefect_api
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'erp.sqlite'}")
    with engine.begin() as connection:
        for interface in TABLES:
            contract = contract_for(interface)
            columns = [
                f"{each.name} {each.physical_type}{' NOT NULL' if each.required else ''}"
                for each in contract.table.columns
            ]
            key = ", ".join(contract.key)
            table = contract.table.source_name
            declared = ", ".join([*columns, f"PRIMARY KEY ({key})"])
            connection.exec_driver_sql(f"CREATE TABLE {table} ({declared})")
    ErpDatabase(dialect="sqlite", path=tmp_path / "erp.sqlite").save("acme", overwrite=True)
    return engine


def test_an_erp_is_held_against_the_contracts(nakoming: Callable[..., Any], erp: sa.Engine) -> None:
    ended = nakoming("contract", "check", "acme")
    assert ended.status == 0, ended.err
    assert ended.out.count("As agreed.") == len(TABLES)
    with erp.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE erp_orders RENAME COLUMN qty TO quantity")
        connection.exec_driver_sql("DROP TABLE erp_hours_in")
        connection.exec_driver_sql("ALTER TABLE erp_materials ADD COLUMN colour text")
    erp.dispose()
    found = nakoming("contract", "check", "erp-database/acme", "--json")
    assert found.status == 1
    by_name = {each["interface"]: each for each in found.data["contracts"]}
    assert [each["kind"] for each in by_name["orders"]["drift"]] == ["vanished", "new"]
    assert by_name["orders"]["stops"]
    assert "erp_hours_in" in by_name["hours_out"]["missing"]
    assert by_name["materials"]["drift"][0]["words"].startswith("erp_materials has a new column colour")
    assert not by_name["materials"]["stops"]


def test_the_rows_of_an_erp_are_held_against_the_contracts_too(
    nakoming: Callable[..., Any], erp: sa.Engine, records: Records, tmp_path: Path
) -> None:
    del records  # the page shows their clock
    good = (
        "INSERT INTO erp_orders VALUES (:n, 'Brouwer', 'A-1', '', '5', '2026-12-01', 'planned', 1, NULL, 0)"
    )
    with erp.begin() as connection:
        for number in range(30):
            connection.execute(sa.text(good), {"n": f"PO-{number}"})
        connection.exec_driver_sql("UPDATE erp_orders SET qty = '-5' WHERE order_no = 'PO-7'")
    erp.dispose()
    pages = tmp_path / "pages"
    pages.mkdir()
    ended = nakoming("contract", "check", "acme", "--rows", "--report", pages)
    assert ended.status == 0, ended.err
    assert "Quantity '-5'" in ended.out
    assert sorted(each.name for each in pages.iterdir()) == sorted(f"{name}.html" for name in TABLES)
    assert "1 of 30 rows are bad" in (pages / "orders.html").read_text(encoding="utf-8")
    with erp.begin() as connection:
        connection.exec_driver_sql("UPDATE erp_orders SET qty = 'veel'")
    erp.dispose()
    found = nakoming("contract", "check", "acme", "--contract", ORDERS, "--rows", "--json")
    assert found.status == 1
    (report,) = found.data["rows"]
    assert (report["rows"], report["bad_rows"], report["over_limit"]) == (30, 30, True)
    assert {each["rule"] for each in report["findings"] if each["broken"]} == {"qty.type"}


def test_an_erp_is_held_against_a_contract_of_its_own(nakoming: Callable[..., Any], erp: sa.Engine) -> None:
    del erp
    ended = nakoming("contract", "check", "acme", "--contract", ORDERS)
    assert ended.status == 0
    assert ended.out.count("As agreed.") == 1


def test_a_connection_that_does_not_exist(nakoming: Callable[..., Any], prefect_api: PrefectServer) -> None:
    del prefect_api
    ended = nakoming("contract", "check", "nowhere")
    assert ended.status == 2
    assert ended.err == (
        "'nowhere' is neither a contract's file nor a connection to an ERP's database; "
        "allowed: a .yaml file, or the name of a block of kind erp-database, erp-odbc. [NK7408]\n"
    )
