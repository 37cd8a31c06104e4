"""A data contract as the programs use it: what one table holds, how it changes, who answers for it.

It is made from an Open Data Contract Standard document by `data_contracts.loading`. Clauses: S-4.2.1 (what is
exchanged with the ERP) and S-2.6.7a (that it stays intact).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from decimal import Decimal
    from pathlib import Path

    from data_contracts.pattern import Pattern

LogicalType = Literal["string", "integer", "number", "date", "timestamp", "boolean"]
Direction = Literal["in", "out", "overview"]
ChangeKind = Literal["row_version", "changed_at", "key"]
DeletionsBy = Literal["tombstone", "key_comparison", "none"]
Duplicates = Literal["newest", "refuse"]

INTERFACES: Final[Mapping[str, Direction]] = {
    "orders": "in",
    "operations": "in",
    "materials": "in",
    "status_out": "out",
    "hours_out": "out",
    "materials_out": "out",
    "overview": "overview",
}
"""Every interface there is, and which way its data goes, seen from the Suite."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The table and column of the Suite in which a value must be found."""

    table: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: as it is called at the ERP, and in staging.
        target: the column of the Suite that it fills; None when it serves the exchange only.
        logical_type: what its values mean.
        physical_type: the ERP's own type; `physical_types` holds it and those that will do as well.
        required: whether a value must be there; blanks are no value.
        primary_key_position: its place in the key, from 1; None outside of it.
        unique: whether no two rows may share a value.
        formats: how dates are written where they are held as text, such as `DD-MM-YYYY`.
        minimum: the least value, both ends included; a date counts as the number YYYYMMDD.
        maximum: the greatest.
        min_length: the least number of characters.
        max_length: the greatest.
        pattern: what the whole value looks like.
        allowed: the only values there may be, as text; empty when any may.
        decimals: the most digits behind the point.
        placeholders: what the ERP writes when it knows no date, as numbers YYYYMMDD.
        reference: where the value must be found in the Suite.
        default: what the Suite gets where the ERP has no value.
        labels: what people call it, by language.
        given_as: of an interface to the ERP, the name under which the Suite gives the value; None: its own.
    """

    name: str
    logical_type: LogicalType
    physical_types: tuple[str, ...]
    target: str | None = None
    required: bool = False
    primary_key_position: int | None = None
    unique: bool = False
    formats: tuple[str, ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: Pattern | None = None
    allowed: tuple[str, ...] = ()
    decimals: int | None = None
    placeholders: tuple[int, ...] = ()
    reference: Reference | None = None
    default: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)
    given_as: str | None = None

    @property
    def field_name(self) -> str:
        """The name under which the Suite gives the value, where it goes to the ERP."""
        return self.given_as or self.name

    @property
    def physical_type(self) -> str:
        """The ERP's own type."""
        return self.physical_types[0]

    def label(self, language: str) -> str:
        """What people who speak `language` call it."""
        return self.labels.get(language) or self.labels.get("en") or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a contract: its names on both sides and its columns."""

    source_name: str
    target_name: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of that name; `KeyError` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Change:
    """How changes are seen: by a row version, by a change time (read again over `overlap`), or by a key.

    Attributes:
        kind: which of them.
        column: the column that tells; of a key, its first.
        overlap: how far before the last one is read again: how long for a change time, how many for versions
            and keys, of which None leaves it to the connection.
    """

    kind: ChangeKind
    column: str
    overlap: timedelta | int | None = None


@dataclass(frozen=True, slots=True)
class Deletions:
    """How deletions are seen: a tombstone (a column of the row, or a table of its own), the keys, or not.

    `sets` names what the Suite's row gets when it was removed at the ERP; without it the row is deleted.
    """

    by: DeletionsBy
    column: str | None = None
    table: str | None = None
    sets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeriodOf:
    """What tells in which month a row lies, where both sides are compared.

    Attributes:
        column: a column of the contract; with `through`, one of the Suite's table that is referred to.
        through: the column whose reference leads there; None: `column` is the row's own.
    """

    column: str
    through: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one interface has agreed to.

    Attributes:
        interface: one of `INTERFACES`.
        version: of the contract, three numbers.
        status: the standard's own word, such as `active`.
        owner: the address that answers for it.
        table: the one table.
        freshness: how old the data may be at most, in service hours; a day of it is a working day of them.
        freshness_column: the change time that tells how old it is; None where the contract names none.
        bad_share_limit: the share of bad rows, 0 to 1, above which nothing of a batch is loaded.
        change: how changes are seen.
        deletions: how deletions are seen.
        duplicates: of rows with one key in a batch, whether the newest is taken or all are refused.
        local_change: the Suite's column that says when somebody changed the row there; the ERP overrules it.
        period: what tells the month of a row; None: rows are compared all together.
    """

    interface: str
    version: str
    status: str
    owner: str
    table: Table
    freshness: timedelta
    bad_share_limit: Decimal
    change: Change
    deletions: Deletions
    duplicates: Duplicates
    local_change: str | None = None
    freshness_column: str | None = None
    period: PeriodOf | None = None

    @classmethod
    def load(cls, path: Path) -> Contract:
        """Return the contract in the file at `path`.

        Raises:
            ContractFileError: the file cannot be read.
            ContractError: its first line that is not allowed.
        """
        from data_contracts.loading import load_contract  # it needs this module

        return load_contract(path)

    @property
    def direction(self) -> Direction:
        """Which way the data goes, seen from the Suite."""
        return INTERFACES[self.interface]

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the columns that tell one row from another, in their order."""
        keyed = [column for column in self.table.columns if column.primary_key_position is not None]
        return tuple(column.name for column in sorted(keyed, key=lambda each: each.primary_key_position or 0))

    @property
    def tombstone(self) -> str | None:
        """The column that says that a row is deleted, when there is one."""
        return self.deletions.column if self.deletions.by == "tombstone" else None
