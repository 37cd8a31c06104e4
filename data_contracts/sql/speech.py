"""What each database must be able to say, so that a rule means the same in all of them.

Two expressions carry everything: the trimmed *text* of a column (NULL when there is none) and, for what is
not text, its *value*: a whole number, a number, a day as the number YYYYMMDD, or 1 and 0. A value is NULL
when the text cannot be read as one; no text makes a statement fail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from data_contracts.rules import NO, YES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.contract import Column, Contract
    from data_contracts.pattern import Pattern
    from data_contracts.rules import Rule

Expression = sa.ColumnElement[Any]
KeyWay = tuple[list[Expression], Expression | None]


def number_text(value: object) -> Expression:
    """A number of a contract as it is written: exact in every database, and never anybody's input."""
    return sa.literal_column(str(value))


class Speech(ABC):
    """One database's way to say things."""

    name: ClassVar[str]
    one_pass: ClassVar[bool] = False
    """Whether a common table is worked out again for each use, so that all rules must be asked at once."""

    @abstractmethod
    def text(self, column: Expression) -> Expression:
        """The trimmed text of a column of any type; NULL when nothing is left."""

    @abstractmethod
    def length(self, text: Expression) -> Expression:
        """The number of characters."""

    @abstractmethod
    def matches(self, text: Expression, pattern: Pattern) -> Expression:
        """Whether a text looks like the pattern."""

    @abstractmethod
    def whole(self, text: Expression) -> Expression:
        """The whole number; NULL when it is none."""

    @abstractmethod
    def number(self, text: Expression) -> Expression:
        """The number; NULL when it is none."""

    @abstractmethod
    def too_fine(self, text: Expression, value: Expression, decimals: int) -> Expression:
        """Whether a number has more decimals, zeros behind them left out."""

    @abstractmethod
    def day(self, text: Expression, formats: Sequence[str]) -> Expression:
        """The day as YYYYMMDD; NULL when it is none."""

    @abstractmethod
    def instant_day(self, text: Expression) -> Expression:
        """The day of an instant as YYYYMMDD; NULL when it is none."""

    @abstractmethod
    def converted(self, column: Column, staged: Expression, *, trusted: bool) -> Expression:
        """What the Suite gets; NULL for what cannot be read, unless `trusted` leaves out that care."""

    def flag(self, text: Expression) -> Expression:
        """1 for yes, 0 for no, NULL for anything else."""
        return sa.case((text.in_(YES), sa.literal_column("1")), (text.in_(NO), sa.literal_column("0")))

    def value(self, column: Column, text: Expression) -> Expression:
        """The value of a column's text; of a text, the text itself."""
        if column.logical_type == "integer":
            return self.whole(text)
        if column.logical_type == "number":
            return self.number(text)
        if column.logical_type == "date":
            return self.day(text, column.formats)
        if column.logical_type == "timestamp":
            return self.instant_day(text)
        return self.flag(text) if column.logical_type == "boolean" else text

    def key(self, column: Column, staged: Expression) -> Expression:
        """What tells a row from another: equal exactly where the Suite's keys would be."""
        return self.value(column, self.text(staged))

    def newest_first(self, column: Column, staged: Expression) -> list[Expression]:
        """Sorts rows by a change column, the newest first and those without a value last."""
        text = self.text(staged)
        value = (
            sa.func.replace(text, "T", " ")
            if column.logical_type == "timestamp"
            else self.value(column, text)
        )
        return [sa.desc(value)]  # here NULL is less than anything

    def suspects(self, contract: Contract, staging: sa.FromClause) -> Expression | None:
        """Which rows are worth judging, by a cheap condition; None: all of them are."""
        del contract, staging
        return None

    def key_ways(self, rule: Rule, staging: sa.FromClause, texts: sa.FromClause) -> list[KeyWay]:
        """The ways to look for keys that stand twice: what to compare, and when that way is taken.

        Args:
            rule: on a key.
            staging: the table with the rows.
            texts: the suspects among them, with `LOOSE`: whether there was something to trim.
        """
        del texts
        return [([self.key(part, staging.c[part.name]) for part in rule.parts], None)]

    def settings(self) -> tuple[str, ...]:
        """Statements that make a big check faster, for the transaction in which it runs."""
        return ()
