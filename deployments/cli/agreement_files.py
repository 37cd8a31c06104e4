"""Checks agreement files and loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.own import own_contract_errors, own_contracts
from deployments.cli import printing
from deployments.cli.errors import AgreementNamedOtherwise, NoAgreementFiles
from nakoming.agreement.errors import AgreementFileError
from nakoming.agreement.loading import (
    agreement_errors,
    agreement_sha256,
    parse_agreement,
    parse_vendor,
    read_text,
    vendor_errors,
)
from nakoming.records import agreements
from nakoming.records.errors import UnknownAgreement
from tasks.installation import records, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nakoming.errors import NakomingError
    from nakoming.records.store import Tx


def checked(files: Sequence[Path], *, as_json: bool) -> bool:
    """Print the problems of each file; whether there are none."""
    found = [(path, _problems(path)) for path in files]
    if as_json:
        printing.emit(
            [
                {"file": path, "problems": [_as_data(problem) for problem in problems]}
                for path, problems in found
            ]
        )
    else:
        for path, problems in found:
            for problem in problems:
                printing.line(str(problem))
            if not problems:
                printing.line(f"{path}: no problems.")
    return not any(problems for _, problems in found)


def _problems(path: Path) -> Sequence[NakomingError]:
    try:
        text = read_text(path)
    except AgreementFileError as unreadable:
        return (unreadable,)
    errors = vendor_errors if path.stem == agreements.VENDOR else agreement_errors
    problems: Sequence[NakomingError] = errors(text, path.name)
    return problems or _named_otherwise(path, text) or _of_contracts(path, text)


def _of_contracts(path: Path, text: str) -> tuple[NakomingError, ...]:
    return () if path.stem == agreements.VENDOR else own_contract_errors(text, path)


def _named_otherwise(path: Path, text: str) -> tuple[NakomingError, ...]:
    if path.stem == agreements.VENDOR:
        return ()
    customer = parse_agreement(text, path.name).customer
    return () if customer == path.stem else (AgreementNamedOtherwise(file=path.name, customer=customer),)


def _as_data(problem: NakomingError) -> dict[str, object]:
    return {"message": str(problem), "code": problem.code} | problem.data


def loaded(files: Sequence[Path], *, as_json: bool) -> None:
    """Load the files, or all of the installation's folder; say which versions are in force.

    Raises:
        NoAgreementFiles: there are none.
        AgreementError: a line of a file is not allowed; nothing was loaded.
        ContractError: a line of a data contract that it names is not; nothing was loaded.
    """
    folder = settings().agreements
    paths = list(files) or sorted(folder.glob("*.yaml"))
    if not paths:
        raise NoAgreementFiles(folder=folder)
    texts = {path: _right(path) for path in paths}
    contracts = {path: _contracts(path, text) for path, text in texts.items()}
    with records().write() as tx:
        before = {path: _version(tx, path.stem) for path in paths}
        versions = {
            path: agreements.store(tx, path.stem, text, agreement_sha256(text), contracts[path])
            for path, text in texts.items()
        }
    rows = [
        {"customer": path.stem, "version": version, "new": before[path] != version, "file": path}
        for path, version in versions.items()
    ]
    if as_json:
        printing.emit(rows)
        return
    printing.table(("customer", "version", "new", "file"), [tuple(row.values()) for row in rows])


def _version(tx: Tx, customer: str) -> int | None:
    try:
        return agreements.newest_version(tx, customer)
    except UnknownAgreement:
        return None


def _right(path: Path) -> str:
    text = read_text(path)
    if path.stem == agreements.VENDOR:
        parse_vendor(text, path.name)
    else:
        parse_agreement(text, path.name)
    for problem in _named_otherwise(path, text):
        raise problem
    return text


def _contracts(path: Path, text: str) -> dict[str, str]:
    return {} if path.stem == agreements.VENDOR else own_contracts(text, path)
