"""The rules of a contract, each with its name and its words; `data_contracts.sql` says what they mean.

Every rule speaks of a trimmed value: blanks around it do not count, and nothing but blanks is no value. A
value that is missing breaks no rule but `required`; one that cannot be read (`type`) breaks none about size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from data_contracts.words import day_shown, formats_shown, shown, words_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from data_contracts.contract import Column, Contract

Kind = Literal[
    "required",
    "type",
    "length",
    "pattern",
    "allowed",
    "placeholder",
    "range",
    "decimals",
    "reference",
    "duplicate",
    "overtaken",
]
TRIMMED: Final = " \t\r\n\u00a0"
"""The signs around a value that do not belong to it."""
YES: Final = ("1", "true", "TRUE", "True", "t")
NO: Final = ("0", "false", "FALSE", "False", "f")
_DATED: Final = frozenset({"date", "timestamp"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that every row must keep.

    Attributes:
        name: `column.kind`, or `key.kind` for the key as a whole; stable, it stands in quarantine.
        kind: what is judged.
        parts: the columns it is about.
        counts: whether a row that breaks it counts as a bad row; one that a newer row of the same batch
            overtook does not.
        of_living: whether rows that the ERP marks as deleted are left out: of those only the key matters.
    """

    name: str
    kind: Kind
    parts: tuple[Column, ...]
    counts: bool = True
    of_living: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns it is about."""
        return tuple(part.name for part in self.parts)

    @property
    def column(self) -> Column:
        """The one column it is about (of a key: the first)."""
        return self.parts[0]

    def words(self, language: str, row: Mapping[str, Any]) -> str:
        """Say to a person why `row` (values by column name, as in staging) is not taken over.

        Args:
            language: `nl` or `en`.
            row: at least the columns of the rule.
        """
        words = words_in(language)
        value = row.get(self.column.name)
        text = str(value).strip(TRIMMED) if value is not None else None
        low, high = self._bounds
        return words[self._sentence].format(
            label=words["and"].join(part.label(language) for part in self.parts),
            value=words["and"].join(shown(row.get(name)) for name in self.columns),
            length=len(text or ""),
            low=low,
            high=high,
            formats=formats_shown(self.column.formats, language),
            pattern=self.column.pattern.text if self.column.pattern else "",
            allowed=", ".join(self.column.allowed),
            decimals=self.column.decimals,
        )

    @property
    def _sentence(self) -> str:
        if self.kind == "type":
            return f"type.{self.column.logical_type}"
        if self.kind not in {"length", "range"}:
            return self.kind
        low, high = self._bounds
        bounds = "between" if low is not None and high is not None else "most" if low is None else "least"
        return f"{self.kind}.{bounds}"

    @property
    def _bounds(self) -> tuple[str | None, str | None]:
        column = self.column
        if self.kind == "length":
            low = None if column.min_length is None else str(column.min_length)
            return low, None if column.max_length is None else str(column.max_length)
        return _bound(column, column.minimum), _bound(column, column.maximum)


def _bound(column: Column, value: Decimal | None) -> str | None:
    if value is None:
        return None
    return day_shown(int(value)) if column.logical_type in _DATED else f"{value:f}"


def rules_of(contract: Contract) -> tuple[Rule, ...]:
    """Return the rules of a contract, column by column and those on whole keys last."""
    return tuple(_rules(contract))


def _rules(contract: Contract) -> Iterator[Rule]:
    for column in contract.table.columns:
        for kind in _kinds(column):
            # Of a row that the ERP deleted, the key must be right, and the mark itself.
            living = contract.tombstone is not None and (
                kind == "reference" or column.name not in {*contract.key, contract.tombstone}
            )
            yield Rule(f"{column.name}.{kind}", kind, (column,), of_living=living)
        if column.unique and (column.name,) != contract.key:
            yield Rule(f"{column.name}.duplicate", "duplicate", (column,))
    key = tuple(contract.table.column(name) for name in contract.key)
    if contract.duplicates == "newest":
        yield Rule("key.overtaken", "overtaken", key, counts=False)
    else:
        yield Rule("key.duplicate", "duplicate", key)


def _kinds(column: Column) -> Iterator[Kind]:
    """The rules that a column has, in the order in which people would ask."""
    asked: tuple[tuple[Kind, bool], ...] = (
        ("required", column.required),
        ("type", column.logical_type != "string"),
        ("length", column.min_length is not None or column.max_length is not None),
        ("pattern", column.pattern is not None),
        ("allowed", bool(column.allowed)),
        ("placeholder", bool(column.placeholders)),
        ("range", column.minimum is not None or column.maximum is not None),
        ("decimals", column.decimals is not None),
        ("reference", column.reference is not None),
    )
    return (kind for kind, applies in asked if applies)


def rule_named(contract: Contract, name: str) -> Rule:
    """The rule of that name; `KeyError` when the contract has none (an older one may have had)."""
    for rule in _rules(contract):
        if rule.name == name:
            return rule
    raise KeyError(name)
