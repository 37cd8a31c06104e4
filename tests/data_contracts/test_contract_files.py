"""Contracts as files: those of the product are right, and whatever is wrong is said in one sentence."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from data_contracts.contract import INTERFACES, Change, Contract, Deletions, Reference
from data_contracts.errors import ContractError, ContractFileError, UnknownInterface
from data_contracts.loading import contract_errors, contract_for, parse_contract

HERE = Path(__file__).parent
AGREED = (HERE / "agreed.yaml").read_text(encoding="utf-8")
# What is replaced in it, by what, and all that is said about it.
DAMAGED = [
    tuple(each.values()) for each in yaml.safe_load((HERE / "damaged.yaml").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("interface", INTERFACES)
def test_the_contracts_of_the_product_are_right(interface: str) -> None:
    contract = contract_for(interface)
    assert contract.interface == interface
    assert contract.key
    assert contract.owner == "exchange@sps.example"
    assert contract.freshness > timedelta()
    assert all(column.label(language) for column in contract.table.columns for language in ("nl", "en"))


def test_a_contract_says_what_the_exchange_needs(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.write_text(AGREED, encoding="utf-8")
    contract = Contract.load(path)
    assert (contract.interface, contract.version, contract.direction) == ("orders", "1.0.0", "in")
    assert (contract.table.source_name, contract.table.target_name) == ("erp_orders", "production_orders")
    assert contract.key == ("order_no",)
    assert contract.freshness == timedelta(minutes=15)
    assert contract.bad_share_limit == Decimal("0.05")
    assert contract.change == Change("row_version", "row_version")
    assert contract.deletions == Deletions("tombstone", "deleted", None, {"status": "cancelled"})
    assert contract.tombstone == "deleted"
    due = contract.table.column("due_date")
    assert due.formats == ("YYYY-MM-DD", "DD-MM-YYYY")
    assert due.placeholders == (10101,)
    assert (due.minimum, due.maximum) == (Decimal(20000101), Decimal(21001231))
    assert due.target == "due_on"
    assert contract.table.column("qty").physical_types[:2] == ("text", "numeric(12,3)")


def test_the_contract_in_the_manual_is_one() -> None:
    page = HERE.parents[1] / "docs" / "how-to" / "add-a-data-contract.md"
    (text,) = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    contract = parse_contract(text, "materials.yaml")
    assert contract.key == ("order_no", "line_no")
    assert contract.table.column("order_no").reference == Reference("production_orders", "number")


def test_references_and_decimals_are_read() -> None:
    materials = contract_for("materials")
    assert materials.key == ("order_no", "line_no")
    assert materials.table.column("order_no").reference == Reference("production_orders", "number")
    assert materials.table.column("qty").decimals == 3


def test_what_the_standard_knows_and_we_do_not_use_is_left_alone() -> None:
    more = AGREED.replace(
        "domain: production",
        "domain: production\ntenant: sps\nservers: [{server: erp, type: postgresql}]\n"
        "price: {priceAmount: 1}\nsupport: []\nfutureThing: {any: shape}",
    )
    assert parse_contract(more, "orders.yaml") == parse_contract(AGREED, "orders.yaml")


def test_rules_in_the_standards_own_words_are_read() -> None:
    """Version 3.1 has no `enum`; its library of rules says the same."""
    rule = "{metric: invalidValues, mustBe: 0, arguments: {validValues: [planned, finished]}}"
    library = f"        quality: [{rule}]\n"
    at, end = (
        AGREED.index("        enum:\n"),
        AGREED.index("        customProperties:", AGREED.index("enum:")),
    )
    contract = parse_contract(AGREED[:at] + library + AGREED[end:], "orders.yaml")
    assert contract.table.column("status").allowed == ("planned", "finished")


@pytest.mark.parametrize(("old", "new", "said"), DAMAGED)
def test_a_damaged_contract_is_refused_in_one_sentence(old: str, new: str, said: str) -> None:
    assert AGREED.count(old)
    damaged = AGREED.replace(old, new, 1)
    assert "\n".join(map(str, contract_errors(damaged, "orders.yaml"))) == said
    with pytest.raises(ContractError) as refused:
        parse_contract(damaged, "orders.yaml")
    assert str(refused.value) == said.partition("\n")[0]
    assert (refused.value.code, refused.value.exit_status) == ("NK7401", 2)


def test_everything_wrong_is_said_in_order_of_lines() -> None:
    damaged = AGREED.replace("status: active", "status: live").replace("value: 0.05", "value: 5")
    assert [error.line for error in contract_errors(damaged, "orders.yaml")] == sorted(
        error.line for error in contract_errors(damaged, "orders.yaml")
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file or directory"),
        (b"name: \xff", "byte 6 is not UTF-8"),
        (b"#" * ((1 << 20) + 1), "it is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "orders.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContractFileError) as refused:
        Contract.load(path)
    assert str(refused.value) == f"orders.yaml cannot be read as a data contract: {reason}."


def test_an_interface_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownInterface, match="no data contract 'invoices'; there are: orders, operations"):
        contract_for("invoices")
