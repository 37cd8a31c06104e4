from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from tasks.workbook import Limits, read_workbook
from tasks.workbook.container import Container
from tasks.workbook.errors import (
    CellsMerged,
    FileTooLarge,
    FormulaWithoutValue,
    HeaderUnclear,
    SheetUnclear,
    WorkbookLocked,
    WorkbookUnreadable,
)
from tests.tasks.workbook import looking
from tests.tasks.workbook.foreign import HEADER, locked, made, packed, parts_of, sheet_of

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.errors import NakomingError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.xlsx"


def refused(error: type[NakomingError], words: str, file: Any, **more: Any) -> NakomingError:
    """Reading it, to its end, is refused in one sentence of these words."""
    with pytest.raises(error, match=words) as found, read_workbook(file, **more) as rows:
        list(rows)
    sentence = str(found.value)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert ". " not in sentence
    return found.value


# What is read


def test_values_keep_their_kinds(path: Path) -> None:
    values = [
        "tekst",
        5,
        2.5,
        True,
        date(2026, 3, 4),
        datetime(2026, 3, 4, 5, 6, 7),  # noqa: DTZ001  # a workbook knows no zone
        time(8, 9),
        timedelta(hours=30),
    ]
    names = [f"k{number}" for number in range(len(values))]
    rows = read_workbook(made(path, [names, values, [None] * 7 + [timedelta(days=1)]]))
    assert rows.columns == tuple(names)
    first, second = rows
    assert list(first) == values
    assert [type(value) for value in first] == [type(value) for value in values]
    assert second == (None,) * 7 + (timedelta(days=1),)
    assert rows.count == 2


def test_the_formula_counts_as_its_stored_value_and_that_is_said() -> None:
    cells = '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c></row>'
    cells += '<row r="3"><c r="A3" t="str"><f>B1</f><v>a</v></c></row>'
    rows = read_workbook(packed(parts_of(HEADER + cells)))
    assert list(rows) == [(2,), ("a",)]
    assert rows.formulas == 2
    assert rows.remark("nl") == "2 waarden komen uit formules; genomen is wat Excel het laatst berekende."
    assert str(rows.remark("en")).startswith("2 values come from formulas")


def test_without_formulas_there_is_nothing_to_say(path: Path) -> None:
    rows = read_workbook(made(path, [["a"], [1]]))
    assert list(rows) == [(1,)]
    assert rows.remark("nl") is None


def test_a_formula_that_was_never_calculated_is_refused(path: Path) -> None:
    file = made(path, [["a", "b"], [1, "=A2+1"]])
    refused(FormulaWithoutValue, "^Cell B2 of sheet 'Sheet' in 'orders.xlsx' is a formula without", file)


def test_an_error_value_is_the_text_it_shows() -> None:
    cells = '<row r="2"><c r="A2" t="e"><v>#REF!</v></c></row>'
    assert list(read_workbook(packed(parts_of(HEADER + cells)))) == [("#REF!",)]


@pytest.mark.parametrize(("epoch", "from_1904"), [("WINDOWS_EPOCH", False), ("MAC_EPOCH", True)])
def test_both_calendars_give_the_same_dates(path: Path, epoch: str, *, from_1904: bool) -> None:
    from openpyxl.utils import datetime as calendars

    days = [date(1904, 1, 2), date(2026, 11, 23), date(9999, 12, 31)]

    def change(book: Any) -> None:
        book.epoch = getattr(calendars, epoch)

    file = made(path, [["dag"], *([day] for day in days)], change)
    assert [row[0] for row in read_workbook(file)] == days
    with zipfile.ZipFile(file) as archive:
        assert (b"date1904" in archive.read("xl/workbook.xml")) is from_1904


def test_the_day_that_never_was_stays_a_number() -> None:
    serials = [0.5, 1, 59, 60, 61, 2_958_465, 2_958_466, -1]
    cells = "".join(f'<row><c s="1"><v>{serial}</v></c></row>' for serial in serials)
    found = [row[0] for row in read_workbook(packed(parts_of(HEADER + cells)))]
    assert found == [
        0.5,
        date(1900, 1, 1),
        date(1900, 2, 28),
        60,
        date(1900, 3, 1),
        date(9999, 12, 31),
        2_958_466,
        -1,
    ]


