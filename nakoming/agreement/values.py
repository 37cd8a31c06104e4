"""The kinds of value an agreement may hold, each refusing wrong input with what is wrong and what is allowed.

YAML's own types are not trusted: text stays text until one of these reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED: Final = "nakoming_refused"
CENTS: Final = -2
YEARS: Final = range(2000, 2101)
WALL_TIME: Final = r"^([01]\d|2[0-3]):[0-5]\d$"


class Frozen(BaseModel):
    """The base of every part of an agreement: unchangeable, and no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def shown(value: object) -> str:
    """Return `value` as its author wrote it, short enough for a sentence."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else repr(value)


def refusal(problem: str, allowed: str) -> PydanticCustomError:
    """Return the error a validator raises: one problem and what would be allowed instead."""
    return PydanticCustomError(
        REFUSED, "{problem}; allowed: {allowed}", {"problem": problem, "allowed": allowed}
    )


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """Marks an int of `unit` from `low` to `high`; booleans and text are refused."""

    unit: str
    low: int
    high: int

    def check(self, value: object) -> object:
        """Return `value`, or refuse it."""
        allowed = f"{self.low} to {self.high}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise refusal(f"{shown(value)} is not a whole number of {self.unit}", allowed)
        if not self.low <= value <= self.high:
            raise refusal(f"{value} {self.unit} is out of bounds", allowed)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = core_schema.int_schema(ge=self.low, le=self.high)
        return core_schema.no_info_before_validator_function(self.check, inner)


@dataclass(frozen=True, slots=True)
class Text:
    """Marks a str that matches `pattern` whole; without `echo` errors keep silent about what was written."""

    pattern: str
    problem: str
    allowed: str
    echo: bool = True

    def check(self, value: object) -> object:
        """Return `value`, or refuse it."""
        if not isinstance(value, str) or re.fullmatch(self.pattern, value) is None:
            raise refusal(f"{shown(value) if self.echo else 'it'} {self.problem}", self.allowed)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = core_schema.str_schema(pattern=f"^(?:{self.pattern})$")
        return core_schema.no_info_before_validator_function(self.check, inner)


def _year(value: object) -> object:
    # JSON, in which an agreement may be kept, has text only as a key.
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{4}", value) else value
    if isinstance(number, int) and number in YEARS:
        return number
    raise refusal(f"{shown(value)} is not a year", f"{YEARS[0]} to {YEARS[-1]}")


def _iso_date(value: object) -> object:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise refusal(
        f"{shown(value)} is not a date", "a date of the calendar as year-month-day, such as 2026-11-23"
    )


def _wall_time(value: object) -> object:
    if isinstance(value, time):
        return value
    if isinstance(value, str) and re.fullmatch(WALL_TIME, value):
        return time.fromisoformat(value)
    raise refusal(f"{shown(value)} is not a time of day", "00:00 to 23:59, with two digits on both sides")


def _decimal(low: str, high: str, problem: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        allowed = f"{low} to {high}, with at most two decimals"
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            raise refusal(f"{shown(value)} {problem}", allowed)
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent < CENTS:
            raise refusal(f"{value} has more than two decimals", allowed)
        if not Decimal(low) <= number <= Decimal(high):
            raise refusal(f"{value} is out of bounds", allowed)
        return number

    return check


Slug = Annotated[
    str,
    Text(
        r"[a-z][a-z0-9-]{1,30}",
        "is not a short name",
        "2 to 31 lower-case letters, digits and dashes, a letter first",
    ),
]
Code = Annotated[
    str, Text(r"[A-Z][A-Z0-9]{1,11}", "is not a code", "2 to 12 capitals and digits, a capital first")
]
BlockName = Annotated[
    str,
    Text(
        r"[a-z0-9]+(-[a-z0-9]+)*",
        "is not the name of a block",
        "lower-case letters and digits joined by single dashes",
    ),
]
Line = Annotated[
    str, Text(r"\S(?:[^\r\n]*\S)?", "is not one line of text", "a line of text without spaces around it")
]
Email = Annotated[
    str,
    Text(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
        "is not a mail address",
        "one address, such as jo@customer.example",
    ),
]
Phone = Annotated[
    str,
    Text(
        r"\+?[0-9][0-9 ()-]{5,24}",
        "is not a telephone number",
        "6 to 25 digits and spaces, + in front if wanted",
    ),
]
Url = Annotated[
    str,
    # What was written may hold a password, so the error does not repeat it.
    Text(
        r"https?://[^\s@]+",
        "is not a web address",
        "http:// or https:// and a host, without a name or password",
        echo=False,
    ),
]
Day = Annotated[date, BeforeValidator(_iso_date)]
WallTime = Annotated[
    time,
    BeforeValidator(_wall_time),
    PlainSerializer(lambda wall: f"{wall:%H:%M}", return_type=str, when_used="json"),
    # JSON Schema's own format "time" asks for seconds and a zone.
    WithJsonSchema({"type": "string", "pattern": WALL_TIME}),
]
Percent = Annotated[Decimal, BeforeValidator(_decimal("0", "100", "is not a percentage"))]
Euro = Annotated[Decimal, BeforeValidator(_decimal("0", "10000000", "is not an amount in euro"))]
WorkingDays = Annotated[int, WholeNumber("working days", 0, 260)]
Days = Annotated[int, WholeNumber("days", 0, 3660)]
Months = Annotated[int, WholeNumber("months", 0, 120)]
Minutes = Annotated[int, WholeNumber("minutes", 0, 525_600)]
Hours = Annotated[int, WholeNumber("hours", 0, 8_760)]
Times = Annotated[int, WholeNumber("times a year", 0, 366)]
Year = Annotated[int, BeforeValidator(_year)]
