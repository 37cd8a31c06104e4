"""A frame of rows as the suite of expectations looks at it: the view that SQL makes of a staging table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from data_contracts.errors import StagingUnfit
from data_contracts.names import ALIVE, KNOWN, ROW_ID, VALUE, place_name
from data_contracts.rules import rules_of
from data_contracts.values import sortable, text_of, value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from data_contracts.contract import Column, Contract
    from data_contracts.rules import Rule

Cells = dict[str, list[Any]]


def view_of_frame(
    contract: Contract, frame: pd.DataFrame, known: Mapping[str, Collection[Any]] | None
) -> pd.DataFrame:
    """Return the view of a frame.

    Args:
        contract: what was agreed.
        frame: rows under the ERP's names; without a column `row_id` they are numbered from 1.
        known: for each column that refers to the Suite, what there is; None: that is not judged.

    Raises:
        StagingUnfit: the frame lacks a column.
    """
    import pandas as pd  # takes a second, and whoever calls has it already

    missing = [column.name for column in contract.table.columns if column.name not in frame.columns]
    if missing:
        raise StagingUnfit(place="The frame", interface=contract.interface, missing=", ".join(missing))
    numbers = frame[ROW_ID].tolist() if ROW_ID in frame.columns else list(range(1, len(frame) + 1))
    cells: Cells = {ROW_ID: numbers}
    for column in contract.table.columns:
        texts = [text_of(value) for value in frame[column.name].tolist()]
        cells[column.name] = texts
        cells[f"{column.name}{VALUE}"] = [value_of(column, text) for text in texts]
    cells[ALIVE] = _living(contract, cells)
    for rule in rules_of(contract):
        if rule.kind in {"duplicate", "overtaken"}:
            cells[place_name(rule)] = _places(contract, rule, cells)
        elif rule.kind == "reference" and known is not None:
            cells[f"{rule.column.name}{KNOWN}"] = _known(rule.column, cells, known)
    # Objects: the frame must not turn whole numbers into floats where one of them is missing.
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in cells.items()})


def _living(contract: Contract, cells: Cells) -> list[int]:
    if contract.tombstone is None:
        return [1] * len(cells[ROW_ID])
    return [0 if mark else 1 for mark in cells[f"{contract.tombstone}{VALUE}"]]


def _known(column: Column, cells: Cells, known: Mapping[str, Collection[Any]]) -> list[int]:
    there = set(known.get(column.name, ()))
    return [int(value is None or value in there) for value in cells[f"{column.name}{VALUE}"]]


def _places(contract: Contract, rule: Rule, cells: Cells) -> list[int | None]:
    """The place of each row among those of its key: by age from 1, or (`duplicate`) how many they are."""
    keys = list(zip(*(cells[f"{name}{VALUE}"] for name in rule.columns), strict=True))
    whole = [None not in key for key in keys]
    if rule.kind == "duplicate":
        times = Counter(keys)
        return [times[key] if ok else None for key, ok in zip(keys, whole, strict=True)]
    seen: Counter[tuple[Any, ...]] = Counter()
    places: list[int | None] = [None] * len(keys)
    for at in sorted(range(len(keys)), key=_age(contract, cells), reverse=True):
        if whole[at]:
            seen[keys[at]] += 1
            places[at] = seen[keys[at]]
    return places


def _age(contract: Contract, cells: Cells) -> Any:
    change = contract.change.column
    if contract.change.kind == "key":
        return lambda at: cells[ROW_ID][at]
    column = contract.table.column(change)
    name = change if column.logical_type == "timestamp" else f"{change}{VALUE}"
    versions = [
        value.replace("T", " ") if isinstance(value, str) and column.logical_type == "timestamp" else value
        for value in cells[name]
    ]
    return lambda at: (sortable(versions[at]), cells[ROW_ID][at])
