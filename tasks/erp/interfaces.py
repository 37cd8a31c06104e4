"""An interface as the exchange uses it: its data contract, seen from the Suite's table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Text, column, or_, true

from data_contracts import sql
from data_contracts.loading import contract_for, parse_contract
from data_contracts.own import OUR_KEY
from data_contracts.rules import TRIMMED, rules_of
from data_contracts.sql.judging import alive
from tasks.erp.errors import UnknownInterface
from tasks.erp.keys import key_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from sqlalchemy import ColumnClause, ColumnElement, Select, Table
    from sqlalchemy.types import TypeEngine

    from data_contracts.contract import Contract
    from data_contracts.rules import Rule

    Contracts = Mapping[str, str]

# Keys are kept in tables of their own; of other columns the database alone knows the type.
_KEY_TYPES: dict[str, TypeEngine[Any]] = {"string": Text(), "integer": BigInteger()}
LANGUAGES = ("nl", "en")


@dataclass(frozen=True)
class Interface:
    """One direction of the exchange, as its contract describes it."""

    contract: Contract

    @property
    def name(self) -> str:
        """Such as `orders`."""
        return self.contract.interface

    @property
    def version(self) -> str:
        """Of the contract."""
        return self.contract.version

    @property
    def source(self) -> str:
        """The ERP's table."""
        return self.contract.table.source_name

    @property
    def target(self) -> str:
        """The Suite's table."""
        return self.contract.table.target_name

    @property
    def staging_name(self) -> str:
        """The staging table of one batch."""
        return f"erp_staging_{self.name}"

    @cached_property
    def column_names(self) -> list[str]:
        """The columns at the ERP, in the contract's order."""
        return [each.name for each in self.contract.table.columns]

    @cached_property
    def target_names(self) -> list[str]:
        """The columns of the Suite that are filled, in the same order."""
        return [each.target for each in self.contract.table.columns if each.target is not None]

    @cached_property
    def target_key(self) -> list[str]:
        """What tells one row of the Suite from another."""
        named = {each.name: each.target for each in self.contract.table.columns}
        return [target for name in self.contract.key if (target := named[name]) is not None]

    @cached_property
    def target_values(self) -> list[str]:
        """The columns of the Suite outside its key."""
        return [name for name in self.target_names if name not in self.target_key]

    @property
    def target_columns(self) -> list[ColumnClause[Any]]:
        """All columns of the Suite that the exchange touches."""
        added = [self.local_change] if self.local_change else []
        names = [*self.target_names, *added, *self.on_removal]
        kinds = {each.target: _KEY_TYPES.get(each.logical_type) for each in self.contract.table.columns}
        return [column(name, kinds.get(name)) for name in dict.fromkeys(names)]

    @property
    def local_change(self) -> str | None:
        """The Suite's column that says that somebody changed the row there; None when it has none."""
        return self.contract.local_change

    @property
    def on_removal(self) -> Mapping[str, Any]:
        """What is set on a row that the ERP removed; empty: it is deleted."""
        return self.contract.deletions.sets

    @property
    def marked(self) -> str:
        """What the watermark is one of: the ERP's table and the column that tells its changes."""
        return f"{self.source}.{self.contract.change.column}"

    @cached_property
    def key_column(self) -> str | None:
        """The ERP's column that takes our key, where its rows are found by it; None where it has none."""
        columns = [self.contract.table.column(name) for name in self.contract.key]
        return columns[0].name if [each.field_name for each in columns] == [OUR_KEY] else None

    def at_erp(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What the Suite gives, by the names of the ERP; a name that the contract does not have stays."""
        names = {each.field_name: each.name for each in self.contract.table.columns}
        return {names.get(name, name): value for name, value in payload.items()}

    @property
    def order_column(self) -> str:
        """The ERP's column that holds the order number: the first of the key."""
        return self.contract.key[0]

    @property
    def summed(self) -> list[str]:
        """The Suite's columns that are added up on both sides: numbers outside the key."""
        numbers = {"integer", "number"}
        columns = self.contract.table.columns
        named = [each.target for each in columns if each.logical_type in numbers and each.target]
        return [name for name in named if name not in self.target_key]

    def living(self, rows: Select[Any], staging: Any, dialect: str) -> Select[Any]:
        """Those of staged rows that the ERP has not marked as deleted."""
        still = self._alive(staging, dialect)
        return rows if still is None else rows.where(still)

    def deleted(self, rows: Select[Any], staging: Any, dialect: str) -> Select[Any] | None:
        """Those that it has marked as deleted; None when it marks none."""
        still = self._alive(staging, dialect)
        return None if still is None else rows.where(~still)

    def _alive(self, staging: Any, dialect: str) -> ColumnElement[bool] | None:
        if self.contract.tombstone is None:
            return None
        mark = self.contract.table.column(self.contract.tombstone)
        return alive(sql.speech_of(dialect).key(mark, staging.c[mark.name]))

    def open_rows(self, target: Any) -> ColumnElement[bool]:
        """Rows of the Suite that the exchange has not closed because the ERP removed them."""
        closed = [target.c[name].is_distinct_from(value) for name, value in self.on_removal.items()]
        return or_(*closed) if closed else true()

    @property
    def bad_share_limit(self) -> Decimal:
        """The share of bad rows above which nothing is loaded."""
        return self.contract.bad_share_limit

    def violations(self, staging: Table, dialect: str) -> Select[Any]:
        """Select (row_id, rule) of everything that is wrong."""
        return sql.violations(self.contract, staging, dialect)

    def settings(self, dialect: str) -> tuple[str, ...]:
        """Statements that make the check of a large batch faster, for one transaction."""
        return sql.settings_of(dialect)

    def converted(self, staging: Table, dialect: str, *, trusted: bool = False) -> list[ColumnElement[Any]]:
        """The values for `target_names`, in their order; `trusted` where only good rows are selected."""
        return sql.converted(self.contract, staging, dialect, trusted=trusted)

    def converted_key(self, staging: Any, dialect: str) -> list[ColumnElement[Any]]:
        """The values for `target_key` alone, under those names."""
        speech = sql.speech_of(dialect)
        columns = [self.contract.table.column(name) for name in self.contract.key]
        return [
            speech.converted(each, staging.c[each.name], trusted=False).label(each.target) for each in columns
        ]

    def source_key_text(self, staging: Any, dialect: str) -> ColumnElement[str]:
        """The key of staged rows as the quarantine writes it: trimmed, its parts with a slash between."""
        speech = sql.speech_of(dialect)
        return key_text([speech.text(staging.c[name]) for name in self.contract.key])

    def key_of(self, row: Mapping[str, str | None]) -> str:
        """The same of one row."""
        return "/".join((row[name] or "").strip(TRIMMED) for name in self.contract.key)

    def reasons(self, rules: Sequence[str], row: Mapping[str, Any]) -> dict[str, list[str]]:
        """Why a row is bad, in words, per language."""
        known = self._rules
        return {language: [known[rule].words(language, row) for rule in rules] for language in LANGUAGES}

    def title_of(self, rule: str) -> str:
        """What a rule asks."""
        return self._rules[rule].words("en", {})

    @cached_property
    def counting_rules(self) -> list[str]:
        """The rules that make a row a bad one; the others only leave it out."""
        return [name for name, rule in self._rules.items() if rule.counts]

    @cached_property
    def _rules(self) -> Mapping[str, Rule]:
        return {rule.name: rule for rule in rules_of(self.contract)}


INBOUND = ("orders", "operations", "materials")
OUTBOUND = ("status_out", "hours_out", "materials_out")
PRODUCTS: Contracts = MappingProxyType({})


def interface(name: str, own: Contracts = PRODUCTS) -> Interface:
    """The interface of that name: by the customer's own contract, else as the product's says.

    Args:
        name: such as `orders`.
        own: the texts of the customer's own contracts, by interface.

    Raises:
        UnknownInterface: there is no such contract.
    """
    if name not in (*INBOUND, *OUTBOUND):
        raise UnknownInterface(interface=name, allowed=", ".join((*INBOUND, *OUTBOUND)))
    return _read(name, own.get(name))


# To read one takes 30 ms; a vendor has some dozens of customers, of whom few have contracts of their own.
@lru_cache(maxsize=256)
def _read(name: str, text: str | None) -> Interface:
    return Interface(contract_for(name) if text is None else parse_contract(text, f"{name}.yaml"))
