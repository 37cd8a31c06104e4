"""Where sequences stand in a dump, read from the dump itself: a sequence knows no snapshot.

pg_dump writes its table of contents first, and in it one text per sequence, after its length:
`SELECT pg_catalog.setval(…)`. Asked of the server a moment earlier or later, a sequence in use gives
another number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from blocks.backup.facts_postgresql import sequence_key, sequence_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blocks.backup.facts_postgresql import SequenceName

_START: Final = b"SELECT pg_catalog.setval("
_LONGEST: Final = 1024
_TEXT: Final = re.compile(
    r"SELECT pg_catalog\.setval\(E?'(?P<name>(?:[^']|'')+)', (?P<value>-?\d+), (?P<called>true|false)\);\s*",
    re.DOTALL,
)
_PART: Final = r'"(?:[^"]|"")*"|[^".]+'
_NAME: Final = re.compile(rf"({_PART})\.({_PART})", re.DOTALL)
_MOST: Final = 64 * 1024 * 1024
"""Of the dump's head is kept while it is looked through; the table of contents of 100,000 tables fits."""


class SequencesInDump:
    """Looks through a dump's first bytes until each sequence was found.

    Args:
        sequences: all that the snapshot has.
    """

    def __init__(self, sequences: Iterable[SequenceName]) -> None:
        self._wanted = {(each.schema, each.name): sequence_key(each) for each in sequences}
        self._head = bytearray()
        self._looked = 0
        self.values: dict[str, str] = {}

    @property
    def lacking(self) -> list[str]:
        """Sequences that were not found; none when the dump is whole."""
        return sorted(set(self._wanted.values()) - set(self.values))

    def look(self, block: bytes) -> None:
        """Take the next bytes of the dump."""
        if len(self.values) == len(self._wanted) or len(self._head) > _MOST:
            return
        self._head += block
        while (at := self._head.find(_START, self._looked)) >= 0:
            size = int.from_bytes(self._head[max(0, at - 4) : at], "little")
            if size <= _LONGEST and at + size > len(self._head):
                self._looked = at
                return  # its end comes with the next block
            self._looked = at + len(_START)
            if size <= _LONGEST:
                self._take(bytes(self._head[at : at + size]))
        self._looked = max(self._looked, len(self._head) - len(_START))
        if len(self.values) == len(self._wanted):
            self._head.clear()

    def _take(self, text: bytes) -> None:
        match = _TEXT.fullmatch(text.decode("utf-8", "replace"))
        name = _NAME.fullmatch(match["name"].replace("''", "'")) if match else None
        if match is None or name is None:
            return  # the words of somebody's function
        key = self._wanted.get((_plain(name[1]), _plain(name[2])))
        if key is not None:
            self.values[key] = sequence_value(match["value"], called=match["called"] == "true")


def _plain(identifier: str) -> str:
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier
