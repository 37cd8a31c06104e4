"""Rules in PostgreSQL: exact ones by regular expression, and cheap ones that spare good rows the exact ones.

A regular expression costs a microsecond a value here, a second for each column of a million rows. So rows are
first asked something that is only true of good ones and costs a tenth; whoever fails that is a suspect and is
judged exactly. Columns without such a cheap question are judged once for each different value.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as types

from data_contracts.dates import INSTANT, ISO, DateForm
from data_contracts.names import LOOSE, ROW_ID
from data_contracts.numbers import NUMBER, WHOLE, WHOLE_DIGITS
from data_contracts.rules import TRIMMED
from data_contracts.sql import quick
from data_contracts.sql.speech import Expression, KeyWay, Speech, number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.contract import Column, Contract
    from data_contracts.pattern import Pattern
    from data_contracts.rules import Rule

_LAST = dt.date(9999, 12, 31)
_FIRST = dt.date(1, 1, 1)


class PostgreSQL(Speech):
    """PostgreSQL from 13."""

    name = "postgresql"

    def text(self, column: Expression) -> Expression:
        """The trimmed text; instants in UTC, and days that have no year of ours as PostgreSQL names them."""
        return sa.func.nullif(sa.func.btrim(self._whole_text(column), TRIMMED), "", type_=sa.Text)

    def _whole_text(self, column: Expression) -> Expression:
        if isinstance(column.type, sa.DateTime):
            utc = column.op("AT TIME ZONE")("UTC") if column.type.timezone else column
            return _dated(column, sa.func.to_char(utc, "YYYY-MM-DD HH24:MI:SS.US", type_=sa.Text))
        if isinstance(column.type, sa.Date):
            return _dated(column, sa.func.to_char(column, "YYYY-MM-DD", type_=sa.Text))
        return column if quick.is_text(column) else sa.cast(column, sa.Text)

    def length(self, text: Expression) -> Expression:
        """The number of characters."""
        return sa.func.char_length(text, type_=sa.Integer)

    def matches(self, text: Expression, pattern: Pattern) -> Expression:
        """Whether a text looks like the pattern."""
        return _like(text, pattern.regex)

    def whole(self, text: Expression) -> Expression:
        """The whole number; NULL when it is none."""
        digits = sa.func.split_part(text, ".", 1, type_=sa.Text)
        return sa.case((_like(text, WHOLE), sa.cast(digits, sa.BigInteger)))

    def number(self, text: Expression) -> Expression:
        """The number; NULL when it is none."""
        return sa.case((_like(text, NUMBER), sa.cast(text, sa.Numeric)))

    def too_fine(self, text: Expression, value: Expression, decimals: int) -> Expression:
        """Whether a number has more decimals, zeros behind them left out."""
        del text
        return value != sa.func.round(value, number_text(decimals))

    def iso(self, text: Expression, formats: Sequence[str]) -> Expression:
        """The day as 2026-12-31; NULL when it is none."""
        forms = [DateForm(form) for form in formats]
        return sa.case(*((_like(text, rf"\A{form.regex}\Z"), _rearranged(text, form)) for form in forms))

    def day(self, text: Expression, formats: Sequence[str]) -> Expression:
        """The day as YYYYMMDD; NULL when it is none."""
        return sa.cast(sa.func.replace(self.iso(text, formats), "-", ""), sa.Integer)

    def instant_day(self, text: Expression) -> Expression:
        """The day of an instant as YYYYMMDD; NULL when it is none."""
        digits = sa.func.replace(sa.func.substr(text, 1, 10), "-", "")
        return sa.case((_like(text, rf"\A{INSTANT}\Z"), sa.cast(digits, sa.Integer)))

    def key(self, column: Column, staged: Expression) -> Expression:
        """What tells a row from another; by bytes, which is how it is cheapest compared."""
        if column.logical_type == "integer" and isinstance(staged.type, sa.Integer):
            return staged
        value = super().key(column, staged)
        return sa.collate(value, "C") if column.logical_type == "string" else value

    def newest_first(self, column: Column, staged: Expression) -> list[Expression]:
        """Sorts rows by a change column, the newest first and those without a value last."""
        if isinstance(staged.type, sa.BigInteger):
            # A number of more digits is no value by the rules, so that its row must not overtake another.
            most = 10**WHOLE_DIGITS - 1
            return [sa.case((staged.between(-most, most), staged)).desc().nulls_last()]
        if isinstance(staged.type, sa.Integer | sa.Numeric | sa.Date | sa.DateTime):
            return [staged.desc().nulls_last()]
        return [sa.nulls_last(each) for each in super().newest_first(column, staged)]

    def suspects(self, contract: Contract, staging: sa.FromClause) -> Expression:
        """The rows that the cheap questions do not know to be good."""
        return quick.suspects(self, contract, staging)

    def key_ways(self, rule: Rule, staging: sa.FromClause, texts: sa.FromClause) -> list[KeyWay]:
        """Nothing is looked for where no key stands twice, and nothing trimmed where no key needs it.

        Keys are told apart by a number made of them first, and by themselves where that is the same.
        """
        staged = [staging.c[name] for name in rule.columns]
        trimmed = [self.key(part, each) for part, each in zip(rule.parts, staged, strict=True)]
        if not all(quick.trims_nothing(part, each) for part, each in zip(rule.parts, staged, strict=True)):
            return [([_digest(trimmed), *trimmed], _twice(trimmed, staging))]
        bare = [sa.collate(each, "C") if quick.is_text(each) else each for each in staged]
        loose = sa.exists(sa.select(texts.c[ROW_ID]).where(texts.c[LOOSE]))
        return [
            ([_digest(bare), *bare], sa.and_(_twice(bare, staging), sa.not_(loose))),
            ([_digest(trimmed), *trimmed], loose),
        ]

    def converted(self, column: Column, staged: Expression, *, trusted: bool) -> Expression:
        """What the Suite gets; with `trusted` a text that is no value makes the statement fail."""
        kind = column.logical_type
        if kind in {"string", "boolean"}:
            text = self.text(staged)
            return text if kind == "string" else sa.cast(sa.cast(self.flag(text), sa.Integer), sa.Boolean)
        if _is_native(kind, staged.type):
            return staged
        if kind == "integer" and isinstance(staged.type, sa.Numeric) and trusted:
            return sa.cast(staged, sa.BigInteger)
        return self._from_text(column, self.text(staged), trusted=trusted)

    def _from_text(self, column: Column, text: Expression, *, trusted: bool) -> Expression:
        kind = column.logical_type
        if kind == "integer":
            digits = sa.func.split_part(text, ".", 1, type_=sa.Text)
            return sa.cast(digits, sa.BigInteger) if trusted else self.whole(text)
        if kind == "number":
            return sa.cast(text, sa.Numeric) if trusted else self.number(text)
        if kind == "date":
            iso = _masked(text, column.formats) if trusted else self.iso(text, column.formats)
            return sa.cast(iso, sa.Date)
        instant = text if trusted else sa.case((_like(text, rf"\A{INSTANT}\Z"), text))
        return sa.cast(instant, sa.TIMESTAMP)

    def settings(self) -> tuple[str, ...]:
        """Compiling costs more than it saves here; sorting a million keys wants room."""
        return ("SET LOCAL jit = off", "SET LOCAL work_mem = '128MB'")


def _twice(keys: Sequence[Expression], staging: sa.FromClause) -> Expression:
    """Whether any key stands more than once, or two have one hash: then it is looked for in vain, no more."""
    digest = _digest(keys)
    counts = sa.select(sa.func.count(digest) > sa.func.count(digest.distinct())).select_from(staging)
    return counts.scalar_subquery()


def _digest(keys: Sequence[Expression]) -> Expression:
    """A number for a key: sorting a million of them takes a third of what sorting texts takes."""
    digest = number_text(0)
    for key in keys:
        if isinstance(key.type, sa.Integer):
            digest = sa.func.hashint8extended(key, digest, type_=sa.BigInteger)
        else:
            digest = sa.func.hashtextextended(sa.cast(key, sa.Text), digest, type_=sa.BigInteger)
    return digest


def _like(text: Expression, regex: str) -> Expression:
    return text.op("~", is_comparison=True)(regex)


def _dated(column: Expression, text: Expression) -> Expression:
    """Days before the year 1, after 9999 and the infinite ones have names that are no dates."""
    ours = sa.and_(sa.func.isfinite(column), column >= _literal(_FIRST), column < _literal(_LAST, after=True))
    return sa.case((ours, text), else_=sa.cast(column, sa.Text))


def _literal(day: dt.date, *, after: bool = False) -> Expression:
    return sa.literal_column("DATE '10000-01-01'" if after else f"DATE '{day.isoformat()}'")


def _rearranged(text: Expression, form: DateForm) -> Expression:
    if form == ISO:
        return text
    year, month, day = (
        sa.func.substr(text, start, length, type_=sa.Text)
        for start, length in ((form.year_at, 4), (form.month_at, 2), (form.day_at, 2))
    )
    return year.op("||")("-").op("||")(month).op("||")("-").op("||")(day)


def _masked(text: Expression, formats: Sequence[str]) -> Expression:
    """The day as 2026-12-31 of a text that is known to be one: its form shows by where its signs stand."""
    forms = [DateForm(form) for form in formats]
    if len(forms) == 1:
        return _rearranged(text, forms[0])
    return sa.case(*((text.like(form.masked("_")), _rearranged(text, form)) for form in forms))


def _is_native(kind: str, type_: Any) -> bool:
    """Whether a column's type is the one its values need."""
    natives: dict[str, tuple[type, ...]] = {
        "integer": (sa.Integer,),
        "number": (sa.Integer, sa.Numeric, types.MONEY),
        "date": (sa.Date,),
        "timestamp": (sa.DateTime,),
    }
    return isinstance(type_, natives[kind])
