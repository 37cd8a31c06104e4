"""Rules that look beyond the row: keys that stand twice in a batch, and references into the Suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data_contracts.names import ROW_ID
from data_contracts.sql.judging import alive
from data_contracts.sql.speech import Expression, KeyWay, Speech, number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.contract import Contract
    from data_contracts.rules import Rule


def place_among_same(
    speech: Speech, contract: Contract, rule: Rule, staging: sa.FromClause, keys: Sequence[Expression]
) -> Expression:
    """The place of a row among those with its key: by age from 1, or (`duplicate`) how many they are.

    Only meaningful where no part of the key is NULL.
    """
    if rule.kind == "duplicate":
        return sa.func.count().over(partition_by=keys)
    order: list[Expression] = []
    if contract.change.kind != "key":
        column = contract.table.column(contract.change.column)
        order = speech.newest_first(column, staging.c[column.name])
    # Of two rows of one version, the one that was read last.
    return sa.func.row_number().over(partition_by=keys, order_by=[*order, staging.c[ROW_ID].desc()])


def same_keys(
    speech: Speech, contract: Contract, rule: Rule, staging: sa.FromClause, texts: sa.FromClause
) -> list[sa.Select[Any]]:
    """The rows whose key stands twice (`duplicate`), or of which a newer one is there (`overtaken`)."""
    ways = speech.key_ways(rule, staging, texts)
    return [_same(speech, contract, rule, staging, way) for way in ways]


def _same(
    speech: Speech, contract: Contract, rule: Rule, staging: sa.FromClause, way: KeyWay
) -> sa.Select[Any]:
    keys, taken = way
    place = place_among_same(speech, contract, rule, staging, keys).label("place")
    parts = [key.label(f"part_{at}") for at, key in enumerate(keys)]
    placed = sa.select(staging.c[ROW_ID], place, *parts).subquery()
    found = sa.select(placed.c[ROW_ID], sa.literal(rule.name).label("rule")).where(
        placed.c.place > number_text(1), *(placed.c[part.name].is_not(None) for part in parts)
    )
    return found if taken is None else found.where(taken)


def unknown(speech: Speech, rule: Rule, staging: sa.FromClause) -> Expression:
    """Whether what a row refers to is not in the Suite; what refers to nothing is not judged."""
    reference = rule.column.reference
    assert reference is not None  # noqa: S101 - that is when there is such a rule
    there = sa.table(reference.table, sa.column(reference.column)).alias("referred")
    given = speech.key(rule.column, staging.c[rule.column.name])
    found = sa.exists(sa.select(sa.literal_column("1")).where(there.c[reference.column] == given))
    return sa.and_(given.is_not(None), sa.not_(found))


def strays(speech: Speech, contract: Contract, rule: Rule, staging: sa.FromClause) -> sa.Select[Any]:
    """The rows that refer to what is not in the Suite."""
    condition = unknown(speech, rule, staging)
    if rule.of_living and contract.tombstone is not None:
        mark = contract.table.column(contract.tombstone)
        condition = sa.and_(condition, alive(speech.key(mark, staging.c[mark.name])))
    return sa.select(staging.c[ROW_ID], sa.literal(rule.name).label("rule")).where(condition)
