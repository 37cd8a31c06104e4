"""Rules in T-SQL: LIKE with sets of signs, TRY_CONVERT for whatever could fail, and no MERGE anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql as types

from data_contracts.rules import TRIMMED
from data_contracts.sql.globbed import Globbed

if TYPE_CHECKING:
    from data_contracts.contract import Column
    from data_contracts.sql.speech import Expression

# Capitals, accents and trailing blanks count, as they do in the other databases.
_EXACT = "Latin1_General_100_BIN2"
_ISO, _INSTANT, _WHOLE_FLOAT = 23, 121, 3
_TEXT = types.NVARCHAR(None)


class Try(sa.sql.functions.GenericFunction[Any]):
    """TRY_CONVERT: NULL for what cannot be converted."""

    name = "TRY_CONVERT"
    inherit_cache = True


def _try(kind: str, text: Expression, *style: int, type_: Any) -> Expression:
    styles: list[Expression] = [sa.literal_column(str(each)) for each in style]
    return sa.func.TRY_CONVERT(sa.literal_column(kind), text, *styles, type_=type_)


class TransactSQL(Globbed):
    """SQL Server from 2017."""

    name = "mssql"
    any_signs = "%"
    one_pass = True

    def text(self, column: Expression) -> Expression:
        """The trimmed text; dates and floats in the one form that loses nothing."""
        blanks = "+".join(f"NCHAR({ord(sign)})" for sign in TRIMMED)
        trim = sa.literal_column(f"{blanks} FROM ").op("", return_type=_TEXT)(self._whole_text(column))
        trimmed = sa.func.TRIM(trim, type_=_TEXT)
        return sa.func.nullif(sa.collate(trimmed, _EXACT), sa.literal_column("N''"), type_=_TEXT)

    def _whole_text(self, column: Expression) -> Expression:
        kind: Expression = sa.literal_column("nvarchar(max)")
        style = None
        if isinstance(column.type, sa.DateTime):
            style = _INSTANT
        elif isinstance(column.type, sa.Date):
            style = _ISO
        elif isinstance(column.type, sa.Float):
            style = _WHOLE_FLOAT
        styles: list[Expression] = [] if style is None else [sa.literal_column(str(style))]
        return sa.func.CONVERT(kind, column, *styles, type_=_TEXT)

    def length(self, text: Expression) -> Expression:
        """The number of characters (as UTF-16 has them)."""
        return sa.func.len(text, type_=sa.Integer)

    def like(self, text: Expression, form: str) -> Expression:
        """LIKE; the collation of the text makes it exact."""
        return text.like(form)

    def piece(self, text: Expression, start: int, length: Expression | int | None = None) -> Expression:
        """A piece of a text; T-SQL gives up on a length below nothing, so that is asked first."""
        if length is None:
            return sa.func.substring(text, start, self.length(text), type_=_TEXT)
        if isinstance(length, int):
            return sa.func.substring(text, start, length, type_=_TEXT)
        return sa.case((length >= 0, sa.func.substring(text, start, length, type_=_TEXT)))

    def piece_from(self, text: Expression, start: Expression) -> Expression:
        """The rest of a text."""
        return sa.func.substring(text, start, self.length(text), type_=_TEXT)

    def place(self, text: Expression, sign: str) -> Expression:
        """Where a sign stands first."""
        return sa.func.charindex(sign, self.joined(text, sa.literal(sign)), type_=sa.Integer)

    def joined(self, *parts: Expression) -> Expression:
        """Texts one after another."""
        found = parts[0]
        for part in parts[1:]:
            found = found.op("+", return_type=_TEXT)(part)
        return found

    def is_day(self, iso: Expression) -> Expression:
        """Whether it is a day; years begin at 1 here."""
        return _try("date", iso, _ISO, type_=sa.Date).is_not(None)

    def as_whole(self, text: Expression) -> Expression:
        """A text of digits as a whole number."""
        return _try("bigint", text, type_=sa.BigInteger)

    def as_number(self, text: Expression) -> Expression:
        """A text as a number with six decimals."""
        return _try("decimal(18, 6)", text, type_=sa.Numeric(18, 6))

    def converted(self, column: Column, staged: Expression, *, trusted: bool) -> Expression:
        """What the Suite gets. TRY_CONVERT is care enough, so nothing is won by trust."""
        del trusted
        text = self.text(staged)
        if column.logical_type == "date":
            return _try("date", self.iso(text, column.formats), _ISO, type_=sa.Date)
        if column.logical_type == "timestamp":
            instant = sa.case((self.is_instant(text), sa.func.replace(text, "T", " ")))
            return _try("datetime2(6)", instant, _INSTANT, type_=sa.DateTime)
        if column.logical_type == "boolean":
            return _try("bit", self.flag(text), type_=sa.Boolean)
        return self.value(column, text)
