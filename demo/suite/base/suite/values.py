"""Reading what people and the ERP send: each function gives a clean value or says what is wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MINUTES_A_DAY = 24 * 60
LARGEST_QUANTITY = 10**9
DECIMALS = 3


class RefusedValueError(ValueError):
    """A value that is not stored; the message names the field and what is allowed."""


def text(name: str, value: Any, longest: int) -> str:
    """A line of 1 to `longest` characters, outer spaces removed."""
    clean = value.strip() if isinstance(value, str) else ""
    if not 0 < len(clean) <= longest or any(ord(sign) < ord(" ") for sign in clean):
        msg = f"{name}: one line of 1 to {longest} characters is needed"
        raise RefusedValueError(msg)
    return clean


def order_number(name: str, value: Any) -> str:
    """A line of 1 to 20 characters that can stand in an address: no slash."""
    number = text(name, value, 20)
    if "/" in number:
        msg = f"{name}: no slash may stand in it"
        raise RefusedValueError(msg)
    return number


def whole_number(name: str, value: Any, most: int) -> int:
    """A whole number from 1 to `most`."""
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        msg = f"{name}: a whole number from 1 to {most} is needed"
        raise RefusedValueError(msg)
    return number


def amount(name: str, value: Any) -> Decimal:
    """A quantity above zero with at most three decimals; a comma counts as the decimal point."""
    try:
        number = Decimal(str(value).strip().replace(",", "."))
        fits = 0 < number <= LARGEST_QUANTITY and number == round(number, DECIMALS)
    except InvalidOperation:
        fits = False
    if not fits:
        msg = f"{name}: a number above 0 with at most {DECIMALS} decimals is needed"
        raise RefusedValueError(msg)
    return number


def day(name: str, value: Any) -> date:
    """A date as YYYY-MM-DD."""
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        msg = f"{name}: a date as YYYY-MM-DD is needed"
        raise RefusedValueError(msg) from None


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """One of the words in `allowed`."""
    if value not in allowed:
        msg = f"{name}: one of {', '.join(allowed)} is needed"
        raise RefusedValueError(msg)
    return str(value)


def read_fields(
    given: Any, readers: dict[str, Callable[[str, Any], Any]], defaults: dict[str, Any]
) -> dict[str, Any]:
    """Read every field of one object; unknown fields are refused, absent ones take their default."""
    if not isinstance(given, dict):
        msg = "an object with named fields is needed"
        raise RefusedValueError(msg)
    if unknown := sorted(set(given) - set(readers)):
        msg = f"{unknown[0]}: unknown field; known are {', '.join(readers)}"
        raise RefusedValueError(msg)
    return {name: reader(name, given.get(name, defaults.get(name))) for name, reader in readers.items()}
