"""Types of columns as databases name them: of which kind they are, and how much they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(r"([a-z][a-z0-9_ ]*?)\s*(?:\(\s*(\d+|max)\s*(?:,\s*(\d+)\s*)?\))?(\s+with.*)?")
_KINDS: Final = {
    "string": "text varchar char character bpchar nvarchar nchar ntext clob citext string",
    "integer": "smallint int2 tinyint integer int int4 mediumint bigint int8 serial bigserial",
    "number": "numeric decimal number real float float4 float8 double money",
    "date": "date",
    "timestamp": "timestamp timestamptz datetime datetime2 smalldatetime datetimeoffset",
    "boolean": "boolean bool bit",
}
_KIND_OF: Final = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_BYTES: Final = {
    "tinyint": 1,
    "smallint": 2,
    "int2": 2,
    "mediumint": 3,
    "bigint": 8,
    "int8": 8,
    "bigserial": 8,
}
_USUAL_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class PhysicalType:
    """A type taken apart.

    Attributes:
        text: as it is written.
        kind: string, integer, number, date, timestamp, boolean or other.
        room: how much it holds: characters, bytes of a whole number, digits before the point; None: no bound.
        scale: digits behind the point; None where there is no bound.
    """

    text: str
    kind: str
    room: int | None = None
    scale: int | None = None

    def holds(self, other: PhysicalType) -> bool:
        """Whether every value of the other one fits."""
        return _covers(self.room, other.room) and _covers(self.scale, other.scale)


def _covers(room: int | None, other: int | None) -> bool:
    return room is None or (other is not None and room >= other)


def physical_type(text: str) -> PhysicalType:
    """Return a type by its name, such as `character varying(20)` or `numeric(12,3)`."""
    found = _FORM.fullmatch(text.strip().lower())
    word = found[1].split()[0] if found else ""
    kind = _KIND_OF.get(word, "other")
    if found is None or kind not in {"string", "integer", "number"}:
        return PhysicalType(text, kind)
    if kind == "integer":
        return PhysicalType(text, kind, _BYTES.get(word, _USUAL_BYTES))
    size = int(found[2]) if found[2] and found[2] != "max" else None
    return sized(text, kind, size, int(found[3]) if found[3] else None)


def sized(text: str, kind: str, size: int | None, scale: int | None) -> PhysicalType:
    """Return a type whose size is known: characters, or digits in all with those behind the point."""
    if kind == "number" and size is not None:
        return PhysicalType(text, kind, size - (scale or 0), scale or 0)
    return PhysicalType(text, kind, size if kind == "string" else None)
