"""Who writes and who reads what a contract speaks of: the two that a change of it can break."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from data_contracts.contract import Contract, Direction
    from data_contracts.diff import ContractChange, ContractDiff, Side

_PARTIES: Final[Mapping[Direction, Mapping[Side, str]]] = {
    "in": {"writer": "ERP", "reader": "Suite"},
    "out": {"writer": "Suite", "reader": "ERP"},
    "overview": {"writer": "exchange's ledger", "reader": "reader of the workbook"},
}


def party(contract: Contract, side: Side) -> str:
    """Which program stands on a side: the ERP, the Suite, or neither."""
    return _PARTIES[contract.direction][side]


def broken_sides(found: ContractDiff) -> tuple[Side, ...]:
    """The sides that some change breaks, the writer first."""
    sides: tuple[Side, ...] = ("writer", "reader")
    return tuple(side for side in sides if any(side in change.breaks for change in found.changes))


def relying(contract: Contract, others: Iterable[Contract], found: ContractDiff) -> tuple[str, ...]:
    """The interfaces whose rows refer to a column of the Suite that a change touches.

    Args:
        contract: as it was.
        others: all contracts.
        found: what changed.
    """
    touched = {target for change in found.changes if (target := _target(contract, change))}
    whole = any(change.where == "table" and change.breaking for change in found.changes)
    return tuple(
        other.interface
        for other in others
        if other.interface != contract.interface
        and any(
            column.reference is not None
            and column.reference.table == contract.table.target_name
            and (whole or column.reference.column in touched)
            for column in other.table.columns
        )
    )


def _target(contract: Contract, change: ContractChange) -> str | None:
    """The Suite's column that a breaking change of a column touches."""
    if not change.breaking:
        return None
    return next((each.target for each in contract.table.columns if each.name == change.where), None)
