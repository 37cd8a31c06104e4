"""Rules in SQLite: columns hold what they like there, so every column is judged by its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data_contracts.numbers import DECIMALS, WHOLE_DIGITS
from data_contracts.rules import TRIMMED
from data_contracts.sql.globbed import Globbed

if TYPE_CHECKING:
    from data_contracts.contract import Column
    from data_contracts.sql.speech import Expression


_NUL: Expression = sa.literal_column("X'00'")


class SQLite(Globbed):
    """SQLite from 3.35."""

    name = "sqlite"
    any_signs = "*"

    def text(self, column: Expression) -> Expression:
        """The trimmed text; a sign NUL, at which SQLite's functions stop reading, becomes a visible one."""
        whole = sa.cast(column, sa.Text)
        octets = sa.cast(whole, sa.LargeBinary)
        place: Expression = sa.func.instr(octets, _NUL, type_=sa.Integer)
        before = sa.cast(sa.func.substr(octets, 1, place - 1), sa.Text)
        after = sa.cast(sa.func.substr(octets, place + 1), sa.Text)
        seen = sa.case((place > 0, self.joined(before, sa.literal("\ufffd"), after)), else_=whole)
        return sa.func.nullif(sa.func.trim(seen, TRIMMED), "", type_=sa.Text)

    def length(self, text: Expression) -> Expression:
        """The number of characters."""
        return sa.func.length(text, type_=sa.Integer)

    def like(self, text: Expression, form: str) -> Expression:
        """GLOB, which never folds capitals."""
        return text.op("GLOB", is_comparison=True)(form)

    def piece(self, text: Expression, start: int, length: Expression | int | None = None) -> Expression:
        """A piece of a text."""
        parts: list[Any] = [start] if length is None else [start, length]
        return sa.func.substr(text, *parts, type_=sa.Text)

    def piece_from(self, text: Expression, start: Expression) -> Expression:
        """The rest of a text."""
        return sa.func.substr(text, start, type_=sa.Text)

    def place(self, text: Expression, sign: str) -> Expression:
        """Where a sign stands first."""
        return sa.func.instr(self.joined(text, sa.literal(sign)), sign, type_=sa.Integer)

    def joined(self, *parts: Expression) -> Expression:
        """Texts one after another."""
        found = parts[0]
        for part in parts[1:]:
            found = found.op("||", return_type=sa.Text())(part)
        return found

    def is_day(self, iso: Expression) -> Expression:
        """SQLite takes 30 February, and makes it 2 March when it reckons with it: a day stays what it was."""
        return sa.and_(sa.func.date(iso, "+0 days") == iso, iso >= "0001")

    def whole(self, text: Expression) -> Expression:
        """Plain digits, as nearly all numbers are, are told by two looks instead of a dozen."""
        plain = sa.and_(self.only(text, "0-9"), self.length(text).between(1, WHOLE_DIGITS))
        return sa.case((plain, self.as_whole(text)), else_=super().whole(text))

    def number(self, text: Expression) -> Expression:
        """Likewise, with a point."""
        plain = sa.and_(
            self.only(text, "0-9."),
            self.like(text, "[0-9]*[0-9]"),
            sa.not_(self.like(text, "*.*.*")),
            self.length(text) <= DECIMALS + 2,
        )
        return sa.case((plain, self.as_number(text)), else_=super().number(text))

    def as_whole(self, text: Expression) -> Expression:
        """A text of digits as a whole number."""
        return sa.cast(text, sa.BigInteger)

    def as_number(self, text: Expression) -> Expression:
        """A text as a number; SQLite keeps it whole where it can."""
        return sa.type_coerce(sa.cast(text, sa.Numeric), sa.Float)

    def converted(self, column: Column, staged: Expression, *, trusted: bool) -> Expression:
        """What the Suite gets. A cast never fails here, so nothing is won by trust."""
        del trusted
        text = self.text(staged)
        if column.logical_type == "date":
            return sa.type_coerce(self.iso(text, column.formats), sa.Date)
        if column.logical_type == "timestamp":
            instant = sa.case((self.is_instant(text), sa.func.replace(text, "T", " ")))
            return sa.type_coerce(instant, sa.DateTime)
        if column.logical_type == "boolean":
            return sa.type_coerce(self.flag(text), sa.Boolean)
        return self.value(column, text)
