"""The cheap questions to PostgreSQL: true of good rows only, and of nearly all of them.

Each is sufficient, not necessary: whoever fails one is judged exactly, so nothing depends on how sharp it is.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data_contracts.rules import NO, YES, rules_of
from data_contracts.sql.judging import broken, judged
from data_contracts.sql.speech import number_text

if TYPE_CHECKING:
    from data_contracts.contract import Column, Contract
    from data_contracts.rules import Rule
    from data_contracts.sql.speech import Expression, Speech

_MOST = "999999999999"
_ASCENDING = "0123456789-._/ ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_text(column: Expression) -> bool:
    """Whether a column holds text, of whatever length."""
    return isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)


def suspects(
    speech: Speech, contract: Contract, staging: sa.FromClause
) -> tuple[sa.FromClause, Expression | None]:
    """The staging table, joined where a column is judged by its different values, and who is a suspect."""
    source: sa.FromClause = staging
    good: list[Expression] = []
    for column in contract.table.columns:
        rules = [rule for rule in rules_of(contract) if rule.columns == (column.name,)]
        asked = [rule for rule in rules if rule.kind not in {"reference", "duplicate", "overtaken"}]
        if not asked:
            continue
        staged = staging.c[column.name]
        question = _question(column, staged)
        if question is None:
            values = _good_values(speech, contract, column, asked, staging)
            source = source.outerjoin(values, values.c.staged == staged)
            question = values.c.staged.is_not(None)
        good.append(question if column.required else sa.or_(staged.is_(None), question))
    return source, sa.and_(*good).is_not(sa.true()) if good else sa.false()


def _good_values(
    speech: Speech, contract: Contract, column: Column, asked: list[Rule], staging: sa.FromClause
) -> Any:
    """The different values of a column that break no rule, each judged once."""
    # OFFSET 0 keeps PostgreSQL from judging every row before it looks for the different ones.
    different = sa.select(staging.c[column.name]).group_by(staging.c[column.name]).offset(0)
    once = different.subquery(f"{column.name}__once")
    each = judged(speech, (column,), once, (once.c[column.name].label("staged"),)).subquery()
    bad = sa.or_(*(broken(speech, contract, rule, each, living=False) for rule in asked))
    named = sa.select(each.c.staged).where(bad.is_not(sa.true())).cte(f"{column.name}__good")
    return named.prefix_with("MATERIALIZED")


def _question(column: Column, staged: Expression) -> Expression | None:
    """A cheap question whose yes proves a value good; None when there is none for such a column."""
    kind = column.logical_type
    if is_text(staged):
        if kind == "string":
            return sa.and_(*_text(column, staged))
        return staged.in_((*YES, *NO)) if kind == "boolean" else None
    if kind == "boolean" and isinstance(staged.type, sa.Boolean):
        return staged.is_not(None)
    if kind == "boolean" and isinstance(staged.type, sa.Integer):
        return staged.in_((sa.literal_column("0"), sa.literal_column("1")))
    if kind in {"integer", "number"} and isinstance(staged.type, sa.Integer | sa.Numeric):
        return None if isinstance(staged.type, sa.Float) else sa.and_(*_number(column, staged))
    if kind == "date" and isinstance(staged.type, sa.Date):
        return _dated(column, staged)
    if kind == "timestamp" and isinstance(staged.type, sa.DateTime):
        return _dated(column, staged)
    return None


def _text(column: Column, staged: Expression) -> list[Expression]:
    octets = sa.func.octet_length(staged)
    asked: list[Expression] = []
    if column.max_length is not None:
        asked.append(octets <= number_text(column.max_length))
    if column.min_length is not None:
        asked.append(sa.func.char_length(staged) >= number_text(column.min_length))
    if column.allowed:
        return [*asked, staged.in_(column.allowed)]
    if column.pattern is None:
        # Begins with a visible sign of ASCII: not blank, and nothing to trim in front.
        return [*asked, sa.collate(staged, "C").between("!", "~~")]
    if column.pattern.head or column.pattern.tail:
        return [*asked, staged.op("~", is_comparison=True)(column.pattern.regex)]
    body = column.pattern.body
    signs = "".join(sorted(body.signs, key=lambda sign: (_ASCENDING.find(sign) % len(_ASCENDING), sign)))
    # Trimming bytes away is how PostgreSQL looks each up in a set; it takes the first ones fastest.
    rest = sa.func.btrim(
        sa.func.convert_to(staged, sa.literal_column("'UTF8'")),
        sa.func.convert_to(sa.literal(signs), sa.literal_column("'UTF8'")),
    )
    bounds = octets.between(number_text(max(body.low, 1)), number_text(body.high))
    return [*asked, bounds, sa.func.octet_length(rest) == number_text(0)]


def _number(column: Column, staged: Expression) -> list[Expression]:
    low = f"-{_MOST}" if column.minimum is None else f"{column.minimum:f}"
    high = _MOST if column.maximum is None else f"{column.maximum:f}"
    whole = isinstance(staged.type, sa.Integer)
    asked: list[Expression] = []
    if column.minimum is not None or column.maximum is not None or not whole:
        asked.append(staged.between(number_text(low), number_text(high)))  # neither NaN nor Infinity is
    if column.allowed:
        asked.append(staged.in_([number_text(int(value)) for value in column.allowed]))
    scale = getattr(staged.type, "scale", None)
    if not whole and (decimals := _decimals(column)) < (99 if scale is None else scale):
        asked.append(staged == sa.func.round(staged, number_text(decimals)))
    return asked or [staged.is_not(None)]


def _decimals(column: Column) -> int:
    if column.logical_type == "integer":
        return 0
    return 6 if column.decimals is None else column.decimals


def _dated(column: Column, staged: Expression) -> Expression:
    low = _day(column.minimum, "0001-01-01")
    high = _day(column.maximum, "9999-12-31")
    after = sa.literal_column(f"DATE '{high}' + 1")
    asked = [staged >= sa.literal_column(f"DATE '{low}'"), staged < after]
    if any(int(low.replace("-", "")) <= each for each in column.placeholders):
        asked.append(sa.cast(staged, sa.Date).not_in([_placeholder(each) for each in column.placeholders]))
    return sa.and_(*asked)


def _day(number: Any, usual: str) -> str:
    return usual if number is None else _date(int(number)).isoformat()


def _date(number: int) -> datetime.date:
    return datetime.date(number // 10_000, number // 100 % 100, number % 100)


def _placeholder(number: int) -> Expression:
    return sa.literal_column(f"DATE '{_date(number).isoformat()}'")
