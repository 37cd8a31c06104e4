"""Compares two versions of a contract and says whom the changes break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.diff import diff
from data_contracts.loading import FOLDER, load_contract
from data_contracts.parties import broken_sides, party, relying
from deployments.cli import printing
from deployments.cli.contracts_in_force import customers_under

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.contract import Contract
    from data_contracts.diff import ContractDiff

Whom = list[dict[str, object]]


def compared(old: Path, new: Path, *, as_json: bool) -> bool:
    """Print the changes, and whom they break by name; whether any of them breaks anybody.

    Raises:
        ContractFileError: a file cannot be read.
        ContractError: a file is no contract.
    """
    before = load_contract(old)
    found = diff(before, load_contract(new))
    whom = _whom(before, found)
    if as_json:
        printing.emit(_as_data(found) | {"for_whom": whom})
    else:
        _print(found)
        _print_whom(whom)
    return found.breaking


def _whom(contract: Contract, found: ContractDiff) -> Whom:
    """Each side that breaks: which program, at which customers, and the interfaces that hang on it."""
    sides = broken_sides(found)
    customers = customers_under(contract) if sides else []
    others = [load_contract(path) for path in sorted(FOLDER.glob("*.yaml"))]
    interfaces = list(relying(contract, others, found))
    return [
        {
            "side": side,
            "program": party(contract, side),
            "customers": customers,
            "interfaces": interfaces if party(contract, side) == "Suite" else [],
        }
        for side in sides
    ]


def _as_data(found: ContractDiff) -> dict[str, object]:
    return {
        "old_version": found.old_version,
        "new_version": found.new_version,
        "least_version": found.least_version,
        "version_fits": found.version_fits,
        "breaking": found.breaking,
        "changes": [
            {
                "where": change.where,
                "what": change.what,
                "old": change.old,
                "new": change.new,
                "breaking": change.breaking,
                "breaks": list(change.breaks),
            }
            for change in found.changes
        ],
    }


def _print(found: ContractDiff) -> None:
    rows = [
        (change.where, change.what, change.old, change.new, " and ".join(change.breaks) or "nobody")
        for change in found.changes
    ]
    printing.table(("where", "what", "old", "new", "breaks"), rows, empty="Nothing changed.")
    if not found.version_fits:
        printing.line(
            f"\nThe version goes from {found.old_version} to {found.new_version}; "
            f"these changes ask for {found.least_version} at least."
        )


def _print_whom(whom: Whom) -> None:
    for each in whom:
        customers, interfaces = each["customers"], each["interfaces"]
        at = f" of {_listed(customers)}" if customers else ""
        also = f"; {_listed(interfaces)} refer to it" if interfaces else ""
        printing.line(f"Breaks the {each['side']}: the {each['program']}{at}{also}.")


def _listed(names: object) -> str:
    assert isinstance(names, list)  # noqa: S101 - made above
    return ", ".join(map(str, names))
