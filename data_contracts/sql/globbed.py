"""What databases without regular expressions share: SQLite's GLOB, SQL Server's LIKE know sets of signs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import sqlalchemy as sa

from data_contracts.dates import ISO, DateForm
from data_contracts.numbers import DECIMALS, DIGITS, WHOLE_DIGITS, ZEROS
from data_contracts.pattern import Item, Pattern, set_of
from data_contracts.sql.speech import Expression, Speech

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGIT = "[0-9]"
_SECONDS = 19
_FRACTION = 7


class Globbed(Speech):
    """Judges text with sets of signs, pieces and lengths."""

    any_signs: ClassVar[str]

    @abstractmethod
    def like(self, text: Expression, form: str) -> Expression:
        """Whether the whole text has the form, sign by sign as it is written."""

    @abstractmethod
    def piece(self, text: Expression, start: int, length: Expression | int | None = None) -> Expression:
        """A piece of a text, from a place counted from 1; what is not there is empty."""

    @abstractmethod
    def place(self, text: Expression, sign: str) -> Expression:
        """Where a sign stands first, from 1; behind the end when it does not."""

    @abstractmethod
    def joined(self, *parts: Expression) -> Expression:
        """Texts one after another."""

    @abstractmethod
    def is_day(self, iso: Expression) -> Expression:
        """Whether a text of the form 0000-00-00 is a day of the calendar."""

    @abstractmethod
    def as_whole(self, text: Expression) -> Expression:
        """A text of digits as a whole number."""

    @abstractmethod
    def as_number(self, text: Expression) -> Expression:
        """A text of digits and a point as a number."""

    def only(self, text: Expression, signs: str) -> Expression:
        """Whether no other sign stands in the text; so it is with an empty one."""
        return sa.not_(self.like(text, f"{self.any_signs}[^{signs}]{self.any_signs}"))

    def matches(self, text: Expression, pattern: Pattern) -> Expression:
        """Whether a text looks like the pattern: its ends sign by sign, what lies between by its set."""
        head, tail = _signs(pattern.head), _signs(pattern.tail)
        head_length = sum(item.low for item in pattern.head)
        tail_length = sum(item.low for item in pattern.tail)
        length = self.length(text)
        parts: list[Expression] = [length.between(pattern.shortest, pattern.longest)]
        if head:
            parts.append(self.like(self.piece(text, 1, head_length), head))
        if tail:
            parts.append(self.like(text, self.any_signs + tail))
        middle = self.piece(text, head_length + 1, length - (head_length + tail_length))
        parts.append(self.only(middle, set_of(pattern.body.signs)))
        return sa.and_(*parts)

    def whole(self, text: Expression) -> Expression:
        """The whole number; NULL when it is none."""
        fits = self._numeric(text, WHOLE_DIGITS, 0)
        return sa.case((fits, self.as_whole(self.piece(text, 1, self.place(text, ".") - 1))))

    def number(self, text: Expression) -> Expression:
        """The number; NULL when it is none."""
        return sa.case((self._numeric(text, DIGITS, DECIMALS), self.as_number(text)))

    def _numeric(self, text: Expression, digits: int, decimals: int) -> Expression:
        signed = self.like(self.piece(text, 1, 1), "[+-]")
        bare = sa.case((signed, self.piece(text, 2)), else_=text)
        point = self.place(bare, ".")
        return sa.and_(
            self.only(bare, "0-9."),
            self.like(bare, f"{_DIGIT}{self.any_signs}"),
            self.like(bare, f"{self.any_signs}{_DIGIT}"),
            sa.not_(self.like(bare, f"{self.any_signs}.{self.any_signs}.{self.any_signs}")),
            point.between(2, digits + 1),
            self.length(bare) - point <= DECIMALS + ZEROS,
            self._zeros_from(bare, point, decimals),
        )

    def _zeros_from(self, text: Expression, point: Expression, decimals: int) -> Expression:
        """Whether the decimals behind the first ones are all zeros."""
        rest = self.piece_from(text, point + decimals + 1)
        return self.only(rest, "0")

    @abstractmethod
    def piece_from(self, text: Expression, start: Expression) -> Expression:
        """The rest of a text from a place that is worked out; empty behind the end."""

    def too_fine(self, text: Expression, value: Expression, decimals: int) -> Expression:
        """Whether a number has more decimals, zeros behind them left out."""
        del value
        return sa.not_(self._zeros_from(text, self.place(text, "."), decimals))

    def iso(self, text: Expression, formats: Sequence[str]) -> Expression:
        """The day as 2026-12-31; NULL when it is none."""
        return sa.case(*(self._day_form(text, DateForm(form)) for form in formats))

    def _day_form(self, text: Expression, form: DateForm) -> tuple[Expression, Expression]:
        iso = self._rearranged(text, form)
        fits = sa.and_(self.like(text, form.masked(_DIGIT)), self.is_day(iso))
        return fits, iso

    def _rearranged(self, text: Expression, form: DateForm) -> Expression:
        if form == ISO:
            return text
        dash: Expression = sa.literal_column("'-'")
        year, month = self.piece(text, form.year_at, 4), self.piece(text, form.month_at, 2)
        return self.joined(year, dash, month, dash, self.piece(text, form.day_at, 2))

    def day(self, text: Expression, formats: Sequence[str]) -> Expression:
        """The day as YYYYMMDD; NULL when it is none."""
        return self.as_whole(sa.func.replace(self.iso(text, formats), "-", ""))

    def instant_day(self, text: Expression) -> Expression:
        """The day of an instant as YYYYMMDD; NULL when it is none."""
        day = self.piece(text, 1, 10)
        number = self.as_whole(sa.func.replace(day, "-", ""))
        return sa.case((self.is_instant(text), number))

    def is_instant(self, text: Expression) -> Expression:
        """Whether a text is an instant: a day, a blank or T, a time to the second or finer."""
        form = f"{ISO.masked(_DIGIT)}[ T][0-2]{_DIGIT}:[0-5]{_DIGIT}:[0-5]{_DIGIT}"
        hour = self.piece(text, 12, 2)
        rest = self.piece(text, _SECONDS + 1)
        finer = sa.and_(
            self.like(rest, f".{_DIGIT}{self.any_signs}"),
            self.only(self.piece(text, _SECONDS + 2), "0-9"),
            self.length(text) <= _SECONDS + _FRACTION,
        )
        return sa.and_(
            self.like(self.piece(text, 1, _SECONDS), form),
            self.is_day(self.piece(text, 1, 10)),
            hour <= sa.literal_column("'23'"),
            sa.or_(self.length(text) == _SECONDS, finer),
        )


def _signs(items: tuple[Item, ...]) -> str:
    """The form of items that never vary, sign by sign."""
    return "".join(f"[{set_of(item.signs)}]" * item.low for item in items)
