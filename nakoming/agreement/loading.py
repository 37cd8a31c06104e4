"""Reads agreements and the vendor's file, with errors that say file, line, key and what is allowed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from nakoming.agreement.cross_checks import agreement_problems, vendor_problems
from nakoming.agreement.errors import AgreementError, AgreementFileError
from nakoming.agreement.problems import Problem, problems_of
from nakoming.agreement.terms import Agreement, Vendor
from nakoming.agreement.yaml_text import MAX_BYTES, Document, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Model = TypeVar("Model", bound=BaseModel)


def load_agreement(path: Path) -> Agreement:
    """Return the agreement in the file at `path`.

    Raises:
        AgreementFileError: the file cannot be read.
        AgreementError: its first line that is not allowed.
    """
    return parse_agreement(read_text(path), path.name)


def load_vendor(path: Path) -> Vendor:
    """Return the vendor in the file at `path`.

    Raises:
        AgreementFileError: the file cannot be read.
        AgreementError: its first line that is not allowed.
    """
    return parse_vendor(read_text(path), path.name)


def parse_agreement(text: str, name: str) -> Agreement:
    """Return the agreement in `text`; `name` stands in errors as the file.

    Raises:
        AgreementError: the first line that is not allowed.
    """
    return _parsed(text, name, Agreement, agreement_problems)


def parse_vendor(text: str, name: str) -> Vendor:
    """Return the vendor in `text`; `name` stands in errors as the file.

    Raises:
        AgreementError: the first line that is not allowed.
    """
    return _parsed(text, name, Vendor, vendor_problems)


def agreement_errors(text: str, name: str) -> tuple[AgreementError, ...]:
    """Return everything that is not allowed in `text`, in order of lines; empty when it is an agreement."""
    return _errors(text, name, Agreement, agreement_problems)


def vendor_errors(text: str, name: str) -> tuple[AgreementError, ...]:
    """Return everything that is not allowed in `text`, in order of lines; empty when it is a vendor's."""
    return _errors(text, name, Vendor, vendor_problems)


def _errors(
    text: str, name: str, model: type[Model], check: Callable[[Model], Iterator[Problem]]
) -> tuple[AgreementError, ...]:
    try:
        document = read_yaml(text, name)
    except AgreementError as error:
        return (error,)
    return tuple(_read(document, model, check)[1])


def agreement_sha256(text: str) -> str:
    """Return the SHA-256 of an agreement's text: its version, the same as of the file's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_text(path: Path) -> str:
    """Return the text of an agreement's file, unchanged.

    Raises:
        AgreementFileError: it does not exist, may not be read, is too large or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise AgreementFileError(file=path.name, reason=f"it is larger than {MAX_BYTES} bytes")
        return content.decode()
    except UnicodeDecodeError as error:
        raise AgreementFileError(file=path.name, reason=f"byte {error.start} is not UTF-8") from error
    except OSError as error:
        raise AgreementFileError(file=path.name, reason=(error.strerror or str(error)).lower()) from error


def _parsed(text: str, name: str, model: type[Model], check: Callable[[Model], Iterator[Problem]]) -> Model:
    found, errors = _read(read_yaml(text, name), model, check)
    if errors or found is None:
        raise errors[0]
    return found


def _read(
    document: Document, model: type[Model], check: Callable[[Model], Iterator[Problem]]
) -> tuple[Model | None, list[AgreementError]]:
    found: Model | None = None
    try:
        found = model.model_validate(document.data)
        problems: list[Problem] = list(check(found))
    except ValidationError as error:
        problems = problems_of(error, model)
    errors = [_located(document, problem) for problem in problems]
    return found, sorted(errors, key=lambda each: each.line)


def _located(document: Document, problem: Problem) -> AgreementError:
    return AgreementError(
        file=document.file,
        line=document.line_of(problem.path),
        key=".".join(problem.path) or "the text",
        problem=problem.problem,
        allowed=problem.allowed,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of an agreement, for editors."""
    schema = Agreement.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
