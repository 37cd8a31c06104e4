"""Data contracts of a customer's own, where its ERP differs: they change what is the ERP's, not the Suite's.

Tables, columns, types, the way changes and deletions are seen are the ERP's. What the Suite is given stays as
the product's contract of the interface says: the same columns, no value that could not be there before.
Clause: S-4.2.1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from data_contracts.diff import looser
from data_contracts.errors import ContractError, ContractFileError
from data_contracts.loading import contract_errors, contract_for, contract_text
from nakoming.agreement.loading import parse_agreement
from nakoming.agreement.problems import Problem
from nakoming.agreement.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from data_contracts.contract import Column, Contract
    from data_contracts.loading import Fits
    from nakoming.agreement.erp_terms import Exchanged

OUR_KEY: Final = "external_key"
"""What the exchange fills in itself, where an ERP has a column for it."""
_SUITES: Final = frozenset({
    "logical type", "required", "minimum", "maximum", "max length", "allowed", "decimals", "reference",
})  # fmt: skip
"""Rules that keep the Suite's own tables whole; the others are between the ERP and the exchange."""
_TABLE: Final = ("schema", "0")
_COLUMNS: Final = (*_TABLE, "properties")


def own_contracts(text: str, path: Path) -> dict[str, str]:
    """Return the texts of the contracts that an agreement names, by interface; none where it names none.

    Args:
        text: of the agreement, which is right as such.
        path: its file: names of contracts are below the folder in which it lies.

    Raises:
        ContractError: the first line that is not allowed, of a contract or of the agreement that names it.
    """
    texts, errors = _read(text, path)
    if errors:
        raise errors[0]
    return texts


def own_contract_errors(text: str, path: Path) -> tuple[ContractError, ...]:
    """Return everything that is not allowed in the contracts that an agreement names; see `own_contracts`."""
    return tuple(_read(text, path)[1])


def _read(text: str, path: Path) -> tuple[dict[str, str], list[ContractError]]:
    texts: dict[str, str] = {}
    errors: list[ContractError] = []
    for interface, name in parse_agreement(text, path.name).erp.contracts.items():
        try:
            texts[interface] = contract_text(path.parent / name)
        except ContractFileError as unreadable:
            errors.append(_unreadable(text, path, interface, name, unreadable))
            continue
        errors += contract_errors(texts[interface], name, _fits(interface))
    return texts, errors


def _unreadable(
    text: str, path: Path, interface: str, name: str, unreadable: ContractFileError
) -> ContractError:
    key = ("erp", "contracts", interface)
    return ContractError(
        file=path.name,
        line=read_yaml(text, path.name).line_of(key),
        key=".".join(key),
        problem=f"{name} cannot be read: {unreadable.data['reason']}",
        allowed="a file that lies there, named from the folder of the agreements",
    )


def _fits(interface: Exchanged) -> Fits:
    ours = contract_for(interface)

    def problems(own: Contract) -> Iterator[Problem]:
        if own.interface != interface:
            yield Problem(("name",), f"{own.interface!r} is another interface", interface)
            return
        yield from _of_table(own, ours)
        yield from _of_columns(own, ours)

    return problems


def _of_table(own: Contract, ours: Contract) -> Iterator[Problem]:
    if own.table.target_name != ours.table.target_name:
        problem = f"targetTable is {own.table.target_name}"
        yield Problem((*_TABLE, "customProperties"), problem, ours.table.target_name)
    if own.local_change not in {None, ours.local_change}:
        allowed = ours.local_change or "none: the Suite has no such column"
        yield Problem((*_TABLE, "customProperties"), f"localChange is {own.local_change}", allowed)
    if own.deletions.table is not None:
        # It would be left alone without a word: deletions are read from a column, or found by their keys.
        problem = f"the exchange does not read a table of tombstones, such as {own.deletions.table}"
        yield Problem((*_TABLE, "customProperties"), problem, "tombstone with a column, or key_comparison")
    known = at_suite(ours)
    for name in own.deletions.sets.keys() - known.keys():
        problem = f"deletions set {name}, which the Suite does not have"
        yield Problem((*_TABLE, "customProperties"), problem, ", ".join(known))


def _of_columns(own: Contract, ours: Contract) -> Iterator[Problem]:
    mine, known = at_suite(own), at_suite(ours)
    places = {column.name: str(at) for at, column in enumerate(own.table.columns)}
    verb = "fills" if own.direction == "in" else "is given as"
    for name, column in mine.items():
        where = (*_COLUMNS, places[column.name])
        if name not in known:
            yield Problem(where, f"{column.name} {verb} {name}", ", ".join(known))
        elif own.direction == "in":
            yield from _of_column(column, known[name], where)
    missing = [name for name in _needed(ours) if name not in mine]
    if missing:
        problem = f"no column {verb} {', '.join(missing)}"
        yield Problem(_COLUMNS, problem, f"a column each for {', '.join(_needed(ours))}")
    if own.direction == "in" and _key(own) != _key(ours):
        yield Problem(_COLUMNS, f"the key fills {', '.join(_key(own))}", ", ".join(_key(ours)))


def _of_column(own: Column, ours: Column, where: tuple[str, ...]) -> Iterator[Problem]:
    for change in looser(_with_length(ours), _with_length(own)):
        filled = change.what == "required" and own.default is not None
        if change.what in _SUITES and not filled:
            problem = f"{change.what} is {change.new}, which the Suite's {ours.target} does not hold"
            yield Problem(where, problem, change.old)


def _with_length(column: Column) -> Column:
    """The same, its greatest length written down: a pattern says it too, and so do the only values."""
    lengths = [] if column.max_length is None else [column.max_length]
    if column.pattern is not None:
        lengths.append(column.pattern.longest)
    if column.allowed:
        lengths.append(max(map(len, column.allowed)))
    return replace(column, max_length=min(lengths, default=None))


def at_suite(contract: Contract) -> Mapping[str, Column]:
    """The columns of a contract by what the Suite calls them; what serves the exchange only is left out."""
    columns = contract.table.columns
    if contract.direction == "in":
        return {column.target: column for column in columns if column.target is not None}
    return {column.field_name: column for column in columns}


def _needed(ours: Contract) -> list[str]:
    return [
        name
        for name, column in at_suite(ours).items()
        if (column.required or column.default is not None) and name != OUR_KEY
    ]


def _key(contract: Contract) -> list[str]:
    return [contract.table.column(name).target or "nothing" for name in contract.key]
