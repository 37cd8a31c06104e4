"""Texts longer than a cell: the cell ends with a mark, and the rest stands on a sheet of its own.

An auditor finds every character, and nothing is refused for one long remark. What goes on waits in a
temporary file, as its sheet is written last.
"""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Self

from tasks.workbook.errors import SheetUnfit
from tasks.workbook.text import CELL_LIMIT, parts, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tasks.workbook.words import Words

_IN_MEMORY = 1 << 20  # bytes; more goes to the disk


class LongTexts:
    """The texts of one workbook that go on elsewhere.

    Args:
        words: The fixed words.
        title: Of the sheet on which they go on.
        most: Rows that sheet can have.
    """

    def __init__(self, words: Words, title: str, most: int) -> None:
        self.count = 0
        self._words = words
        self._title = title
        self._most = most
        self._kept = tempfile.SpooledTemporaryFile(  # noqa: SIM115  # this class is the context manager
            max_size=_IN_MEMORY, mode="w+", encoding="ascii"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def keep(self, text: str, sheet: int, cell: str) -> str:
        """Keep what does not fit, and give what the cell shows.

        Args:
            text: The whole text.
            sheet: The number of its sheet of data, from 0.
            cell: Its place there.

        Raises:
            SheetUnfit: there are more long texts than a sheet has rows.
        """
        mark = self._words.continued.format(sheet=self._title, row=self.count + 2)
        shown, *rest = parts(text, CELL_LIMIT - units(mark))
        for number, part in enumerate(rest, 2):
            self._kept.write(json.dumps((sheet, cell, number, part)) + "\n")
        self.count += len(rest)
        if self.count >= self._most:
            raise SheetUnfit(
                sheet=self._title, reason=f"there are more long texts than its {self._most} rows"
            )
        return shown + mark

    def rows(self, titles: Sequence[str]) -> Iterator[tuple[str, str, int, str]]:
        """The rows of their sheet: sheet, cell, number of the part, text."""
        self._kept.seek(0)
        for line in self._kept:
            sheet, cell, number, part = json.loads(line)
            yield titles[sheet], cell, number, part
