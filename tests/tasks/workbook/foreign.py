"""Files as customers send them, good and bad."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def made(path: Path, rows: Iterable[Iterable[Any]], change: Callable[[Any], object] | None = None) -> Path:
    """A workbook as openpyxl makes it."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    if change:
        change(book)
    book.save(path)
    return path


def parts_of(sheet: str, **more: str) -> dict[str, str]:
    """The parts of the smallest workbook, of which a test changes one."""
    relation = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    own = f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    own += f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="/xl/styles.xml"/>'
    own += f'<Relationship Id="rId3" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    listed = '<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets>'
    formats = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    relations = f"{_PACKAGE}/relationships"
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{relations}">{relation}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{listed}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{relations}">{own}</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">{formats}</styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}"><si><t>naam</t></si><si><t>x</t></si></sst>',
        "xl/worksheets/sheet1.xml": sheet_of(sheet),
    } | more


def sheet_of(rows: str, behind: str = "") -> str:
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData>{behind}</worksheet>'


HEADER = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'


def packed(parts: dict[str, str], compression: int = zipfile.ZIP_DEFLATED) -> BytesIO:
    """The parts as a file."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


def locked() -> bytes:
    """The compound file in which Office keeps a workbook that a password locks: a stream EncryptedPackage."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<5H6x8L", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE)
    head += struct.pack("<2L", 0, 0) + b"\xff" * 432
    # Sector 0 the table, 1 the directory, 2 to 9 the stream.
    table = struct.pack("<128L", 0xFFFFFFFD, 0xFFFFFFFE, *range(3, 10), 0xFFFFFFFE, *([0xFFFFFFFF] * 118))
    root = _entry("Root Entry", 5, 1, 0xFFFFFFFE, 0)
    stream = _entry("EncryptedPackage", 2, 0xFFFFFFFF, 2, 4096)
    return head[:512] + table + root + stream + bytes(256) + b"\x5a" * 4096


def _entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<HBB3L", len(encoded), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
    return encoded.ljust(64, b"\0") + links + bytes(36) + struct.pack("<LQ", first, size)
