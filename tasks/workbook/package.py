"""The parts of the file that tell which sheets there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.workbook.text import attribute, escaped
from tasks.workbook.titles import reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OPEN = "http://schemas.openxmlformats.org"
_RELATIONS = f"{_OPEN}/package/2006/relationships"
_OFFICE = f"{_OPEN}/officeDocument/2006/relationships"
_SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml"


@dataclass(frozen=True, slots=True)
class ListedSheet:
    """A sheet as the workbook lists it.

    Attributes:
        title: Its name.
        number: Of its part: `xl/worksheets/sheet<number>.xml`.
        filtered: The cells its filter covers, such as `A1:L20`.
    """

    title: str
    number: int
    filtered: str

    @property
    def part(self) -> str:
        """The name of its part."""
        return part_name(self.number)


def part_name(number: int) -> str:
    """Where a sheet lies in the file."""
    return f"xl/worksheets/sheet{number}.xml"


def parts(sheets: Sequence[ListedSheet], styles: bytes) -> Iterator[tuple[str, bytes]]:
    """All parts but the sheets themselves, with their names."""
    yield "xl/styles.xml", styles
    yield "xl/workbook.xml", _workbook(sheets).encode()
    yield "xl/_rels/workbook.xml.rels", _workbook_relations(sheets).encode()
    yield "_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]).encode()
    yield "[Content_Types].xml", _content_types(sheets).encode()


def _workbook(sheets: Sequence[ListedSheet]) -> str:
    listed = "".join(
        f'<sheet name="{attribute(sheet.title)}" sheetId="{place}" r:id="rId{place}"/>'
        for place, sheet in enumerate(sheets, 1)
    )
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{place}" hidden="1">'
        f"{escaped(reference(sheet.title, _fixed(sheet.filtered)))}</definedName>"
        for place, sheet in enumerate(sheets)
    )
    return (
        f'{_XML}<workbook xmlns="{_OPEN}/spreadsheetml/2006/main" xmlns:r="{_OFFICE}"><workbookPr/>'
        f'<bookViews><workbookView activeTab="0"/></bookViews><sheets>{listed}</sheets>'
        f"<definedNames>{filters}</definedNames></workbook>"
    )


def _workbook_relations(sheets: Sequence[ListedSheet]) -> str:
    own = [
        (f"rId{place}", "worksheet", sheet.part.removeprefix("xl/")) for place, sheet in enumerate(sheets, 1)
    ]
    return _relations([*own, (f"rId{len(sheets) + 1}", "styles", "styles.xml")])


def _relations(relations: Sequence[tuple[str, str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, kind, target in relations
    )
    return f'{_XML}<Relationships xmlns="{_RELATIONS}">{listed}</Relationships>'


def _content_types(sheets: Sequence[ListedSheet]) -> str:
    kinds = [("xl/workbook.xml", "sheet.main"), ("xl/styles.xml", "styles")]
    kinds += [(sheet.part, "worksheet") for sheet in sheets]
    listed = "".join(
        f'<Override PartName="/{name}" ContentType="{_SHEETS}.{kind}+xml"/>' for name, kind in kinds
    )
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'{_XML}<Types xmlns="{_OPEN}/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{relations}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{listed}</Types>'
    )


def _fixed(cells: str) -> str:
    """`A1:L20` as `$A$1:$L$20`."""
    ends = (cell.rstrip("0123456789") for cell in cells.split(":"))
    return ":".join(
        f"${column}${cell.removeprefix(column)}" for column, cell in zip(ends, cells.split(":"), strict=True)
    )
