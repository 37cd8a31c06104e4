"""An interface as the exchange uses it: its data contract, seen from the Suite's table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import column, or_, true

from tasks.erp.errors import UnknownInterface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from sqlalchemy import ColumnClause, ColumnElement, Select, Table

    from data_contracts.contract import Contract

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
        return [column(name) for name in dict.fromkeys(names)]

    @property
    def local_change(self) -> str | None:
        """The Suite's column that says that somebody changed the row there; None when it has none."""
        return self.contract.local_change

    @property
    def on_removal(self) -> Mapping[str, Any]:
        """What is set on a row that the ERP removed; empty: it is deleted."""
        return self.contract.deletions.sets

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

    def living(self, rows: Select[Any], staging: Any) -> Select[Any]:
        """Those of staged rows that the ERP has not marked as deleted."""
        from data_contracts.sql.conversion import is_deleted

        gone = is_deleted(self.contract, staging)
        return rows if gone is None else rows.where(~gone)

    def deleted(self, rows: Select[Any], staging: Any) -> Select[Any] | None:
        """Those that it has marked as deleted; None when it marks none."""
        from data_contracts.sql.conversion import is_deleted

        gone = is_deleted(self.contract, staging)
        return None if gone is None else rows.where(gone)

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
        from data_contracts.sql.violations import violations

        return violations(self.contract, staging, dialect)

    def converted(self, staging: Table, dialect: str) -> list[ColumnElement[Any]]:
        """The values for `target_names`, in their order."""
        from data_contracts.sql.conversion import converted

        return converted(self.contract, staging, dialect)

    def source_key_text(self, staging: Any) -> ColumnElement[str]:
        """The key of staged rows as the bookkeeping writes it."""
        from tasks.erp.upsert import key_text

        return key_text([staging.c[name] for name in self.contract.key])

    def key_of(self, row: Mapping[str, str | None]) -> str:
        """The same of one row."""
        return "/".join(row[name] or "" for name in self.contract.key)

    def reasons(self, rules: Sequence[str], row: Mapping[str, Any]) -> dict[str, list[str]]:
        """Why a row is bad, in words, per language."""
        known = self._rules
        return {language: [known[rule].words(language, row) for rule in rules] for language in LANGUAGES}

    def title_of(self, rule: str) -> str:
        """What a rule asks."""
        return str(self._rules[rule].words("en", {}))

    @cached_property
    def counting_rules(self) -> list[str]:
        """The rules that make a row a bad one; the others only leave it out."""
        return [name for name, rule in self._rules.items() if rule.counts]

    @cached_property
    def _rules(self) -> Mapping[str, Any]:
        from data_contracts.rules import rules_of

        return {rule.name: rule for rule in rules_of(self.contract)}


INBOUND = ("orders", "operations", "materials")
OUTBOUND = ("status_out", "hours_out", "materials_out")


@cache
def interface(name: str) -> Interface:
    """The interface of that name, as its contract in `data_contracts` says.

    Raises:
        UnknownInterface: there is no such contract.
    """
    from data_contracts.loading import contract_for

    if name not in (*INBOUND, *OUTBOUND):
        raise UnknownInterface(interface=name, allowed=", ".join((*INBOUND, *OUTBOUND)))
    return Interface(contract_for(name))
