"""The same cells, read back by three foreign programs."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.workbook import Kind, Sheet, SheetColumn, write_workbook
from tasks.workbook.reading import read_workbook
from tests.tasks.workbook import looking
from tests.tasks.workbook.looking import MAIN, by_calamine, by_libreoffice, by_openpyxl, same

if TYPE_CHECKING:
    from pathlib import Path

ZONE = ZoneInfo("Europe/Amsterdam")
COLUMNS = tuple(SheetColumn(kind.value, kind) for kind in Kind)
# Excel holds no instant finer than a millisecond for its readers; what lies below is tested in the XML.
INSTANTS = st.datetimes(datetime(1973, 1, 1), datetime(9999, 12, 29)).map(  # noqa: DTZ001  # bounds have no zone here
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
TEXTS = st.text(max_size=60) | st.from_regex(r"_x[0-9A-Fa-f]{3,5}_?[\x00-\x1f_]?", fullmatch=True)
VALUES = {
    Kind.TEXT: TEXTS,
    Kind.INTEGER: st.integers(-(10**15) + 1, 10**15 - 1),
    Kind.DECIMAL: st.decimals(-(10**9), 10**9, places=4) | st.floats(allow_nan=False, allow_infinity=False),
    Kind.DATE: st.dates(date(1900, 3, 1)),
    Kind.INSTANT: INSTANTS,
    Kind.BOOLEAN: st.booleans(),
}
ROWS = st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in Kind)), max_size=12)
# The order of CT_Worksheet's children, ISO/IEC 29500-1; those that are written here.
IN_ORDER = [
    "sheetViews",
    "sheetFormatPr",
    "cols",
    "sheetData",
    "autoFilter",
    "hyperlinks",
    "pageMargins",
    "ignoredErrors",
]


def wanted(row: tuple[Any, ...]) -> list[Any]:
    """The row as a workbook shows it."""
    found = [None if value == "" else value for value in row]
    place = list(Kind).index(Kind.INSTANT)
    if found[place] is not None:
        found[place] = found[place].astimezone(ZONE).replace(tzinfo=None)
    return found


def padded(rows: list[list[Any]], count: int) -> list[list[Any]]:
    """A program leaves empty rows and cells out at the end."""
    wide = [row + [None] * (len(COLUMNS) - len(row)) for row in rows]
    return wide + [[None] * len(COLUMNS)] * (count - len(wide))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workbooks")


@given(rows=ROWS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    rows=[("_x0007\x07", 0, Decimal("0.1"), date(1900, 3, 1), datetime(2026, 10, 25, 1, tzinfo=UTC), True)]
)
@example(rows=[("a\r\n\t\x0b", -1, 1e-300, date(9999, 12, 31), datetime(2026, 3, 29, 1, tzinfo=UTC), False)])
@example(rows=[("\ud83d", 1, 1e300, None, None, None)])
def test_openpyxl_calamine_and_we_ourselves_read_what_was_written(
    folder: Path, rows: list[tuple[Any, ...]]
) -> None:
    path = folder / "generated.xlsx"
    write_workbook(path, [Sheet("Blad", COLUMNS, rows)], language="en")
    expected = [wanted(row) for row in rows]
    surrogates = any("\ud800" <= char <= "\udfff" for row in rows for char in row[0] or "")
    programs = [by_openpyxl] if surrogates else [by_openpyxl, by_calamine]  # Rust knows no lone surrogates
    for program in programs:
        found = padded(program(path)["Blad"][1:], len(rows))
        assert all(map(same_rows, found, expected)), (program.__name__, found, expected)
    read = list(read_workbook(path, sheet="Blad"))
    full = [row for row in expected if any(value is not None for value in row)]
    assert len(read) == len(full)
    assert all(map(same_rows, map(list, read), full)), (read, full)


def same_rows(found: list[Any], expected: list[Any]) -> bool:
    return len(found) == len(expected) and all(map(same, found, expected))


def test_libreoffice_shows_what_was_written(folder: Path) -> None:
    texts = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "00123",
        " a ",
        "a\nb",
        "_x0041_",
        "<&>\"'",
        "é😀",
        "1-2-2026",
        "TRUE",
        "1e5",
    ]
    path = folder / "shown.xlsx"
    sheets = [
        Sheet("Teksten", (SheetColumn("t", Kind.TEXT),), [(text,) for text in texts]),
        Sheet(
            "Waarden",
            COLUMNS[1:],
            [
                (
                    999_999_999_999_999,
                    Decimal("0.1"),
                    date(1900, 3, 1),
                    datetime(2026, 7, 1, 22, tzinfo=UTC),
                    True,
                ),
                (-5, Decimal("-12.345"), date(2024, 2, 29), datetime(2026, 10, 25, 0, 30, tzinfo=UTC), False),
                (2**53 + 1, None, date(1, 1, 1), datetime(2026, 10, 25, 1, 30, 5, 7_000, tzinfo=UTC), None),
            ],
        ),
    ]
    write_workbook(path, sheets, language="en")
    found = by_libreoffice(path, folder)
    assert list(found) == ["Overview", "Teksten", "Waarden"]
    assert [row[0] for row in found["Teksten"]] == ["t", *texts]
    assert found["Waarden"] == [
        ["integer", "decimal", "date", "instant (Europe/Amsterdam)", "boolean"],
        ["999999999999999", "0.1", "1900-03-01", "2026-07-02 00:00:00.000", "TRUE"],
        ["-5", "-12.345", "2024-02-29", "2026-10-25 02:30:00.000 +02:00", "FALSE"],
        ["9007199254740993", None, "0001-01-01", "2026-10-25 02:30:05.007 +01:00", None],
    ]
    assert found["Overview"][1:4] == [
        ["Teksten", "13", "0", "0"],
        ["Waarden", "3", "2", "0"],
        ["Total", "16", "2", "0"],
    ]


def test_generated_cells_are_shown_by_libreoffice_too(folder: Path) -> None:
    """One file of many generated rows, for starting LibreOffice takes seconds."""
    import random

    chance = random.Random(7)  # noqa: S311  # the same cells each time
    signs = "abcé ß€😀&<>\"'=+-@_x0041_\t\n;,.%"
    rows = [
        (
            "".join(chance.choices(signs, k=chance.randrange(1, 30))),
            chance.randrange(-(10**15) + 1, 10**15),
            Decimal(chance.randrange(-(10**9), 10**9)).scaleb(-2),
            date(1900, 3, 1) + timedelta(days=chance.randrange(2_900_000)),
            datetime(1973, 1, 1, tzinfo=UTC) + timedelta(milliseconds=chance.randrange(4 * 10**12)),
            chance.random() < 0.5,
        )
        for _ in range(500)
    ]
    path = folder / "many.xlsx"
    columns = tuple(
        SheetColumn(c.name, c.kind, places=2 if c.kind is Kind.DECIMAL else None) for c in COLUMNS
    )
    write_workbook(path, [Sheet("Blad", columns, rows)], language="en")
    found = by_libreoffice(path, folder / "many")["Blad"][1:]
    for line, row in zip(found, rows, strict=True):
        local = row[4].astimezone(ZONE)
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        moment = local.replace(tzinfo=None).isoformat(" ", "milliseconds") + (
            f" {local.isoformat()[-6:]}" * twice
        )
        plain = [row[0], str(row[1]), f"{row[2]:,.2f}", row[3].isoformat(), moment, str(row[5]).upper()]
        assert line == plain


def test_elements_stand_in_the_order_of_the_format(folder: Path) -> None:
    path = folder / "order.xlsx"
    long = Sheet("Lang", (SheetColumn("t", Kind.TEXT),), [("x" * 40_000,)])
    total = Sheet("Som", (SheetColumn("n", Kind.INTEGER, total=True),), [(1,), (2**60,)])
    write_workbook(path, [long, total], language="nl")
    found = looking.parts(path)
    sheets = [part for name, part in found.items() if name.startswith("xl/worksheets/")]
    assert len(sheets) == 5
    for sheet in sheets:
        names = [child.tag.removeprefix(MAIN) for child in sheet]
        assert names == [name for name in IN_ORDER if name in names]
        references = [cell.get("r") for cell in sheet.iter(f"{MAIN}c")]
        assert len(references) == len(set(references))
        numbers = [int(row.get("r", 0)) for row in sheet.iter(f"{MAIN}row")]
        assert numbers == list(range(1, len(numbers) + 1))
        styles = len(found["xl/styles.xml"].find(f"{MAIN}cellXfs") or [])
        assert all(int(cell.get("s", 0)) < styles for cell in sheet.iter(f"{MAIN}c"))
    assert [child.tag.removeprefix(MAIN) for child in found["xl/workbook.xml"]] == [
        "workbookPr",
        "bookViews",
        "sheets",
        "definedNames",
    ]
    declared = {each.get("PartName") for each in found["[Content_Types].xml"] if each.get("PartName")}
    assert declared == {f"/{name}" for name in found if name.startswith("xl/") and not name.endswith(".rels")}


def test_a_stream_holds_the_same_workbook(folder: Path) -> None:
    stream = io.BytesIO()
    write_workbook(stream, [Sheet("Blad", COLUMNS, [])], language="nl")
    path = folder / "stream.xlsx"
    path.write_bytes(stream.getvalue())
    assert by_openpyxl(path)["Blad"] == by_calamine(path)["Blad"]
