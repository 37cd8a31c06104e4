"""Where a value comes from: each term of an agreement knows its clause and whose it is.

A term is a field declared with `sla()` or `ours()`. A field without either (a name, a person) is a fact of
one customer, not a value of the service level agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

Origin = Literal["sla", "agreement", "ours"]


@dataclass(frozen=True, slots=True)
class Term:
    """One value: its dotted path, what it is, its clause (`S-2.6.4`) and whose it is.

    `origin` is `sla` (the SLA says so), `agreement` (the customer's documents say so) or `ours` (a default
    of the vendor; missing it is "own target missed", never a breach).
    """

    path: str
    value: Any
    clause: str
    origin: Origin


def sla(default: Any, clause: str, description: str) -> Any:
    """Declare a term whose default the SLA states in `clause`."""
    return _declared(default, clause, description, "sla")


def ours(default: Any, clause: str, description: str) -> Any:
    """Declare a term where the SLA's `clause` leaves room and the vendor chose the default."""
    return _declared(default, clause, description, "ours")


def _declared(default: Any, clause: str, description: str, origin: Origin) -> Any:
    extra: dict[str, Any] = {"clause": clause, "origin": origin}
    return Field(default=default, description=description, json_schema_extra=extra)


def walk_terms(model: BaseModel) -> Iterator[Term]:
    """Yield every term below `model`, in the order of declaration."""
    yield from _walk(model, "")


def _walk(model: BaseModel, prefix: str) -> Iterator[Term]:
    for name, field in type(model).model_fields.items():
        path = f"{prefix}{name}"
        value = getattr(model, name)
        marks = marks_of(field)
        if marks is not None:
            clause, origin = marks
            yield Term(path, value, clause, "agreement" if name in model.model_fields_set else origin)
        elif isinstance(value, BaseModel):
            yield from _walk(value, f"{path}.")


def marks_of(field: FieldInfo) -> tuple[str, Origin] | None:
    """Return clause and default origin of a declared term, None for a plain field."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "clause" not in extra:
        return None
    return str(extra["clause"]), "sla" if extra["origin"] == "sla" else "ours"
