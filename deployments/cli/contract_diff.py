"""Compares two versions of a contract and says whom the changes break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.diff import diff
from data_contracts.loading import load_contract
from deployments.cli import printing

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.diff import ContractDiff


def compared(old: Path, new: Path, *, as_json: bool) -> bool:
    """Print the changes; whether any of them breaks anybody.

    Raises:
        ContractFileError: a file cannot be read.
        ContractError: a file is no contract.
    """
    found = diff(load_contract(old), load_contract(new))
    if as_json:
        printing.emit(_as_data(found))
    else:
        _print(found)
    return found.breaking


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
