"""Names of sheets: legal for Excel, and each there once."""

from __future__ import annotations

import re

from tasks.workbook.text import units

LONGEST = 31  # UTF-16 units
_ILLEGAL = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_RESERVED = "history"  # Excel keeps it for its list of changes


class Titles:
    """The names of one workbook."""

    def __init__(self) -> None:
        self._taken = {_RESERVED}

    def claim(self, wish: str, suffix: str = "") -> str:
        """Give the nearest legal name that is still free.

        Args:
            wish: What the sheet should be called.
            suffix: What its name must end with, such as the number of a part.
        """
        base = _ILLEGAL.sub("_", wish).strip().strip("'") or "_"
        number, ending = 1, suffix
        while (title := _cut(base, LONGEST - units(ending)) + ending).casefold() in self._taken:
            number += 1
            ending = f"{suffix} ~{number}"
        self._taken.add(title.casefold())
        return title


def reference(title: str, cells: str = "A1") -> str:
    """A place in a sheet, as formulas and links write it."""
    quoted = title.replace("'", "''")
    return f"'{quoted}'!{cells}"


def letters(number: int) -> str:
    """The letters of a column, counted from 1: A, …, Z, AA, …, XFD."""
    found = ""
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(65 + rest) + found
    return found


def _cut(text: str, room: int) -> str:
    while units(text) > room:
        text = text[:-1]
    return text.rstrip().rstrip("'") or "_"
