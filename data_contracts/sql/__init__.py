"""A contract's rules as statements that judge a whole staging table at once.

The staging table holds the ERP's columns under the ERP's names, in the ERP's types or as text, and a column
`row_id` that numbers its rows. Nothing in it makes a statement fail, whatever stands there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from data_contracts.errors import DialectUnknown, StagingUnfit
from data_contracts.names import ALIVE, KNOWN, LOOSE, ROW_ID, place_name
from data_contracts.rules import rules_of
from data_contracts.sql.judging import alive, broken, judged, valued
from data_contracts.sql.keys import place_among_same, same_keys, strays, unknown
from data_contracts.sql.mssql import TransactSQL
from data_contracts.sql.postgresql import PostgreSQL
from data_contracts.sql.quick import BEYOND, is_text
from data_contracts.sql.speech import Expression, Speech, number_text
from data_contracts.sql.sqlite import SQLite

if TYPE_CHECKING:
    from data_contracts.contract import Contract
    from data_contracts.rules import Rule

_SPEECHES: Final[dict[str, Speech]] = {each.name: each for each in (PostgreSQL(), SQLite(), TransactSQL())}


def speech_of(dialect: str | sa.Dialect) -> Speech:
    """Return how a database is spoken to.

    Raises:
        DialectUnknown: rules are not compiled for it.
    """
    name = dialect if isinstance(dialect, str) else dialect.name
    if name not in _SPEECHES:
        raise DialectUnknown(dialect=name, known=", ".join(_SPEECHES))
    return _SPEECHES[name]


def violations(contract: Contract, staging: sa.FromClause, dialect: str | sa.Dialect) -> sa.Select[Any]:
    """Select (row_id, rule) for every rule that every row breaks; a row may break several.

    Args:
        contract: what was agreed.
        staging: the table with the rows; its column types say how they are held.
        dialect: of the database, by name or as SQLAlchemy has it.

    Raises:
        DialectUnknown: rules are not compiled for that database.
        StagingUnfit: the table lacks a column.
    """
    speech = speech_of(dialect)
    check_fit(contract, staging)
    texts, rows = _judged_once(speech, contract, staging)
    rules = rules_of(contract)
    inner = [rule for rule in rules if rule.kind not in BEYOND]
    if speech.one_pass:
        found = [_asked_at_once(speech, contract, inner, rows)]
    else:
        found = [_asked(speech, contract, rule, rows) for rule in inner]
    found += [strays(speech, contract, rule, staging) for rule in rules if rule.kind == "reference"]
    keys = [rule for rule in rules if rule.kind in {"duplicate", "overtaken"}]
    for rule in keys:
        found += same_keys(speech, contract, rule, staging, texts)
    every = sa.union_all(*found).subquery("violations")
    return sa.select(every.c[ROW_ID], every.c.rule)


def _judged_once(speech: Speech, contract: Contract, staging: sa.FromClause) -> tuple[sa.CTE, sa.CTE]:
    """The trimmed texts of the suspects, and the same with the values: each worked out once."""
    columns = contract.table.columns
    trimmed = {column.name: speech.text(staging.c[column.name]) for column in columns}
    keyed = [rule.columns for rule in rules_of(contract) if rule.kind in {"duplicate", "overtaken"}]
    keys = sorted({name for names in keyed for name in names if is_text(staging.c[name])})
    trims = (sa.cast(staging.c[name], sa.Text).is_distinct_from(trimmed[name]) for name in keys)
    loose = sa.or_(sa.false(), *trims)
    texts_of = [text.label(name) for name, text in trimmed.items()]
    suspect = speech.suspects(contract, staging)
    texts = sa.select(staging.c[ROW_ID], *texts_of)
    if suspect is not None:
        texts = texts.add_columns(loose.label(LOOSE)).where(suspect)
    once = _once(texts, "texts", speech)
    return once, _once(valued(speech, columns, once, [ROW_ID]), "judged", speech)


def _asked(speech: Speech, contract: Contract, rule: Rule, rows: sa.CTE) -> sa.Select[Any]:
    condition = broken(speech, contract, rule, rows)
    return sa.select(rows.c[ROW_ID], sa.literal(rule.name).label("rule")).where(condition)


def _once(query: sa.Select[Any], name: str, speech: Speech) -> sa.CTE:
    named = query.cte(name)
    return named if speech.one_pass else named.prefix_with("MATERIALIZED")


def _asked_at_once(speech: Speech, contract: Contract, rules: list[Rule], rows: sa.CTE) -> sa.Select[Any]:
    names = sa.values(sa.column("rule", sa.String(160)), name="rules", literal_binds=True)
    asked = names.data([(rule.name,) for rule in rules])
    answers = [
        (
            asked.c.rule == sa.literal_column(f"'{rule.name}'"),
            sa.case((broken(speech, contract, rule, rows), number_text(1)), else_=number_text(0)),
        )
        for rule in rules
    ]
    return sa.select(rows.c[ROW_ID], asked.c.rule).where(sa.case(*answers) == number_text(1))


def converted(
    contract: Contract, staging: sa.FromClause, dialect: str | sa.Dialect, *, trusted: bool = False
) -> list[Expression]:
    """Return what each column of the Suite gets from a row, under the Suite's names.

    Args:
        contract: what was agreed.
        staging: the table with the rows.
        dialect: of the database.
        trusted: only rows that break no rule are selected, in the same statement and before this is worked
            out (a WHERE beside it does that): spares good rows a second look, several times as fast.

    Raises:
        DialectUnknown: rules are not compiled for that database.
        StagingUnfit: the table lacks a column.
    """
    speech = speech_of(dialect)
    check_fit(contract, staging)
    found: list[Expression] = []
    for column in contract.table.columns:
        if column.target is not None:
            value = speech.converted(column, staging.c[column.name], trusted=trusted)
            if column.default is not None:
                value = sa.func.coalesce(value, sa.literal(column.default), type_=value.type)
            found.append(value.label(column.target))
    return found


def settings_of(dialect: str | sa.Dialect) -> tuple[str, ...]:
    """Return statements that make a big check faster, for the transaction in which it runs."""
    return speech_of(dialect).settings()


def view_of(
    contract: Contract, staging: sa.FromClause, dialect: str | sa.Dialect, *, references: bool = True
) -> sa.Select[Any]:
    """Select what the suite of expectations looks at: of every row its texts, values, place and references.

    Args:
        contract: what was agreed.
        staging: the table with the rows.
        dialect: of the database.
        references: whether the tables of the Suite lie in the same database and are asked.
    """
    speech = speech_of(dialect)
    check_fit(contract, staging)
    rules = rules_of(contract)
    others = [staging.c[ROW_ID], _alive(speech, contract, staging).label(ALIVE)]
    for rule in rules:
        if rule.kind in {"duplicate", "overtaken"}:
            keys = [speech.key(part, staging.c[part.name]) for part in rule.parts]
            place = place_among_same(speech, contract, rule, staging, keys)
            whole = sa.and_(*(key.is_not(None) for key in keys))
            others.append(sa.case((whole, place)).label(place_name(rule)))
        elif rule.kind == "reference" and references:
            known = sa.case((unknown(speech, rule, staging), number_text(0)), else_=number_text(1))
            others.append(known.label(f"{rule.column.name}{KNOWN}"))
    return judged(speech, contract.table.columns, staging, others)


def _alive(speech: Speech, contract: Contract, staging: sa.FromClause) -> Expression:
    if contract.tombstone is None:
        return number_text(1)
    mark = contract.table.column(contract.tombstone)
    living = alive(speech.key(mark, staging.c[mark.name]))
    return sa.case((living, number_text(1)), else_=number_text(0))


def check_fit(contract: Contract, staging: sa.FromClause) -> None:
    """Raise `StagingUnfit` unless the table has all columns that are needed."""
    needed = [ROW_ID, *(column.name for column in contract.table.columns)]
    missing = [name for name in needed if name not in staging.c]
    if missing:
        place = getattr(staging, "name", "the staging table")
        raise StagingUnfit(place=place, interface=contract.interface, missing=", ".join(missing))


__all__ = ["converted", "settings_of", "speech_of", "view_of", "violations"]
