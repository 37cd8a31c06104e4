"""Checks a contract's file, or holds the tables of an ERP against the contracts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.drift import drift
from data_contracts.errors import ContractFileError, NoSuchConnection
from data_contracts.loading import contract_errors, contract_text, load_contract
from deployments.cli import contracts_in_force, prefect_server, printing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.contract import Contract
    from data_contracts.report import Report
    from nakoming.errors import NakomingError

KINDS: Final = ("ErpDatabase", "ErpOdbc")
"""The blocks whose tables can be looked at."""
_ENDINGS: Final = (".yaml", ".yml")


@dataclass(frozen=True)
class Asked:
    """What of a connection is looked at.

    Attributes:
        contracts: files to hold it against; empty: those that hold for it, by its customer's agreement.
        rows: whether every row is checked too.
        report: a folder for a page about the rows of each table.
    """

    contracts: Sequence[Path]
    rows: bool = False
    report: Path | None = None


def checked(target: str, asked: Asked, *, as_json: bool) -> bool:
    """Print what is wrong with a file or a connection; whether nothing that matters is.

    Raises:
        NoSuchConnection: it is neither a file nor the name of a connection.
        ContractError: a contract that a connection is held against is wrong itself.
    """
    path = Path(target)
    if path.is_file() or path.suffix in _ENDINGS:
        return _file(path, as_json=as_json)
    return _connection(target, asked, as_json=as_json)


def _file(path: Path, *, as_json: bool) -> bool:
    problems = _problems(path)
    if as_json:
        found = [{"message": str(problem), "code": problem.code} | problem.data for problem in problems]
        printing.emit({"file": path, "problems": found})
    else:
        for problem in problems:
            printing.line(str(problem))
        if not problems:
            printing.line(f"{path}: no problems.")
    return not problems


def _problems(path: Path) -> Sequence[NakomingError]:
    try:
        return contract_errors(contract_text(path), path.name)
    except ContractFileError as unreadable:
        return (unreadable,)


def _connection(name: str, asked: Asked, *, as_json: bool) -> bool:
    given = [load_contract(path) for path in asked.contracts]
    looked_at = given or contracts_in_force.of_connection(name.rpartition("/")[2])
    prefect_server.enter()
    from deployments.cli import (
        contract_rows,
    )  # what it needs reads Prefect's settings, which are right by now

    block = _block(name)
    with block.connect() as session:
        found = [_compared(session, contract) for contract in looked_at]
        reports = _rows(session, looked_at, found) if asked.rows else []
    pages = contract_rows.written(reports, asked.report) if asked.report else []
    _print(name, found, reports, as_json=as_json)
    for page in [] if as_json else pages:
        printing.line(str(page))
    return not any(each["stops"] for each in found) and not any(each.over_limit for each in reports)


def _rows(session: Any, contracts: Sequence[Contract], found: list[dict[str, Any]]) -> list[Report]:
    """How the rows keep each contract whose table is as agreed: of another there is nothing to read."""
    from deployments.cli import contract_rows

    pairs = zip(contracts, found, strict=True)
    return [contract_rows.checked(session, contract) for contract, each in pairs if not each["stops"]]


def _block(name: str) -> Any:
    import blocks as kinds  # Prefect's settings are right by now
    from tasks.blocks import BlockMissing, load_block

    slug, _, bare = name.rpartition("/")
    for kind in (getattr(kinds, each) for each in KINDS):
        if slug in {"", kind.get_block_type_slug()}:
            try:
                return load_block(kind, bare)
            except BlockMissing:
                continue
    slugs = ", ".join(getattr(kinds, each).get_block_type_slug() for each in KINDS)
    raise NoSuchConnection(name=name, kinds=slugs)


def _compared(session: Any, contract: Contract) -> dict[str, Any]:
    from blocks.erp.errors import ErpTableMissing

    table = contract.table.source_name
    found: dict[str, Any] = {"interface": contract.interface, "table": table, "version": contract.version}
    try:
        seen = session.columns(table)
    except ErpTableMissing as missing:
        return found | {"stops": True, "missing": str(missing), "drift": []}
    differences = drift(contract, seen)
    return found | {
        "stops": any(each.stops for each in differences),
        "missing": None,
        "drift": [
            {
                "kind": each.kind,
                "column": each.column,
                "agreed": each.agreed,
                "seen": each.seen,
                "stops": each.stops,
                "words": each.words("en"),
            }
            for each in differences
        ],
    }


def _print(name: str, found: list[dict[str, Any]], reports: list[Report], *, as_json: bool) -> None:
    if as_json:
        told = {"rows": [each.as_data() for each in reports]} if reports else {}
        printing.emit({"connection": name, "contracts": found} | told)
        return
    rows = []
    for each in found:
        if each["missing"]:
            rows.append((each["interface"], each["table"], "stops", each["missing"]))
        rows += [
            (each["interface"], each["table"], "stops" if drifted["stops"] else "noted", drifted["words"])
            for drifted in each["drift"]
        ]
        if not each["missing"] and not each["drift"]:
            rows.append((each["interface"], each["table"], "ok", "As agreed."))
    printing.table(("contract", "table", "result", "found"), rows)
    if reports:
        from deployments.cli import contract_rows

        contract_rows.shown(reports)