@pytest.mark.parametrize(
    ("code", "value", "found"),
    [
        ("dd-mm-yyyy", 46_000, date(2025, 12, 9)),
        ('"jaar" 0', 46_000, 46_000),
        (r"0.00\d", 46_000, 46_000),
        ("0.00E+00", 46_000, 46_000),
        ("[Red]0;[Blue]-0", 46_000, 46_000),
        ("[$-413]d mmmm yyyy", 46_000, date(2025, 12, 9)),
        ("yyyy-mm-dd hh:mm", 46_000, datetime(2025, 12, 9)),  # noqa: DTZ001  # a workbook knows no zone
        ("[h]:mm", 1.5, timedelta(hours=36)),
        ("hh:mm", 0.5, time(12)),
        ("mmm", 46_000, date(2025, 12, 9)),
        ("dd-mm-yyyy", 46_000.5, datetime(2025, 12, 9, 12)),  # noqa: DTZ001  # the same
        ("_-* #,##0.00_-", 5, 5),
    ],
)
def test_a_number_is_a_date_by_its_format(path: Path, code: str, value: float, found: object) -> None:
    def change(book: Any) -> None:
        book.active["A2"].number_format = code

    assert list(read_workbook(made(path, [["a"], [value]], change))) == [(found,)]


def test_rich_and_phonetic_texts_are_plain() -> None:
    rich = "<r><t xml:space='preserve'>a </t></r><r><t>b_x0007_</t></r><rPh><t>zz</t></rPh>"
    texts = f"<si><t>naam</t></si><si>{rich}</si>"
    parts = parts_of(HEADER + '<row><c t="s"><v>1</v></c><c><v></v></c></row>')
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="urn:x">{texts}</sst>'
    assert list(read_workbook(packed(parts))) == [("a b\x07",)]


def test_cells_without_a_place_follow_each_other() -> None:
    header = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in "ab")
    rows = f"<row>{header}</row><row><c/><c><v>1</v></c></row>"
    assert list(read_workbook(packed(parts_of(rows)))) == [(None, 1)]


def test_prefixed_names_are_the_same_elements(path: Path) -> None:
    made(path, [["a"], ["x"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    sheet = sheet.replace("</", "</x:").replace("</x:", "\0").replace("<", "<x:").replace("\0", "</x:")
    parts["xl/worksheets/sheet1.xml"] = sheet.replace("xmlns=", "xmlns:x=")
    assert list(read_workbook(packed(parts))) == [("x",)]


def test_empty_rows_are_left_out_and_counted(path: Path) -> None:
    rows = read_workbook(made(path, [[None], ["a", "b"], [1, None], [None, None], ["", "  "], [2, 3]]))
    assert list(rows) == [(1, None), (None, "  "), (2, 3)]
    assert rows.empty == 1


def test_a_million_empty_rows_cost_no_memory_and_give_none(tmp_path: Path) -> None:
    lines = (f'<row r="{number}"><c r="A{number}" s="1"/></row>' for number in range(2, 1_000_002))
    few, many = tmp_path / "few.xlsx", tmp_path / "many.xlsx"
    few.write_bytes(packed(parts_of(HEADER)).getvalue())
    many.write_bytes(packed(parts_of(HEADER + "".join(lines))).getvalue())
    (*none, base), (*counted, peak) = _read_apart(few), _read_apart(many)
    assert none == [0, 0]
    assert counted == [0, 1_000_000]
    assert peak - base < 8_000  # KiB


def _read_apart(path: Path) -> list[int]:
    """Rows, empty rows and peak memory (KiB) of a process that reads the file."""
    program = """if True:
        import sys
        from tasks.workbook import read_workbook
        rows = read_workbook(sys.argv[1])
        print(sum(1 for _ in rows), rows.empty)
    """
    said, peak = looking.run_apart(program, str(path))
    return [*map(int, said.split()), peak]


def test_a_stream_of_the_caller_stays_open(path: Path) -> None:
    stream = BytesIO(made(path, [["a"], [1]]).read_bytes())
    assert list(read_workbook(stream)) == [(1,)]
    assert not stream.closed


def test_rows_half_read_can_be_let_go(path: Path) -> None:
    with read_workbook(made(path, [["a"], [1], [2]])) as rows:
        assert next(rows) == (1,)


# Which sheet


def with_sheets(book: Any) -> None:
    book.create_sheet("Tweede").append(["b"])
    book.create_sheet("Verborgen").sheet_state = "hidden"


def test_the_only_visible_sheet_needs_no_name(path: Path) -> None:
    def change(book: Any) -> None:
        book.create_sheet("Verborgen").sheet_state = "hidden"

    with read_workbook(made(path, [["a"]], change)) as rows:
        assert rows.columns == ("a",)


def test_among_several_sheets_one_is_named(path: Path) -> None:
    file = made(path, [["a"]], with_sheets)
    with read_workbook(file, sheet="tweede") as rows:
        assert rows.columns == ("b",)
    refused(
        SheetUnclear,
        "2 visible sheets, and it is not said which is meant; its sheets are: 'Sheet', 'Tweede'",
        file,
    )
    refused(SheetUnclear, "no visible sheet 'Verborgen'", file, sheet="Verborgen")


# Headers


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "it is empty"),
        ([[None, None]], "it is empty"),
        ([["a", None, "c"]], "column B has no name"),
        ([["a", "  "]], "column B has no name"),
        ([["Order", " order "]], "'Order' names two columns"),
        ([["a", 2026]], "column B begins with the value 2026 instead of a name"),
        ([["a"], [1, 2]], "column B has values and no name"),
    ],
)
def test_a_header_that_is_not_clear_is_refused(path: Path, rows: list[list[Any]], words: str) -> None:
    refused(HeaderUnclear, f"^The header of 'orders.xlsx' is not clear: {words};", made(path, rows))


