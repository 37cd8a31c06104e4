"""Reads data contracts, with errors that say file, line, key and what is allowed."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, ValidationError

from data_contracts.contract import INTERFACES
from data_contracts.errors import ContractError, ContractFileError, UnknownInterface
from data_contracts.mapping import contract_of
from data_contracts.odcs import Document, Part
from nakoming.agreement.errors import AgreementError, AgreementFileError
from nakoming.agreement.loading import read_text
from nakoming.agreement.problems import Problem, problems_of
from nakoming.agreement.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from data_contracts.contract import Contract

    Fits = Callable[[Contract], Iterable[Problem]]
    from nakoming.agreement import yaml_text

FOLDER: Final = Path(__file__).parent / "contracts"
"""Where the contracts of the product lie; a customer's own may lie anywhere."""
_NEAR: Final = 0.8


def contract_for(interface: str) -> Contract:
    """Return the product's own contract for `interface`.

    Raises:
        UnknownInterface: there is none.
    """
    if interface not in INTERFACES:
        raise UnknownInterface(interface=interface, known=", ".join(INTERFACES))
    return load_contract(FOLDER / f"{interface}.yaml")


def load_contract(path: Path) -> Contract:
    """Return the contract in the file at `path`.

    Raises:
        ContractFileError: the file cannot be read.
        ContractError: its first line that is not allowed.
    """
    return parse_contract(contract_text(path), path.name)


def contract_text(path: Path) -> str:
    """Return the text of a contract's file, unchanged.

    Raises:
        ContractFileError: it does not exist, may not be read, is too large or is not UTF-8.
    """
    try:
        return read_text(path)
    except AgreementFileError as error:
        raise ContractFileError(**error.data) from error


def parse_contract(text: str, name: str) -> Contract:
    """Return the contract in `text`; `name` stands in errors as the file.

    Raises:
        ContractError: the first line that is not allowed.
    """
    found, errors = _read(text, name)
    if errors or found is None:
        raise errors[0]
    return found


def contract_errors(text: str, name: str, fits: Fits | None = None) -> tuple[ContractError, ...]:
    """Return everything that is not allowed in `text`, in order of lines; empty when it is a contract.

    With `fits`, also what it finds wrong with the contract that it is.
    """
    return tuple(_read(text, name, fits)[1])


def _read(text: str, name: str, fits: Fits | None = None) -> tuple[Contract | None, list[ContractError]]:
    try:
        document = read_yaml(text, name)
    except AgreementError as error:
        return None, [ContractError(**error.data)]
    found: Contract | None = None
    problems = list(_misspelt(document.data, Document, ()))
    try:
        found, findings = contract_of(Document.model_validate(document.data))
        problems += findings.problems
        if fits is not None and found is not None:
            problems += fits(found)
    except ValidationError as error:
        problems += problems_of(error, Document)
    errors = [_located(document, problem) for problem in problems]
    return found, sorted(errors, key=lambda each: each.line)


def _located(document: yaml_text.Document, problem: Problem) -> ContractError:
    return ContractError(
        file=document.file,
        line=document.line_of(problem.path),
        key=".".join(problem.path) or "the text",
        problem=problem.problem,
        allowed=problem.allowed,
    )


def _misspelt(data: Any, model: type[Part], path: tuple[str, ...]) -> Iterator[Problem]:
    """Keys that are none of the standard's but nearly one: they would be left alone without a word."""
    if not isinstance(data, dict):
        return
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    known = {*fields, *model.also}
    for key, value in data.items():
        here = (*path, str(key))
        near = difflib.get_close_matches(str(key), known, n=1, cutoff=_NEAR) if key not in known else []
        if near:
            problem = f"the key is not known, perhaps {near[0]} was meant"
            yield Problem(here, problem, f"{near[0]}, or another key of the standard")
        inner = _part_in(fields.get(key))
        if inner is not None:
            several = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for at, each in several:
                yield from _misspelt(each, inner, here if at is None else (*here, str(at)))


def _part_in(annotation: Any) -> type[Part] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if issubclass(annotation, Part) else None
    return next((found for each in get_args(annotation) if (found := _part_in(each)) is not None), None)
