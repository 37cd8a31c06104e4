"""Turns what pydantic found into one sentence: which key, what is wrong, what is allowed."""

from __future__ import annotations

import difflib
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nakoming.agreement.values import REFUSED, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

NEAR_ENOUGH: Final = 3
SHAPES: Final[Mapping[str, tuple[str, str]]] = {
    "model_type": ("a mapping", "keys and values, indented below the key"),
    "model_attributes_type": ("a mapping", "keys and values, indented below the key"),
    "dict_type": ("a mapping", "keys and values, indented below the key"),
    "tuple_type": ("a list", "items in square brackets, or one a line with a dash"),
    "list_type": ("a list", "items in square brackets, or one a line with a dash"),
    "string_type": ("text", "text"),
    "bool_type": ("yes or no", "true or false"),
    "bool_parsing": ("yes or no", "true or false"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at a path of the file."""

    path: tuple[str, ...]
    problem: str
    allowed: str


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return the problems in `error`, raised when data was read as `model`."""
    return [_problem(each, model) for each in error.errors(include_url=False)]


def _problem(error: ErrorDetails, model: type[BaseModel]) -> Problem:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == REFUSED:
        return Problem(path, str(context["problem"]), str(context["allowed"]))
    if kind == "missing":
        return Problem(path, "it is missing", _purpose(model, path))
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind in {"enum", "literal_error"}:
        return Problem(
            path, f"{shown(error['input'])} is not one of the choices", _choices(str(context["expected"]))
        )
    if kind in SHAPES:
        expected, allowed = SHAPES[kind]
        return Problem(path, f"{shown(error['input'])} is not {expected}", allowed)
    return Problem(path, f"{shown(error['input'])} is not accepted", error["msg"])


def _choices(expected: str) -> str:
    return expected.replace("'", "").replace(" or ", ", ")


def _unknown_key(path: tuple[str, ...], model: type[BaseModel]) -> Problem:
    owner = _model_at(model, path[:-1])
    known = [field.alias or name for name, field in owner.model_fields.items()]
    near = difflib.get_close_matches(path[-1], known, n=NEAR_ENOUGH, cutoff=0.7)
    hint = f", perhaps {' or '.join(near)} was meant" if near else ""
    return Problem(path, f"the key is not known{hint}", ", ".join(known))


def _purpose(model: type[BaseModel], path: tuple[str, ...]) -> str:
    owner = _model_at(model, path[:-1])
    for name, field in owner.model_fields.items():
        if path[-1] in {name, field.alias}:
            return (field.description or f"a value for {path[-1]}").rstrip(".")
    return f"a value for {path[-1]}"


def _model_at(model: type[BaseModel], path: tuple[str, ...]) -> type[BaseModel]:
    """Return the model that reads what lies at `path`, going through lists and mappings."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            here = fields[part].annotation if part in fields else here
        else:
            here = get_args(here)[1 if get_origin(here) is dict else 0]
        here = _without_none(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else model


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        return next(each for each in get_args(annotation) if each is not type(None))
    return annotation
