"""Text and value of every column side by side, and what it means there that a rule is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data_contracts.names import VALUE
from data_contracts.sql.speech import number_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from data_contracts.contract import Column, Contract
    from data_contracts.rules import Rule
    from data_contracts.sql.speech import Expression, Speech


def judged(
    speech: Speech, columns: Sequence[Column], source: sa.FromClause, others: Sequence[Any]
) -> sa.Select[Any]:
    """Select `others`, and of each column its trimmed text (under its name) and its value."""
    kept = [other.label(other.name) for other in others]
    trimmed = [speech.text(source.c[column.name]).label(column.name) for column in columns]
    texts = sa.select(*kept, *trimmed).select_from(source)
    return valued(speech, columns, texts.subquery("trimmed"), [each.name for each in kept])


def valued(
    speech: Speech, columns: Sequence[Column], texts: sa.FromClause, others: Sequence[str]
) -> sa.Select[Any]:
    """Select everything of trimmed texts, and the value of each that is not mere text."""
    values = [
        speech.value(column, texts.c[column.name]).label(f"{column.name}{VALUE}")
        for column in columns
        if column.logical_type != "string"
    ]
    return sa.select(
        *(texts.c[name] for name in others), *(texts.c[column.name] for column in columns), *values
    )


def broken(
    speech: Speech, contract: Contract, rule: Rule, row: sa.FromClause, *, living: bool = True
) -> Expression:
    """Whether a judged row breaks a rule on one of its columns; `living` heeds tombstones."""
    column = rule.column
    text = row.c[column.name]
    value = text if column.logical_type == "string" else row.c[f"{column.name}{VALUE}"]
    found = _MEANINGS[rule.kind](speech, column, text, value)
    if living and rule.of_living and contract.tombstone is not None:
        return sa.and_(found, alive(row.c[f"{contract.tombstone}{VALUE}"]))
    return found


def alive(tombstone: Expression) -> Expression:
    """Whether the ERP still has the row; a mark that cannot be read marks nothing."""
    return sa.func.coalesce(tombstone, number_text(0)) == number_text(0)


def _required(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    del speech, column, value
    return text.is_(None)


def _type(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    del speech, column
    return sa.and_(text.is_not(None), value.is_(None))


def _length(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    del value
    length = speech.length(text)
    return _outside(length, column.min_length, column.max_length)


def _pattern(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    del value
    assert column.pattern is not None  # noqa: S101 - that is when there is such a rule
    return sa.not_(speech.matches(text, column.pattern))


def _allowed(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    del speech
    if column.logical_type == "integer":
        return value.not_in([number_text(int(each)) for each in column.allowed])
    return text.not_in(column.allowed)


def _placeholder(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    del speech, text
    return value.in_([number_text(each) for each in column.placeholders])


def _range(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    low = None if column.minimum is None else f"{column.minimum:f}"
    high = None if column.maximum is None else f"{column.maximum:f}"
    outside = _outside(value, low, high)
    if not column.placeholders:
        return outside
    return sa.and_(outside, sa.not_(_placeholder(speech, column, text, value)))


def _outside(value: Expression, low: object, high: object) -> Expression:
    beyond = []
    if low is not None:
        beyond.append(value < number_text(low))
    if high is not None:
        beyond.append(value > number_text(high))
    return sa.or_(*beyond)


def _decimals(speech: Speech, column: Column, text: Expression, value: Expression) -> Expression:
    return sa.and_(value.is_not(None), speech.too_fine(text, value, column.decimals or 0))


_MEANINGS: dict[str, Callable[[Speech, Column, Expression, Expression], Expression]] = {
    "required": _required,
    "type": _type,
    "length": _length,
    "pattern": _pattern,
    "allowed": _allowed,
    "placeholder": _placeholder,
    "range": _range,
    "decimals": _decimals,
}
