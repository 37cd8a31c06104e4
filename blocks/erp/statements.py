"""The SQL that is spoken to an ERP, built once for each form and compiled for its dialect.

Names come from data contracts and are quoted always; values are bound always, without a type of our own: the
column's type decides what they become.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import quoted_name

from blocks.erp.errors import NameInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.sql.selectable import TableClause

KEY: str = "external_key"
AT: str = "at"


@dataclass(frozen=True, slots=True)
class Statement:
    """Text in the driver's own form, and the names of its values in their order."""

    text: str
    names: tuple[str, ...]

    def values(self, named: dict[str, Any]) -> tuple[Any, ...]:
        """The values in the driver's order."""
        return tuple(named[name] for name in self.names)


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a column with a bound value: `=`, `>`, `>=`, `<`, `<=`."""

    column: str
    sign: str


def name(text: str) -> quoted_name:
    """A name that is quoted whatever it looks like.

    Raises:
        NameInvalid: it is empty or holds a null sign.
    """
    if not text or "\0" in text:
        raise NameInvalid(name=text)
    return quoted_name(text, quote=True)


def split(table: str) -> tuple[str | None, str]:
    """Take `schema.table` apart."""
    schema, _, bare = table.rpartition(".")
    return schema or None, bare


def parameter(number: int) -> str:
    """The name of the n-th value."""
    return f"p{number}"


class Statements:
    """Compiles for one dialect; the text of each form is made once.

    Args:
        dialect: with the paramstyle of the driver (`qmark` or `format`).
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._made: dict[Any, Statement] = {}

    def select(self, table: str, columns: Sequence[str], conditions: Sequence[Condition] = ()) -> Statement:
        """Rows of a table under conditions, whose values are `p0`, `p1`, … in their order."""
        form = ("select", table, tuple(columns), tuple(conditions))
        if form not in self._made:
            source = _source(table, [*columns, *_named(conditions)])
            query = sa.select(*(source.c[each] for each in columns))
            self._made[form] = self._compiled(_under(query, source, conditions))
        return self._made[form]

    def highest(self, table: str, column: str, conditions: Sequence[Condition] = ()) -> Statement:
        """The greatest value of a column."""
        source = _source(table, [column, *_named(conditions)])
        return self._compiled(_under(sa.select(sa.func.max(source.c[column])), source, conditions))

    def ceiling(self, table: str, column: str, conditions: Sequence[Condition], count: int) -> Statement:
        """The value of a column at the `count`-th row from below: the last of the lowest so many."""
        source = _source(table, [column, *_named(conditions)])
        lowest = _under(sa.select(source.c[column].label("v")), source, conditions)
        lowest = lowest.where(source.c[column].is_not(None)).order_by(source.c[column])
        # Literals: bound values of its own would have no name among `p0`, `p1`.
        first = lowest.limit(sa.literal_column(str(int(count)))).offset(sa.literal_column("0"))
        inner = first.subquery("lowest")
        return self._compiled(sa.select(sa.func.max(inner.c.v)))

    def plain(self, text: str) -> Statement:
        """Text of our own; its values are `:p0`, `:p1` and so on."""
        if text not in self._made:
            self._made[text] = self._compiled(sa.text(text))
        return self._made[text]

    def longest(self, table: str, columns: Sequence[str]) -> Statement:
        """The greatest number of signs in text columns."""
        source = _source(table, columns)
        return self._compiled(
            sa.select(*(sa.func.max(sa.func.char_length(source.c[each])) for each in columns))
        )

    def totals(self, table: str, sums: Sequence[str], conditions: Sequence[Condition]) -> Statement:
        """The number of rows and the exact sums of columns."""
        source = _source(table, [*sums, *_named(conditions)])
        added = [self._sum(source.c[each]) for each in sums]
        query = sa.select(sa.func.count(), *added).select_from(source)
        return self._compiled(_under(query, source, conditions))

    def insert(self, table: str, columns: Sequence[str]) -> Statement:
        """One row, its values `p0`, `p1`, … in the order of the columns."""
        form = ("insert", table, tuple(columns))
        if form not in self._made:
            self._made[form] = self._compiled(sa.insert(_table(table, columns)).values(_row(columns)))
        return self._made[form]

    def insert_once(self, table: str, columns: Sequence[str], unique: str) -> Statement:
        """One row unless its value of the unique column is there; the number of rows tells which."""
        form = ("once", table, tuple(columns), unique)
        if form not in self._made:
            self._made[form] = self._compiled(self._once(table, _row(columns), unique))
        return self._made[form]

    def take_key(self, table: str) -> Statement:
        """The key `p0` into a table of keys, at the ERP's own time; no row when it is there."""
        form = ("key", table)
        if form not in self._made:
            row = _row([KEY]) | {name(AT): sa.func.current_timestamp()}
            self._made[form] = self._compiled(self._once(table, row, KEY))
        return self._made[form]

    def update(self, table: str, columns: Sequence[str], keys: Sequence[str]) -> Statement:
        """Set columns (`p0`, …) of the rows with these keys (the parameters after them)."""
        form = ("update", table, tuple(columns), tuple(keys))
        if form not in self._made:
            target = _table(table, dict.fromkeys([*columns, *keys]))
            where = [target.c[each] == _bound(len(columns) + number) for number, each in enumerate(keys)]
            self._made[form] = self._compiled(sa.update(target).where(*where).values(_row(columns)))
        return self._made[form]

    def _once(self, table: str, row: dict[quoted_name, Any], unique: str) -> sa.Insert:
        target = _table(table, row)
        if self._dialect.name == "postgresql":
            once = postgresql.insert(target).values(row)
            return once.on_conflict_do_nothing(index_elements=[name(unique)])
        if self._dialect.name == "sqlite":
            return sqlite.insert(target).values(row).on_conflict_do_nothing(index_elements=[name(unique)])
        there = _source(table, [unique])
        # The lock keeps two writers from both finding nothing; the unique index is what proves it.
        held: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(there)
        held = held.with_hint(there, "WITH (UPDLOCK, HOLDLOCK)", "mssql")
        absent = ~sa.exists(held.where(there.c[unique] == row[name(unique)]))
        return sa.insert(target).from_select(list(row), sa.select(*row.values()).where(absent))

    def _sum(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        if self._dialect.name == "sqlite":
            added = sa.func.exact_sum(column)  # our own: SQLite adds decimals as floats
            return sa.func.coalesce(added, sa.literal_column("0"))
        kind: sa.Numeric[Any] = sa.Numeric(38, 10) if self._dialect.name == "mssql" else sa.Numeric()
        return sa.func.coalesce(sa.func.sum(sa.cast(column, kind)), sa.literal_column("0"))

    def _compiled(self, statement: sa.ClauseElement) -> Statement:
        compiled = statement.compile(dialect=self._dialect)
        return Statement(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()))


def _table(table: str, columns: Iterable[str] = ()) -> TableClause:
    schema, bare = split(table)
    held: list[sa.ColumnClause[Any]] = [sa.column(name(each)) for each in columns]
    return sa.table(name(bare), *held, schema=name(schema) if schema else None)


def _source(table: str, columns: Iterable[str]) -> sa.FromClause:
    # Each column is named with its table: SQLite takes an unknown "name" alone for the text 'name'.
    return _table(table, dict.fromkeys(columns)).alias("t")


def _bound(number: int) -> sa.BindParameter[Any]:
    # Without a type: a guessed one makes casts, and a cast of an aware instant drops its zone silently.
    return sa.bindparam(parameter(number), type_=sa.types.NullType(), required=True)


def _row(columns: Sequence[str]) -> dict[quoted_name, Any]:
    return {name(each): _bound(number) for number, each in enumerate(columns)}


def _named(conditions: Sequence[Condition]) -> list[str]:
    return [each.column for each in conditions]


def _under(query: sa.Select[Any], source: sa.FromClause, conditions: Sequence[Condition]) -> sa.Select[Any]:
    for number, each in enumerate(conditions):
        query = query.where(source.c[each.column].op(each.sign, is_comparison=True)(_bound(number)))
    return query
