"""The cheap questions to PostgreSQL: true of good rows only, and of nearly all of them.

Each is sufficient, not necessary: whoever fails one is judged exactly, so nothing depends on how sharp it is.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS

from data_contracts.numbers import DECIMALS, DIGITS, WHOLE_DIGITS
from data_contracts.rules import NO, TRIMMED, YES, rules_of
from data_contracts.sql.judging import broken, judged
from data_contracts.sql.speech import Expression, number_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_contracts.contract import Column, Contract
    from data_contracts.pattern import Pattern
    from data_contracts.rules import Rule
    from data_contracts.sql.speech import Speech

BEYOND: Final = frozenset({"reference", "duplicate", "overtaken"})
"""Rules that look beyond the row."""
_SAMPLED = "100.0 * 8388608"
"""A hundred times (it is a percentage) the bytes that are read of a big table."""
_MANY = 30_000
_FIRST_SIGN: Expression = sa.literal_column("'!'")
_AFTER_SIGNS: Expression = sa.literal_column("'~~'")
_ASCENDING = "0123456789-._/ ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_text(column: Expression) -> bool:
    """Whether a column holds text, of whatever length."""
    return isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)


def suspects(speech: Speech, contract: Contract, staging: sa.FromClause) -> Expression:
    """Whether a row is one whose goodness the cheap questions do not prove."""
    good: list[Expression] = []
    for column in contract.table.columns:
        rules = [rule for rule in rules_of(contract) if rule.columns == (column.name,)]
        asked = [rule for rule in rules if rule.kind not in BEYOND]
        if not asked:
            continue
        staged = staging.c[column.name]
        question = _question(column, staged)
        if question is None:
            known = staged.in_(_good_values(speech, contract, column, asked, staging))
            plain = _plain_number(column, staged)
            question = known if plain is None else sa.or_(known, plain)
        good.append(question if column.required else sa.or_(staged.is_(None), question))
    return sa.and_(*good).is_not(sa.true()) if good else sa.false()


def _good_values(
    speech: Speech, contract: Contract, column: Column, asked: list[Rule], staging: sa.FromClause
) -> Any:
    """Values of a column that break no rule, each judged once: those that a sample of the rows holds."""
    sample = _sample(staging)
    # OFFSET 0 keeps PostgreSQL from judging every row before it looks for the different ones.
    different = sa.select(sample.c[column.name]).group_by(sample.c[column.name]).offset(0)
    once = different.subquery(f"{column.name}__once")
    each = judged(speech, (column,), once, (once.c[column.name].label("staged"),)).subquery()
    bad = sa.or_(*(broken(speech, contract, rule, each, living=False) for rule in asked))
    # So few that PostgreSQL always expects room for a hash table of them, and never reads them row by row.
    return sa.select(each.c.staged).where(bad.is_not(sa.true())).limit(_MANY)


def _sample(staging: sa.FromClause) -> sa.FromClause:
    """A small table whole, of a big one some pages from everywhere; the same ones each time."""
    if not isinstance(staging, sa.Table):
        return staging
    quoted = ".".join(f'"{part}"' for part in (staging.schema, staging.name) if part)
    size = sa.func.pg_relation_size(sa.cast(sa.literal(quoted), REGCLASS))
    share = sa.func.least(
        number_text("100.0"), number_text(_SAMPLED) / sa.func.greatest(size, number_text(1))
    )
    return sa.tablesample(staging, sa.func.system(share), seed=number_text(1))


def _plain_number(column: Column, staged: Expression) -> Expression | None:
    """Whether a text is a number of digits alone, in bounds by how many they are."""
    if not is_text(staged) or column.logical_type not in {"integer", "number"} or column.allowed:
        return None
    low, high = column.minimum, column.maximum
    digits = 9 if high is None else len(str(int(high))) - 1
    if digits < 1 or (low is not None and low > 1):
        return None
    first = "'0'" if low is None or low <= 0 else "'1'"
    return sa.and_(
        sa.func.octet_length(staged).between(number_text(1), number_text(digits)),
        sa.collate(staged, "C") >= sa.literal_column(first),
        _consists_of(staged, "0123456789"),
    )


def _consists_of(staged: Expression, signs: str) -> Expression:
    # Trimming bytes away is how PostgreSQL looks each up in a set; it takes the first ones fastest.
    utf8: Expression = sa.literal_column("'UTF8'")
    given = sa.func.convert_to(sa.literal(signs), utf8)
    return sa.func.octet_length(sa.func.btrim(sa.func.convert_to(staged, utf8), given)) == number_text(0)


def trims_nothing(column: Column, staged: Expression) -> bool:
    """Whether the cheap question of a column proves that there is nothing to trim."""
    if column.logical_type == "integer":
        return isinstance(staged.type, sa.Integer)
    blanks = column.pattern is None or any(set(item.signs) & set(TRIMMED) for item in column.pattern.items)
    return column.logical_type == "string" and is_text(staged) and not blanks


def _question(column: Column, staged: Expression) -> Expression | None:
    """A cheap question whose yes proves a value good; None when there is none for such a column."""
    if is_text(staged):
        return _question_of_text(column, staged)
    answers: dict[str, Callable[[Column, Expression], Expression | None]] = {
        "boolean": _flag,
        "integer": _number,
        "number": _number,
        "date": _dated,
        "timestamp": _dated,
    }
    asked = answers.get(column.logical_type)
    return None if asked is None else asked(column, staged)


def _question_of_text(column: Column, staged: Expression) -> Expression | None:
    if column.logical_type == "boolean":
        return staged.in_((*YES, *NO))
    if column.logical_type != "string" or (column.pattern is not None and not trims_nothing(column, staged)):
        return None
    octets = sa.func.octet_length(staged)
    asked: list[Expression] = []
    if column.max_length is not None:
        asked.append(octets <= number_text(column.max_length))
    if column.min_length is not None:
        asked.append(sa.func.char_length(sa.func.btrim(staged, TRIMMED)) >= number_text(column.min_length))
    if column.allowed:
        asked.append(staged.in_(column.allowed))
    if column.pattern is not None:
        asked += _looks(column.pattern, staged, octets)
    elif not column.allowed:
        # Begins with a visible sign of ASCII: not blank, and nothing to trim in front.
        asked.append(sa.collate(staged, "C").between(_FIRST_SIGN, _AFTER_SIGNS))
    return sa.and_(*asked)


def _looks(pattern: Pattern, staged: Expression, octets: Expression) -> list[Expression]:
    if pattern.head or pattern.tail:
        return [staged.op("~", is_comparison=True)(pattern.regex)]
    body = pattern.body
    signs = "".join(sorted(body.signs, key=lambda sign: (_ASCENDING.find(sign) % len(_ASCENDING), sign)))
    bounds = octets.between(number_text(max(body.low, 1)), number_text(body.high))
    return [bounds, _consists_of(staged, signs)]


def _flag(column: Column, staged: Expression) -> Expression | None:
    del column
    if isinstance(staged.type, sa.Boolean):
        return staged.is_not(None)
    if isinstance(staged.type, sa.Integer):
        return staged.in_((sa.literal_column("0"), sa.literal_column("1")))
    return None


def _number(column: Column, staged: Expression) -> Expression | None:
    if not isinstance(staged.type, sa.Integer | sa.Numeric) or isinstance(staged.type, sa.Float):
        return None
    # As many digits as are read as a number at all; neither NaN nor Infinity lies between.
    most = "9" * (WHOLE_DIGITS if column.logical_type == "integer" else DIGITS)
    low = f"-{most}" if column.minimum is None else f"{column.minimum:f}"
    high = most if column.maximum is None else f"{column.maximum:f}"
    asked: list[Expression] = [staged.between(number_text(low), number_text(high))]
    if column.allowed:
        asked.append(staged.in_([number_text(int(value)) for value in column.allowed]))
    scale = getattr(staged.type, "scale", None)
    if not isinstance(staged.type, sa.Integer) and (scale is None or scale > _decimals(column)):
        asked.append(staged == sa.func.round(staged, number_text(_decimals(column))))
    return sa.and_(*asked)


def _decimals(column: Column) -> int:
    if column.logical_type == "integer":
        return 0
    return DECIMALS if column.decimals is None else column.decimals


def _dated(column: Column, staged: Expression) -> Expression | None:
    # A date in a column of instants, or one in another zone, is for the exact rules.
    fitting = sa.Date if column.logical_type == "date" else sa.DateTime
    if not isinstance(staged.type, fitting) or getattr(staged.type, "timezone", False):
        return None
    low = _day(column.minimum, "0001-01-01")
    after: Expression = sa.literal_column(f"DATE '{_day(column.maximum, '9999-12-31')}' + 1")
    asked = [staged >= sa.literal_column(f"DATE '{low}'"), staged < after]
    if any(int(low.replace("-", "")) <= each for each in column.placeholders):
        asked.append(sa.cast(staged, sa.Date).not_in([_placeholder(each) for each in column.placeholders]))
    return sa.and_(*asked)


def _day(number: Any, usual: str) -> str:
    return usual if number is None else _date(int(number)).isoformat()


def _date(number: int) -> dt.date:
    return dt.date(number // 10_000, number // 100 % 100, number % 100)


def _placeholder(number: int) -> Expression:
    return sa.literal_column(f"DATE '{_date(number).isoformat()}'")
