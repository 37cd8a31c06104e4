"""What a workbook says of itself: its sheets, its calendar, its formats, its shared texts."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.workbook import xml_stream
from tasks.workbook.number_formats import Shown, shown_by

if TYPE_CHECKING:
    from tasks.workbook.container import Container

_TRUE = {"1", "true", "on"}
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


@dataclass
class Book:
    """A workbook, without its cells."""

    sheets: dict[str, str] = field(default_factory=dict)  # the visible ones: title, part
    from_1904: bool = False
    shown: list[Shown] = field(default_factory=list)  # by the number of a cell's style
    texts: list[str] = field(default_factory=list)


def read_book(container: Container, text_bytes: int) -> Book:
    """Read all parts but the sheets.

    Args:
        container: The file.
        text_bytes: How large the part of shared texts may be.

    Raises:
        FileTooLarge: the shared texts are larger.
        WorkbookUnreadable: it is no workbook, or a damaged one.
    """
    if "[Content_Types].xml" not in container:
        raise container.unreadable("it is a ZIP file, but no workbook")
    main = next(iter(_targets(container, "", "officeDocument").values()), "xl/workbook.xml")
    if main.endswith(".bin"):
        raise container.unreadable("it is a binary workbook (.xlsb); save it as .xlsx")
    listed = _Workbook()
    xml_stream.read(container, main, listed)
    worksheets = _targets(container, main, "worksheet")
    sheets = {title: worksheets[name] for title, name in listed.visible if name in worksheets}
    book = Book(sheets=sheets, from_1904=listed.from_1904)
    for part in _targets(container, main, "styles").values():
        styles = _Styles()
        xml_stream.read(container, part, styles)
        book.shown = [shown_by(number, styles.codes) for number in styles.numbers]
    for part in _targets(container, main, "sharedStrings").values():
        texts = _Texts()
        xml_stream.read(container, part, texts, text_bytes)
        book.texts = texts.found
    return book


def unescaped(text: str) -> str:
    """Text with `_xHHHH_` as the characters they stand for."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _targets(container: Container, part: str, kind: str) -> dict[str, str]:
    """The parts that a part refers to, by the names of the relations."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    if relations not in container:
        return {}
    handler = _Relations(kind)
    xml_stream.read(container, relations, handler)
    # A target is absolute within the file, or relative to the part's folder.
    return {
        name: posixpath.normpath(posixpath.join("/", folder, target))[1:]
        for name, target in handler.found.items()
    }


class _Quiet:
    """A reader of attributes only."""

    def end(self, name: str) -> None:
        """Nothing ends that matters here."""

    def text(self, data: str) -> None:
        """No text matters here."""


class _Relations(_Quiet):
    def __init__(self, kind: str) -> None:
        self._kind = f"/{kind}"
        self.found: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("Type", "").endswith(self._kind):
            self.found[attributes.get("Id", "")] = attributes.get("Target", "")


class _Workbook(_Quiet):
    def __init__(self) -> None:
        self.visible: list[tuple[str, str]] = []
        self.from_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "workbookPr":
            self.from_1904 = attributes.get("date1904") in _TRUE
        elif name == "sheet" and attributes.get("state", "visible") == "visible":
            relation = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            self.visible.append((attributes.get("name", ""), relation))


class _Styles(_Quiet):
    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        self.numbers: list[int] = []
        self._in_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self.codes[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self.numbers.append(int(attributes.get("numFmtId", 0)))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False


class _Texts:
    """Shared texts, rich ones as plain; what tells how to pronounce them is left out."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._in_text = self._in_phonetic = False

    def start(self, name: str, _: dict[str, str]) -> None:
        if name == "rPh":
            self._in_phonetic = True
        elif name == "t":
            self._in_text = not self._in_phonetic

    def end(self, name: str) -> None:
        if name == "t":
            self._in_text = False
        elif name == "rPh":
            self._in_phonetic = False
        elif name == "si":
            self.found.append(unescaped("".join(self._parts)))
            self._parts.clear()

    def text(self, data: str) -> None:
        if self._in_text:
            self._parts.append(data)