def test_merged_cells_are_refused_before_a_row_is_given(path: Path) -> None:
    def change(book: Any) -> None:
        book.active.merge_cells("A2:A3")

    # So long that the header is read long before the list of merged cells, which stands at the end.
    file = made(path, [["a", "b"], [1, 2], [None, 3], *([0, number] for number in range(5000))], change)
    with pytest.raises(
        CellsMerged, match=r"^Sheet 'Sheet' of 'orders.xlsx' has merged cells \(A2:A3\); unmerge"
    ):
        read_workbook(file)


# Files that are none


def test_a_password_is_said(path: Path) -> None:
    import python_calamine

    path.write_bytes(locked())
    refused(WorkbookLocked, "^The workbook 'orders.xlsx' is protected with a password", path)
    with pytest.raises(python_calamine.PasswordError):  # another program takes it for one too
        python_calamine.CalamineWorkbook.from_path(str(path))


def test_a_part_with_a_password_is_one_too(path: Path) -> None:
    content = bytearray(made(path, [["a"]]).read_bytes())
    place = content.index(b"PK\x01\x02") + 8
    content[place] |= 1
    refused(WorkbookLocked, "protected with a password", BytesIO(bytes(content)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is no ZIP file"),
        (b"a;b\n1;2\n", "it is no ZIP file"),
        (
            locked().replace(
                "EncryptedPackage".encode("utf-16-le"), "Workbook".encode("utf-16-le") + bytes(16)
            ),
            "Excel 97-2003",
        ),
        (packed({"mimetype": "text"}).getvalue(), "it is a ZIP file, but no workbook"),
    ],
)
def test_another_kind_of_file_is_named(content: bytes, words: str) -> None:
    refused(WorkbookUnreadable, words, BytesIO(content))


@pytest.mark.parametrize("missing", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_missing_part_is_named(missing: str) -> None:
    parts = parts_of(HEADER)
    del parts[missing]
    refused(WorkbookUnreadable, f"its part {missing} is missing", packed(parts))


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        ("<row><c t='s'><v>9</v></c></row>", "cell A1 of sheet 'S' holds no value of its kind"),
        ("<row r='x'/>", "holds what Excel never writes"),
        ("<row><c r='B1'><v>1</v></c><c r='A1'><v>1</v></c></row>", "are not in their order"),
        ("<row><c r='ZZZZ1'><v>1</v></c></row>", "has no place"),
        ("<row><c><v>1e999</v></c></row>", "holds no value of its kind"),
        ("<row>", "is no XML"),
    ],
)
def test_a_damaged_sheet_is_refused(sheet: str, words: str) -> None:
    refused(WorkbookUnreadable, words, packed(parts_of(sheet)))


