"""How much of a customer's file is read at most."""

from __future__ import annotations

from dataclasses import dataclass

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may hold; it is refused beyond that.

    Attributes:
        file_bytes: The file itself.
        entries: Parts of a workbook.
        inflated_bytes: All parts of a workbook together, unpacked.
        ratio: How many times larger a workbook may be when it is unpacked.
        text_bytes: A workbook's shared texts, unpacked: the one part that is held in memory.
        rows: Rows of data, the empty ones not counted.
        columns: Columns of the header.
    """

    file_bytes: int = 100 * _MEBIBYTE
    entries: int = 1_000
    inflated_bytes: int = 1_024 * _MEBIBYTE
    ratio: int = 200
    text_bytes: int = 64 * _MEBIBYTE
    rows: int = 1_048_576
    columns: int = 1_000


DEFAULT = Limits()
