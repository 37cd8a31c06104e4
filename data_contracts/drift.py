"""What changed in a table since its contract was agreed, seen before any row is read (S-2.6.7a)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from data_contracts.errors import LanguageUnknown
from data_contracts.physical import PhysicalType, physical_type, sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_contracts.contract import Column, Contract

Kind = Literal["vanished", "retyped", "narrowed", "widened", "new", "nullable now", "key changed"]
NOTHING: Final = "–"
_WORDS: Final[dict[str, dict[str, str]]] = {
    "nl": {
        "vanished": "De kolom {column} van {table} is er niet meer{hint}.",
        "retyped": "De kolom {column} van {table} is nu {seen}; afgesproken is {agreed}.",
        "narrowed": "In de kolom {column} van {table} past nu minder ({seen}); afgesproken is {agreed}.",
        "widened": "In de kolom {column} van {table} past nu meer ({seen}); afgesproken is {agreed}.",
        "new": "{table} heeft een nieuwe kolom {column} ({seen}); die wordt niet gelezen.",
        "new, to be filled": "{table} heeft een nieuwe kolom {column} ({seen}) die niet leeg mag blijven.",
        "nullable now": "De kolom {column} van {table} mag nu leeg zijn; afgesproken is dat hij gevuld is.",
        "key changed": "De sleutel van {table} is nu {seen}; afgesproken is {agreed}.",
        "hint": "; misschien heet hij nu {near}",
    },
    "en": {
        "vanished": "The column {column} of {table} is gone{hint}.",
        "retyped": "The column {column} of {table} is now {seen}; agreed is {agreed}.",
        "narrowed": "The column {column} of {table} now holds less ({seen}); agreed is {agreed}.",
        "widened": "The column {column} of {table} now holds more ({seen}); agreed is {agreed}.",
        "new": "{table} has a new column {column} ({seen}); it is not read.",
        "new, to be filled": "{table} has a new column {column} ({seen}) that may not stay empty.",
        "nullable now": "The column {column} of {table} may now be empty; agreed is that it is filled.",
        "key changed": "The key of {table} is now {seen}; agreed is {agreed}.",
        "hint": "; perhaps it is now called {near}",
    },
}


class ColumnSeen(Protocol):
    """A column as a connection sees it now."""

    @property
    def name(self) -> str:
        """As it stands there."""

    @property
    def physical_type(self) -> str:
        """In the database's own words."""

    @property
    def logical_type(self) -> str:
        """Of which kind it is; `other` when of none that is known."""

    @property
    def nullable(self) -> bool:
        """Whether it may be empty."""

    @property
    def length(self) -> int | None:
        """Greatest number of characters."""

    @property
    def precision(self) -> int | None:
        """Digits in all."""

    @property
    def scale(self) -> int | None:
        """Digits behind the point."""

    @property
    def key_position(self) -> int | None:
        """Its place in the primary key, from 1."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between a table and its contract.

    Attributes:
        kind: what happened.
        table: at the ERP.
        column: of that table; of a key, its columns.
        agreed: the type or key that was agreed.
        seen: what is there now.
        stops: whether nothing may be exchanged until somebody has looked at it.
        near: a column that may be the one that vanished, under another name.
    """

    kind: Kind
    table: str
    column: str
    agreed: str = NOTHING
    seen: str = NOTHING
    stops: bool = False
    near: str = ""

    def words(self, language: str) -> str:
        """Say it to a person.

        Raises:
            LanguageUnknown: not in that language.
        """
        if language not in _WORDS:
            raise LanguageUnknown(language=language, known=", ".join(_WORDS))
        words = _WORDS[language]
        name = "new, to be filled" if self.kind == "new" and self.stops else self.kind
        hint = words["hint"].format(near=self.near) if self.near else ""
        return words[name].format(
            column=self.column, table=self.table, agreed=self.agreed, seen=self.seen, hint=hint
        )


def drift(contract: Contract, seen: Sequence[ColumnSeen]) -> tuple[Drift, ...]:
    """Return how a table differs from its contract, in the contract's order, what is new at the end.

    Args:
        contract: what was agreed.
        seen: the columns of the table as they are now; in whatever order, which says nothing.
    """
    return tuple(_drift(contract, {column.name: column for column in seen}))


def _drift(contract: Contract, seen: dict[str, ColumnSeen]) -> Iterator[Drift]:
    agreed = {column.name for column in contract.table.columns}
    fresh = [name for name in seen if name not in agreed]
    for column in contract.table.columns:
        if column.name in seen:
            yield from _changed(contract, column, seen[column.name])
        else:
            yield _vanished(contract, column, fresh)
    yield from _key(contract, seen)
    for name in fresh:
        # Whoever writes rows must fill what may not be empty; whoever reads them leaves it alone.
        filled = contract.direction == "out" and not seen[name].nullable
        table = contract.table.source_name
        yield Drift("new", table, name, seen=seen[name].physical_type, stops=filled)


def _vanished(contract: Contract, column: Column, fresh: list[str]) -> Drift:
    same = [name for name in fresh if name.lower() == column.name.lower()]
    near = same or difflib.get_close_matches(column.name, fresh, n=1)
    table, agreed = contract.table.source_name, column.physical_type
    return Drift("vanished", table, column.name, agreed, stops=True, near=near[0] if near else "")


def _changed(contract: Contract, column: Column, seen: ColumnSeen) -> Iterator[Drift]:
    table = contract.table.source_name
    now = _type_of(seen)
    agreed = [physical_type(each) for each in column.physical_types]
    alike = [each for each in agreed if each.kind == now.kind]
    if not alike:
        names = " / ".join(column.physical_types)
        yield Drift("retyped", table, column.name, names, seen.physical_type, stops=True)
    elif not any(now.holds(each) for each in alike):
        # What no longer fits is cut off, or refused, where we write; where we read it cannot come to be.
        stops = contract.direction == "out"
        yield Drift("narrowed", table, column.name, alike[0].text, seen.physical_type, stops=stops)
    elif not any(each.holds(now) for each in alike):
        yield Drift("widened", table, column.name, alike[0].text, seen.physical_type)
    if column.required and seen.nullable and contract.direction != "out":
        yield Drift("nullable now", table, column.name)


def _type_of(seen: ColumnSeen) -> PhysicalType:
    named = physical_type(seen.physical_type)
    kind = named.kind if seen.logical_type == "other" else seen.logical_type
    if kind == "integer" and named.kind == "integer":
        return named
    if kind == "string" and seen.length is not None:
        return sized(seen.physical_type, kind, seen.length, None)
    if kind == "number" and seen.precision is not None:
        return sized(seen.physical_type, kind, seen.precision, seen.scale)
    return named if named.kind == kind else PhysicalType(seen.physical_type, kind)


def _key(contract: Contract, seen: dict[str, ColumnSeen]) -> Iterator[Drift]:
    placed = [column for column in seen.values() if column.key_position is not None]
    key = tuple(column.name for column in sorted(placed, key=lambda each: each.key_position or 0))
    # Many an ERP declares no keys at all, and views have none: that says nothing.
    if key and set(key) != set(contract.key):
        names = ", ".join(contract.key)
        yield Drift("key changed", contract.table.source_name, names, names, ", ".join(key), stops=True)