def test_every_flipped_byte_is_noticed_or_harmless(path: Path) -> None:
    rows = [["naam", "aantal"], *([f"artikel {number}", number] for number in range(50))]
    content = made(path, rows).read_bytes()
    wanted = [tuple(row) for row in rows[1:]]
    unnoticed = 0
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0x20
        try:
            found = list(read_workbook(BytesIO(bytes(damaged))))
        except (WorkbookUnreadable, WorkbookLocked, HeaderUnclear, SheetUnclear, FileTooLarge):
            continue
        assert found == wanted, place
        unnoticed += 1
    assert unnoticed < len(content) / 7 * 0.8


# Bombs


def test_a_ratio_beyond_the_limit_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(parts_of("", **{"xl/media/x.bin": "0" * 3_000_000}))
    error = refused(FileTooLarge, "times its size when it is unpacked, and at most 200 are allowed", bomb)
    assert error.data["found"] > 200


def test_a_size_beyond_the_limit_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(parts_of(HEADER, **{"xl/x.bin": "0123456789" * 1000}))
    refused(
        FileTooLarge, "bytes when it is unpacked, and at most 5000", bomb, limits=Limits(inflated_bytes=5000)
    )


def test_many_parts_are_refused_before_the_directory_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed(parts_of(HEADER, **{f"xl/{number}": "" for number in range(1000)}))

    def never(*_: object) -> None:
        pytest.fail("the directory was read")

    monkeypatch.setattr("tasks.workbook.container.ZipFile", never)
    refused(FileTooLarge, "has 1007 parts, and at most 1000 are allowed", bomb)


def test_a_file_beyond_the_limit_is_refused(path: Path) -> None:
    made(path, [["a"]])
    refused(FileTooLarge, r"bytes, and at most 100 are allowed\.$", path, limits=Limits(file_bytes=100))


def test_shared_texts_are_held_and_so_have_a_limit() -> None:
    parts = parts_of(HEADER)
    parts["xl/sharedStrings.xml"] = f"<sst><si><t>{'ab' * 600}</t></si></sst>"
    refused(
        FileTooLarge, "bytes in its part xl/sharedStrings.xml", packed(parts), limits=Limits(text_bytes=1000)
    )


def test_a_directory_that_lies_is_not_believed() -> None:
    content = packed(parts_of(HEADER + "<row><c><v>1</v></c></row>" * 100)).getvalue()
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"sheet1.xml"))
    declared = int.from_bytes(content[place + 24 : place + 28], "little")
    smaller = content[: place + 24] + (declared - 50).to_bytes(4, "little") + content[place + 28 :]
    refused(WorkbookUnreadable, "sheet1.xml is not what the directory says", BytesIO(smaller))


def test_a_part_that_goes_on_is_left_where_it_should_have_ended() -> None:
    content = packed(parts_of(HEADER, **{"xl/more.xml": "0123456789abcdef" * 100_000})).getvalue()
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"xl/more.xml"))
    smaller = content[: place + 24] + (100_000).to_bytes(4, "little") + content[place + 28 :]
    container = Container(BytesIO(smaller), "orders.xlsx", Limits())
    seen: list[int] = []
    with pytest.raises(WorkbookUnreadable, match=r"more\.xml is not what the directory says"):
        seen.extend(len(piece) for piece in container.pieces("xl/more.xml"))
    assert 0 < sum(seen) <= 100_000


def test_a_doctype_is_refused() -> None:
    parts = parts_of(HEADER)
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    parts["xl/worksheets/sheet1.xml"] = laughs + sheet_of("<row><c t='str'><v>&b;</v></c></row>")
    refused(WorkbookUnreadable, "has a DOCTYPE, which Excel never writes", packed(parts))


def test_rows_and_columns_have_limits(path: Path) -> None:
    made(path, [["a", "b"], [1, 2], [3, 4], [5, 6]])
    refused(FileTooLarge, "3 rows or more, and at most 2", path, limits=Limits(rows=2))
    refused(FileTooLarge, "2 columns", path, limits=Limits(columns=1))
    far = HEADER + '<row r="2"><c r="XFD2"><v>1</v></c></row>'
    refused(FileTooLarge, "16384 columns or more, and at most 1000", packed(parts_of(far)))


def test_one_shared_text_in_many_cells_is_held_once() -> None:
    parts = parts_of(HEADER + '<row><c t="s"><v>1</v></c></row>' * 1000)
    parts["xl/sharedStrings.xml"] = f"<sst><si><t>naam</t></si><si><t>{'y' * 30_000}</t></si></sst>"
    rows = list(read_workbook(packed(parts)))
    assert len({id(row[0]) for row in rows}) == 1
