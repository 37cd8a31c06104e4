"""A customer's own contracts: what is the ERP's may differ, what the Suite is given may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ContractError
from data_contracts.loading import FOLDER, contract_text
from data_contracts.own import own_contract_errors, own_contracts
from tests.data_contracts.owned import own_orders
from tests.harness.erp_pair import agreement_text

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.clause("S-4.2.1")
ENDS = "suite: fenwick-suite, "
NAMED = ENDS + "contracts: {orders: contracts/fenwick/orders.yaml}, "


def agreement(folder: Path, contract: str | None, named: str = NAMED) -> tuple[str, Path]:
    """An agreement that names a contract of orders, and its file."""
    text = agreement_text("fenwick").replace(ENDS, named)
    assert named in text
    place = folder / "contracts" / "fenwick"
    place.mkdir(parents=True)
    if contract is not None:
        (place / "orders.yaml").write_text(contract, encoding="utf-8")
    path = folder / "fenwick.yaml"
    path.write_text(text, encoding="utf-8")
    return text, path


def test_other_tables_columns_changes_and_deletions_are_the_erps_own(tmp_path: Path) -> None:
    assert own_contracts(*agreement(tmp_path, own_orders())) == {"orders": own_orders()}


def test_an_agreement_without_them_has_the_products(tmp_path: Path) -> None:
    assert own_contracts(*agreement(tmp_path, None, ENDS)) == {}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("value: due_on", "value: needed_on", "due fills needed_on; allowed: number, customer, article,"),
        ("value: due_on", "value: needed_on", "no column fills due_on; allowed: a column each for number,"),
        ("value: production_orders}", "value: orders}", "targetTable is orders; allowed: production_orders."),
        ("maxLength: 120", "maxLength: 121", "max length is 121, which the Suite's customer does not hold"),
        ("{1,20}", "{1,21}", "max length is 21, which the Suite's number does not hold; allowed: 20."),
        ("maximum: 1000000", "maximum: 1000001", "maximum is 1000001, which"),
        ("- {value: finished}", "- {value: finished}\n          - {value: paid}", "allowed is planned"),
        ("column: gone, sets", "table: gone_orders, sets", "a table of tombstones, such as gone_orders"),
        ("{status: cancelled}", "{state: cancelled}", "deletions set state, which the Suite does not have;"),
        ("value: changed_in_suite_at", "value: changed_at", "localChange is changed_at; allowed:"),
        ("\nname: orders\n", "\nname: materials\n", "'materials' is another interface; allowed: orders."),
    ],
)  # fmt: skip
def test_what_the_suite_cannot_take_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    contract = own_orders(**{before: after})
    errors = own_contract_errors(*agreement(tmp_path, contract))
    (error,) = [each for each in errors if said in str(each)]
    assert error.file == "contracts/fenwick/orders.yaml"
    assert 0 < error.line <= contract.count("\n")


def test_a_contract_that_is_none_says_so_itself(tmp_path: Path) -> None:
    contract = own_orders(**{"value: newest": "value: oldest"})
    text, path = agreement(tmp_path, contract)
    with pytest.raises(
        ContractError, match=r"^contracts/fenwick/orders.yaml, line \d+, .*'oldest' is not one"
    ):
        own_contracts(text, path)


def test_a_file_that_is_not_there_is_named_where_the_agreement_names_it(tmp_path: Path) -> None:
    text, path = agreement(tmp_path, None)
    (error,) = own_contract_errors(text, path)
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "contracts/fenwick" in each)
    assert str(error) == (
        f"fenwick.yaml, line {line}, erp.contracts.orders: contracts/fenwick/orders.yaml cannot be read: "
        "no such file or directory; allowed: a file that lies there, named from the folder of the agreements."
    )


def test_what_goes_out_is_named_as_the_suite_gives_it(tmp_path: Path) -> None:
    named = NAMED.replace("orders: contracts/fenwick/orders", "hours_out: contracts/fenwick/orders")
    hours = contract_text(FOLDER / "hours_out.yaml")
    renamed = hours.replace("name: op_no", "name: bewerking")
    (unknown, missing) = own_contract_errors(*agreement(tmp_path, renamed, named))
    assert "bewerking is given as bewerking; allowed: order_no, op_no," in str(unknown) + str(missing)
    assert "no column is given as op_no" in str(unknown) + str(missing)
    label = "          - {property: label, value: {nl: Bewerkingsnummer"
    renamed = renamed.replace(label, f"          - {{property: givenAs, value: op_no}}\n{label}")
    (tmp_path / "contracts" / "fenwick" / "orders.yaml").write_text(renamed, encoding="utf-8")
    path = tmp_path / "fenwick.yaml"
    assert own_contract_errors(path.read_text(encoding="utf-8"), path) == ()
