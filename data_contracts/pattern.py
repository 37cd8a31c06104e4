"""Patterns that mean the same in every place that judges a value.

PostgreSQL, SQLite, SQL Server and Python disagree on regular expressions (SQL Server has none), so a contract
may use only the part that all of them can be given: signs and sets of signs in a row, each a fixed number of
times, and at most one of them a varying number of times. `[A-Z]{2}[0-9]{4,8}` is one, `(a|b)+` is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MOST: Final = 255
"""The most signs: as far as PostgreSQL counts. `*` and `+` end here too."""
_PLAIN: Final = r"A-Za-z0-9 _./#+:&,@'-"
_SET: Final = rf"\[(?P<set>[{_PLAIN}]+)\]"
_SIGN: Final = r"(?P<sign>[A-Za-z0-9 _/#:&,@'-])"
_TIMES: Final = r"(?:\{(?P<low>\d{1,3})(?P<comma>,)?(?P<high>\d{1,3})?\}|(?P<loose>[*+?]))?"
_ITEM: Final = re.compile(f"(?:{_SET}|\\\\(?P<dot>[.+])|{_SIGN}){_TIMES}")
_RANGES: Final = ("A-Z", "a-z", "0-9")

ALLOWED: Final = (
    "signs and sets such as [A-Z0-9-], each with {n}, at most one of them with {m,n}, ?, * or +, "
    "and nothing else of regular expressions"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One sign out of `signs`, `low` to `high` times."""

    signs: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern taken apart: what stands before the item that varies, that item, and what follows it."""

    text: str
    head: tuple[Item, ...]
    body: Item
    tail: tuple[Item, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """All of them in a row."""
        return (*self.head, self.body, *self.tail)

    @property
    def shortest(self) -> int:
        """The least number of signs."""
        return sum(item.low for item in self.items)

    @property
    def longest(self) -> int:
        """The greatest number of signs."""
        return sum(item.high for item in self.items)

    @property
    def regex(self) -> str:
        """The pattern for a whole value, for Python and PostgreSQL alike."""
        return rf"\A{''.join(map(_regex, self.items))}\Z"


def parsed(text: str) -> Pattern:
    """Take a pattern apart; `^` in front and `$` behind are allowed and say nothing new.

    Raises:
        ValueError: it is not one that means the same everywhere; the message says what stands in the way.
    """
    inner = text.removeprefix("^").removesuffix("$")
    items = _items(inner)
    varying = [at for at, item in enumerate(items) if item.low != item.high]
    if len(varying) > 1:
        raise ValueError("more than one part of it varies in length")
    if not items:
        raise ValueError("it is empty")
    at = varying[0] if varying else 0
    head, body, tail = tuple(items[:at]), items[at], tuple(items[at + 1 :])
    room = MOST - sum(item.high for item in (*head, *tail))
    if body.high == MOST:  # without an end of its own
        body = Item(body.signs, body.low, max(room, body.low))
    if body.high > room:
        raise ValueError(f"it allows more than {MOST} signs")
    return Pattern(text, head, body, tail)


def _items(text: str) -> list[Item]:
    found, place = [], 0
    while place < len(text):
        match = _ITEM.match(text, place)
        if match is None:
            raise ValueError(f"{text[place:][:12]!r} cannot be read")
        found.append(_item(match))
        place = match.end()
    return found


def _item(match: re.Match[str]) -> Item:
    signs = _expanded(match["set"]) if match["set"] else match["dot"] or match["sign"]
    if match["loose"]:
        low, high = {"*": (0, MOST), "+": (1, MOST), "?": (0, 1)}[match["loose"]]
        return Item(signs, low, high)
    if match["low"] is None:
        return Item(signs, 1, 1)
    low = int(match["low"])
    high = int(match["high"] or (MOST if match["comma"] else low))
    if high < low:
        raise ValueError(f"{match[0]!r} ends before it begins")
    return Item(signs, low, high)


def _expanded(signs: str) -> str:
    """The signs of a set, each once; only the usual ranges are ranges."""
    found = ""
    while signs:
        span = signs[:3]
        if len(span) == 3 and span[1] == "-":  # noqa: PLR2004 - a first sign, a dash, a last sign
            if not any(span[0] in full and span[2] in full for full in map(_full, _RANGES)):
                raise ValueError(f"{span!r} is no range of letters or digits")
            if span[2] < span[0]:
                raise ValueError(f"{span!r} ends before it begins")
            found += "".join(chr(code) for code in range(ord(span[0]), ord(span[2]) + 1))
            signs = signs[3:]
        else:
            found += signs[0]
            signs = signs[1:]
    return "".join(dict.fromkeys(found))


def _full(span: str) -> str:
    return "".join(chr(code) for code in range(ord(span[0]), ord(span[2]) + 1))


def set_of(signs: str) -> str:
    """The signs as the inside of a set: ranges where they are whole, the dash last."""
    rest, found = signs, ""
    for span in _RANGES:
        if set(_full(span)) <= set(rest):
            found += span
            rest = "".join(sign for sign in rest if sign not in _full(span))
    dash = "-" if "-" in rest else ""
    return found + rest.replace("-", "") + dash


def _regex(item: Item) -> str:
    times = f"{{{item.low}}}" if item.low == item.high else f"{{{item.low},{item.high}}}"
    return f"[{set_of(item.signs)}]{times}"
