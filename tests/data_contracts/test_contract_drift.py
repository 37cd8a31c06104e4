"""How a table may differ from its contract, and what of that stops the exchange."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blocks.erp.protocol import ColumnSeen
from blocks.erp.reflection import columns_of
from data_contracts.drift import drift
from data_contracts.errors import LanguageUnknown
from data_contracts.loading import contract_for, parse_contract
from data_contracts.physical import physical_type

if TYPE_CHECKING:
    import sqlalchemy as sa

AGREED = parse_contract(Path(__file__).with_name("agreed.yaml").read_text(encoding="utf-8"), "agreed.yaml")
OUT = contract_for("materials_out")
QUANTITY = "text / numeric(12,3) / numeric / integer / bigint"


def seen(contract: Any = AGREED, **changed: Any) -> list[ColumnSeen]:
    """The columns as agreed, but for some."""
    columns = {}
    for column in contract.table.columns:
        agreed = physical_type(column.physical_type)
        number = agreed.kind == "number"
        columns[column.name] = ColumnSeen(
            column.name,
            column.physical_type,
            agreed.kind,  # type: ignore[arg-type]  # one of them
            nullable=not column.required,
            precision=12 if number else None,
            scale=3 if number else None,
            key_position=column.primary_key_position,
        )
    for name, change in changed.items():
        if change is None:
            del columns[name]
        else:
            columns[name] = replace(columns[name], **change)
    return list(columns.values())


@pytest.mark.parametrize("contract", [AGREED, OUT, contract_for("operations"), contract_for("overview")])
def test_a_table_as_agreed_has_no_drift(contract: Any) -> None:
    assert drift(contract, seen(contract)) == ()
    assert drift(contract, list(reversed(seen(contract)))) == ()


@pytest.mark.parametrize(
    ("changed", "kind", "stops", "nl", "en"),
    [
        (
            {"qty": None},
            "vanished",
            True,
            "De kolom qty van erp_orders is er niet meer.",
            "The column qty of erp_orders is gone.",
        ),
        (
            {"qty": {"name": "QTY"}},
            "vanished",
            True,
            "De kolom qty van erp_orders is er niet meer; misschien heet hij nu QTY.",
            "The column qty of erp_orders is gone; perhaps it is now called QTY.",
        ),
        (
            {"row_version": {"physical_type": "text", "logical_type": "string"}},
            "retyped",
            True,
            "De kolom row_version van erp_orders is nu text; afgesproken is bigint.",
            "The column row_version of erp_orders is now text; agreed is bigint.",
        ),
        (
            {"qty": {"physical_type": "xml", "logical_type": "other"}},
            "retyped",
            True,
            f"De kolom qty van erp_orders is nu xml; afgesproken is {QUANTITY}.",
            f"The column qty of erp_orders is now xml; agreed is {QUANTITY}.",
        ),
        (
            {"row_version": {"physical_type": "integer"}},
            "narrowed",
            False,
            "In de kolom row_version van erp_orders past nu minder (integer); afgesproken is bigint.",
            "The column row_version of erp_orders now holds less (integer); agreed is bigint.",
        ),
        (
            {"order_no": {"physical_type": "varchar(8)", "length": 8}},
            "narrowed",
            False,
            "In de kolom order_no van erp_orders past nu minder (varchar(8)); afgesproken is text.",
            "The column order_no of erp_orders now holds less (varchar(8)); agreed is text.",
        ),
        (
            {"deleted": {"physical_type": "bigint", "logical_type": "integer"}},
            "widened",
            False,
            "In de kolom deleted van erp_orders past nu meer (bigint); afgesproken is smallint.",
            "The column deleted of erp_orders now holds more (bigint); agreed is smallint.",
        ),
        (
            {"status": {"nullable": True}},
            "nullable now",
            False,
            "De kolom status van erp_orders mag nu leeg zijn; afgesproken is dat hij gevuld is.",
            "The column status of erp_orders may now be empty; agreed is that it is filled.",
        ),
        (
            {"order_no": {"key_position": None}, "item_no": {"key_position": 1}},
            "key changed",
            True,
            "De sleutel van erp_orders is nu item_no; afgesproken is order_no.",
            "The key of erp_orders is now item_no; agreed is order_no.",
        ),
    ],
)
def test_every_kind_of_drift(changed: dict[str, Any], kind: str, stops: bool, nl: str, en: str) -> None:  # noqa: FBT001 - a table of cases
    found = [each for each in drift(AGREED, seen(**changed)) if each.kind != "new"]
    assert [(each.kind, each.stops) for each in found] == [(kind, stops)]
    assert found[0].words("nl") == nl
    assert found[0].words("en") == en


def test_a_new_column_is_not_read() -> None:
    column = ColumnSeen("colour", "text", "string", nullable=False)
    (found,) = drift(AGREED, [*seen(), column])
    assert (found.kind, found.column, found.stops) == ("new", "colour", False)
    assert found.words("nl") == "erp_orders heeft een nieuwe kolom colour (text); die wordt niet gelezen."


def test_a_new_column_that_must_be_filled_stops_writing() -> None:
    column = ColumnSeen("plant", "text", "string", nullable=False)
    (found,) = drift(OUT, [*seen(OUT), column])
    assert found.stops
    assert found.words("en") == "erp_materials_in has a new column plant (text) that may not stay empty."


def test_where_we_write_less_room_stops() -> None:
    less = {"physical_type": "numeric(9,2)", "precision": 9, "scale": 2}
    (found,) = drift(OUT, seen(OUT, qty=less))
    assert (found.kind, found.stops) == ("narrowed", True)


def test_types_that_will_do_as_well_are_no_drift() -> None:
    number = {"physical_type": "numeric(12,3)", "logical_type": "number", "precision": 12, "scale": 3}
    assert drift(AGREED, seen(qty=number, due_date={"physical_type": "date", "logical_type": "date"})) == ()


def test_a_table_without_a_declared_key_says_nothing_of_it() -> None:
    assert drift(AGREED, seen(order_no={"key_position": None})) == ()


def test_drift_in_another_language_is_refused() -> None:
    (found,) = drift(AGREED, seen(qty=None))
    with pytest.raises(LanguageUnknown):
        found.words("de")


@pytest.mark.parametrize(
    ("text", "kind", "room", "scale"),
    [
        ("text", "string", None, None),
        ("character varying(20)", "string", 20, None),
        ("NVARCHAR(MAX)", "string", None, None),
        ("smallint", "integer", 2, None),
        ("BIGINT", "integer", 8, None),
        ("numeric(12, 3)", "number", 9, 3),
        ("decimal(10)", "number", 10, 0),
        ("double precision", "number", None, None),
        ("timestamp(6) without time zone", "timestamp", None, None),
        ("timestamp with time zone", "timestamp", None, None),
        ("bit", "boolean", None, None),
        ("geometry", "other", None, None),
    ],
)
def test_types_are_taken_apart(text: str, kind: str, room: int | None, scale: int | None) -> None:
    found = physical_type(text)
    assert (found.kind, found.room, found.scale) == (kind, room, scale)


def test_a_real_table_as_agreed_has_no_drift(engine: sa.Engine) -> None:
    """The ERP's table as its database declares it, seen through the connection's own eyes."""
    columns = ", ".join(
        f"{column.name} {column.physical_type}{' NOT NULL' if column.required else ''}"
        for column in AGREED.table.columns
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE erp_orders ({columns}, PRIMARY KEY (order_no))")
        assert drift(AGREED, columns_of(connection, "here", "erp_orders")) == ()
        connection.exec_driver_sql("ALTER TABLE erp_orders RENAME COLUMN due_date TO due")
        kinds = [each.kind for each in drift(AGREED, columns_of(connection, "here", "erp_orders"))]
        assert kinds == ["vanished", "new"]
        connection.exec_driver_sql("DROP TABLE erp_orders")
