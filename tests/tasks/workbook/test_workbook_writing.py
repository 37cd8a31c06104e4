from __future__ import annotations

import hashlib
import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from nakoming.errors import NakomingError
from tasks.workbook import Kind, Sheet, SheetColumn, Written, write_workbook
from tasks.workbook.errors import CellUnfit, RowUnfit, SheetUnfit
from tests.tasks.workbook import looking
from tests.tasks.workbook.looking import MAIN, by_calamine, by_openpyxl, column, one_column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = "x" * 40_000
MARK = " … [verder op blad 'Lange teksten', rij 2]"


def written(path: Path, *sheets: Sheet, **more: Any) -> Written:
    return write_workbook(path, sheets, **{"language": "nl"} | more)


def cells(path: Path, *sheets: Sheet, **more: Any) -> list[Any]:
    """The values of the first column of the sheet "Blad"."""
    written(path, *sheets, **more)
    return [row[0] for row in by_calamine(path)["Blad"][1:]]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "overzicht.xlsx"


# Values


@pytest.mark.parametrize(
    "text", ["=1+1", "+31 20", "-5", "@naam", "=HYPERLINK(1)", "'quoted", "00123", "1e5"]
)
def test_a_text_stays_text_whatever_it_begins_with(book: Path, text: str) -> None:
    assert cells(book, one_column(Kind.TEXT, text)) == [text]
    (cell,) = [each for each in looking.sheet_xml(book, "Blad").iter(f"{MAIN}c") if each.get("r") == "A2"]
    assert cell.get("t") == "inlineStr"
    assert looking.shown(book, "Blad", "A2") == "@"
    assert all(style.get("quotePrefix") is None for style in looking.parts(book)["xl/styles.xml"].iter())


@pytest.mark.parametrize(
    "text",
    [
        "a\x07b",
        "_x0007_",
        "_x0041_x0042_",
        "_x0007\x07",
        " both ",
        "\ttab\n",
        "a\r\nb",
        "&<>\"'",
        "\ufffe",
        "_x",
    ],
)
def test_every_character_comes_back(book: Path, text: str) -> None:
    written(book, one_column(Kind.TEXT, text))
    assert by_openpyxl(book)["Blad"][1:] == [[text]]
    *_, element = looking.sheet_xml(book, "Blad").iter(f"{MAIN}t")
    kept = element.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
    assert kept is (text.strip(" \t\r\n") != text or "\n" in text)  # without it Excel drops the blanks


@pytest.mark.parametrize("value", [0, -1, 10**15 - 1, -(10**15) + 1, 10**20])
def test_a_whole_number_of_15_digits_is_a_number(book: Path, value: int) -> None:
    assert cells(book, one_column(Kind.INTEGER, value)) == [float(value)]


@pytest.mark.parametrize("value", [2**53 + 1, 1234567890123456, -(10**20) - 1])
def test_a_whole_number_of_more_digits_is_exact_as_text_and_counted(book: Path, value: int) -> None:
    result = written(book, one_column(Kind.INTEGER, value, 5))
    assert by_calamine(book)["Blad"][1:] == [[str(value)], [5.0]]
    assert result.as_text == 1
    assert looking.shown(book, "Blad", "A2") == "@"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Decimal("12.10"), 12.1),
        (Decimal("-0.000001"), -0.000001),
        (Decimal(123456789012345), 123456789012345.0),
        (Decimal("0E-20"), 0.0),
        (Decimal("1E+10"), 1e10),
        (Decimal("12345678901234.56"), "12345678901234.56"),
        (Decimal(1234567890123456), "1234567890123456"),
        (Decimal("0.12345678901234"), 0.12345678901234),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("NaN"), "NaN"),
        (0.1 + 0.2, 0.30000000000000004),
        (float("inf"), "inf"),
        (7, 7.0),
    ],
)
def test_a_decimal_is_the_same_number_or_its_text(book: Path, value: object, found: object) -> None:
    assert cells(book, one_column(Kind.DECIMAL, value, Decimal(1))) == [found, 1.0]


def test_columns_of_mixed_numbers_are_written_one_by_one(book: Path) -> None:
    assert cells(book, one_column(Kind.DECIMAL, 1, 2.5, Decimal("3.5"), None, 4)) == [1, 2.5, 3.5, None, 4]


def test_a_date_before_march_1900_is_text(book: Path) -> None:
    days = [date(1, 1, 1), date(1900, 2, 28), date(1900, 3, 1), date(9999, 12, 31), None]
    result = written(book, one_column(Kind.DATE, *days))
    found = [row[0] for row in by_calamine(book)["Blad"][1:]]
    assert found == ["0001-01-01", "1900-02-28", date(1900, 3, 1), date(9999, 12, 31)]
    assert result.as_text == 2


@pytest.mark.parametrize(("language", "code"), [("nl", r"dd\-mm\-yyyy"), ("en", r"yyyy\-mm\-dd")])
def test_dates_are_shown_as_the_language_does(book: Path, language: str, code: str) -> None:
    written(book, one_column(Kind.DATE, date(2026, 3, 4)), language=language)
    assert looking.shown(book, "Blad", "A2") == code


def test_an_instant_is_local_time_and_the_header_says_whose(book: Path) -> None:
    at = datetime(2026, 7, 1, 22, 30, 15, 250_000, tzinfo=UTC)
    elsewhere = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=-5)))
    written(book, one_column(Kind.INSTANT, at, elsewhere))
    rows = by_calamine(book)["Blad"]
    assert rows[0] == ["waarde (Europe/Amsterdam)"]
    assert rows[1] == [datetime(2026, 7, 2, 0, 30, 15, 250_000)]  # noqa: DTZ001  # a workbook knows no zone
    assert rows[2] == [datetime(2026, 1, 1, 18)]  # noqa: DTZ001  # the same


def test_another_zone_can_be_named(book: Path) -> None:
    written(book, one_column(Kind.INSTANT, datetime(2026, 7, 1, tzinfo=UTC)), zone=ZoneInfo("Asia/Tokyo"))
    assert by_calamine(book)["Blad"][0] == ["waarde (Asia/Tokyo)"]
    assert by_calamine(book)["Blad"][1] == [datetime(2026, 7, 1, 9)]  # noqa: DTZ001  # a workbook knows no zone


def test_the_hour_that_comes_twice_shows_its_offset(book: Path) -> None:
    # Sunday 25 October 2026: 02:30 comes at 00:30 and at 01:30 UTC.
    instants = [datetime(2026, 10, 25, 0, minute, tzinfo=UTC) for minute in (0, 30)]
    instants += [datetime(2026, 10, 25, 1, 30, tzinfo=UTC), datetime(2026, 10, 25, 2, 0, tzinfo=UTC)]
    written(book, one_column(Kind.INSTANT, *instants))
    formats = [looking.shown(book, "Blad", f"A{row}").partition('"')[2] for row in (2, 3, 4, 5)]
    assert formats == [' +02:00"', ' +02:00"', ' +01:00"', ""]
    assert by_calamine(book)["Blad"][2] == by_calamine(book)["Blad"][3]


def test_instants_of_long_ago_keep_their_seconds(book: Path) -> None:
    at = datetime(1930, 1, 1, 12, tzinfo=UTC)
    local = at.astimezone(ZoneInfo("Europe/Amsterdam")).replace(tzinfo=None)
    assert cells(book, one_column(Kind.INSTANT, at)) == [local]
    assert cells(book, one_column(Kind.INSTANT, datetime(1, 1, 1, tzinfo=UTC))) == [
        "0001-01-01T00:00:00+00:00"
    ]


def test_microseconds_stand_in_the_file(book: Path) -> None:
    written(book, one_column(Kind.INSTANT, datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)))
    (value,) = looking.sheet_xml(book, "Blad").iter(f"{MAIN}v")
    seconds = (Decimal(value.text or "") - 46_023) * 86_400
    assert abs(seconds - Decimal("3600.123456")) < Decimal("0.000001")


def test_booleans_and_empty_cells(book: Path) -> None:
    sheet = Sheet(
        "Blad", (column(Kind.BOOLEAN, "a"), column(Kind.TEXT, "b")), [(True, ""), (False, None), (None, "x")]
    )
    written(book, sheet)
    assert by_calamine(book)["Blad"][1:] == [[True, None], [False, None], [None, "x"]]


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Kind.TEXT, 5, "a value of type int in column 'waarde', which holds text"),
        (Kind.INTEGER, True, "a value of type bool"),
        (Kind.INTEGER, 1.0, "a value of type float"),
        (Kind.DECIMAL, "1", "a value of type str"),
        (Kind.DATE, datetime(2026, 1, 1, tzinfo=UTC), "an instant in column 'waarde', which holds dates"),
        (Kind.INSTANT, datetime(2026, 1, 1), "a local time without a zone"),  # noqa: DTZ001  # refused for that
        (Kind.INSTANT, date(2026, 1, 1), "a value of type date"),
        (Kind.BOOLEAN, 1, "a value of type int"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_one_sentence(
    book: Path, kind: Kind, value: object, words: str
) -> None:
    with pytest.raises(CellUnfit, match=rf"^Row 3 of 'Blad' has {words}.*\.$") as refused:
        written(book, one_column(kind, None, value))
    assert refused.value.data["row"] == 3
    assert list(book.parent.iterdir()) == []


# Long texts


def test_a_long_text_goes_on_on_its_own_sheet_and_nothing_is_lost(book: Path) -> None:
    long = "".join(chr(0x1F600 + number % 50) + "é" for number in range(30_000))
    result = written(book, one_column(Kind.TEXT, "kort", long, LONG))
    rows = by_calamine(book)
    first, second = (row[0] for row in rows["Blad"][2:])
    assert first.endswith(" … [verder op blad 'Lange teksten', rij 2]")
    assert second.endswith(" … [verder op blad 'Lange teksten', rij 4]")
    assert len(first.encode("utf-16-le")) // 2 in {32_767, 32_766}
    rest = rows["Lange teksten"]
    assert rest[0] == ["Blad", "Cel", "Deel", "Tekst"]
    assert [row[:3] for row in rest[1:]] == [["Blad", "A3", 2.0], ["Blad", "A3", 3.0], ["Blad", "A4", 2.0]]
    assert first.partition(" … [")[0] + rest[1][3] + rest[2][3] == long
    assert second.partition(" … [")[0] + rest[3][3] == LONG
    assert result.long_texts == 2
    assert rows["Overzicht"][1] == ["Blad", 3.0, 0.0, 2.0]
    assert any("Lange teksten: " in str(row[0]) for row in rows["Overzicht"])


@pytest.mark.parametrize(
    ("text", "is_long"), [("x" * 32_767, False), ("x" * 32_768, True), ("😀" * 16_384, True)]
)
def test_the_limit_counts_as_excel_does(book: Path, text: str, is_long: bool) -> None:  # noqa: FBT001  # a row of the table
    assert written(book, one_column(Kind.TEXT, text)).long_texts == is_long
    assert ("Lange teksten" in by_calamine(book)) is is_long


def test_long_texts_name_the_part_of_a_split_sheet(book: Path) -> None:
    written(book, one_column(Kind.TEXT, "a", "b", "c", LONG), sheet_rows=3)
    assert [row[:2] for row in by_calamine(book)["Lange teksten"][1:]] == [["Blad (2)", "A3"]]


# Sheets


@pytest.mark.clause("S-4.2.2")
def test_rows_that_do_not_fit_go_on_in_numbered_sheets_behind_an_index(book: Path) -> None:
    rows = [(number,) for number in range(1000)]
    sheet = Sheet("Orders", (SheetColumn("nr", Kind.INTEGER, total=True),), iter(rows))
    result = written(book, sheet, one_column(Kind.TEXT, "x"), sheet_rows=301)
    found = by_openpyxl(book)
    names = ["Overzicht", "Totalen", "Orders (1)", "Orders (2)", "Orders (3)", "Orders (4)", "Blad"]
    assert list(found) == names
    parts = [found[f"Orders ({number})"] for number in range(1, 5)]
    assert [len(part) for part in parts] == [301, 301, 301, 101]
    assert all(part[0] == ["nr"] for part in parts)
    assert [row for part in parts for row in part[1:]] == [list(row) for row in rows]
    assert found["Overzicht"][:6] == [
        ["Blad", "Rijen", "Waarden als tekst", "Lange teksten"],
        ["Orders (1)", 300, 0, 0],
        ["Orders (2)", 300, 0, 0],
        ["Orders (3)", 300, 0, 0],
        ["Orders (4)", 100, 0, 0],
        ["Blad", 1, 0, 0],
    ]
    assert found["Overzicht"][6] == ["Totaal", 1001, 0, 0]
    assert result.rows == 1001
    assert [(sheet.title, sheet.rows) for sheet in result.sheets][:2] == [
        ("Orders (1)", 300),
        ("Orders (2)", 300),
    ]
    assert found["Totalen"][1:] == [["Orders", "nr", sum(range(1000))]]
    links = [each.get("location") for each in looking.sheet_xml(book, "Overzicht").iter(f"{MAIN}hyperlink")]
    assert links == [f"'{name}'!A1" for name in names[2:]]


@pytest.mark.parametrize(("count", "sheets"), [(0, 1), (299, 1), (300, 1), (301, 2), (600, 2), (601, 3)])
def test_a_sheet_is_begun_only_for_a_row_that_needs_it(book: Path, count: int, sheets: int) -> None:
    result = written(book, one_column(Kind.INTEGER, *range(count)), sheet_rows=301)
    assert len(result.sheets) == sheets
    assert result.rows == count


@pytest.mark.long
def test_excels_own_limit_splits_too(book: Path) -> None:
    result = written(book, one_column(Kind.INTEGER, *range(1_048_577)))
    assert [sheet.rows for sheet in result.sheets] == [1_048_575, 2]


def test_totals_are_exact_beyond_what_a_number_of_excel_holds(book: Path) -> None:
    columns = (column(Kind.DECIMAL, "bedrag", total=True), column(Kind.DECIMAL, "uren", total=True))
    big = Decimal("99999999999999999999999999999999.01")
    result = written(book, Sheet("Blad", columns, [(big, 0.1), (big, 0.2), (None, None)]))
    assert [total.value for total in result.totals] == [
        Decimal("199999999999999999999999999999998.02"),
        Decimal("0.3"),
    ]
    assert by_calamine(book)["Totalen"][1:] == [
        ["Blad", "bedrag", "199999999999999999999999999999998.02"],
        ["Blad", "uren", 0.3],
    ]


def test_titles_are_made_legal_and_unique(book: Path) -> None:
    wishes = ["a/b:c", "A_B_C", "'quoted'", "x" * 40, "X" * 31, "", "History", "overzicht", "Uren 😀" * 8]
    sheets = [Sheet(wish, (column(Kind.TEXT),), []) for wish in wishes]
    titles = [sheet.title for sheet in written(book, *sheets).sheets]
    assert titles[:4] == ["a_b_c", "A_B_C ~2", "quoted", "x" * 31]
    assert len({title.casefold() for title in [*titles, "overzicht", "history"]}) == len(titles) + 2
    assert all(len(title.encode("utf-16-le")) <= 62 for title in titles)
    assert list(by_openpyxl(book))[1:] == titles


def test_each_sheet_has_a_frozen_bold_header_a_filter_and_widths(book: Path) -> None:
    import openpyxl

    columns = (
        column(Kind.TEXT, "a", width=33),
        column(Kind.DECIMAL, "een lange kop boven de kolom", places=2),
    )
    written(book, Sheet("Blad", columns, [("x", Decimal("1234.5"))]))
    sheet = openpyxl.load_workbook(book)["Blad"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:B2"
    assert [cell.font.b for cell in sheet[1]] == [True, True]
    assert sheet.column_dimensions["A"].width == 33
    assert sheet.column_dimensions["B"].width > len(columns[1].name)
    assert sheet["B2"].number_format == "#,##0.00"


@pytest.mark.parametrize(("language", "index"), [("nl", "Overzicht"), ("en", "Overview")])
def test_fixed_words_are_the_customers(book: Path, language: str, index: str) -> None:
    written(book, one_column(Kind.INTEGER, 2**60), language=language)
    (first, *_), lines = by_openpyxl(book), next(iter(by_openpyxl(book).values()))
    assert first == index
    assert lines[-1][0].startswith({"nl": "Waarden als tekst: ", "en": "Values as text: "}[language])


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ((), "it has 0 columns"),
        ((column(Kind.TEXT, "Nr"), column(Kind.TEXT, "nr")), "two of its columns are called 'nr'"),
        ((column(Kind.DATE, total=True),), "'waarde' holds date, which has no total"),
        (tuple(column(Kind.TEXT, str(number)) for number in range(16_385)), "it has 16385 columns"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(book: Path, columns: tuple[SheetColumn, ...], reason: str) -> None:
    with pytest.raises(SheetUnfit, match=reason):
        written(book, Sheet("Blad", columns, []))


@pytest.mark.parametrize("row", [(1,), (1, 2, 3)])
def test_a_row_of_another_width_is_refused(book: Path, row: tuple[int, ...]) -> None:
    columns = (column(Kind.INTEGER, "a"), column(Kind.INTEGER, "b"))
    with pytest.raises(
        RowUnfit, match=rf"^Row 3 of 'Blad' has {len(row)} values; the sheet has 2 columns\.$"
    ):
        written(book, Sheet("Blad", columns, [(1, 2), row]))


# The file


def test_what_is_said_of_the_file_is_so(book: Path) -> None:
    result = written(book, one_column(Kind.TEXT, "x"))
    content = book.read_bytes()
    assert result.sha256 == hashlib.sha256(content).hexdigest()
    assert result.size == len(content)


def test_equal_rows_give_equal_bytes_in_a_file_and_in_a_stream(book: Path) -> None:
    class Sink(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

    stream = Sink()
    result = write_workbook(stream, [one_column(Kind.TEXT, "x")], language="nl")
    assert written(book, one_column(Kind.TEXT, "x")) == result
    assert stream.getvalue() == book.read_bytes()


def test_a_failure_leaves_the_old_file_and_nothing_else(book: Path) -> None:
    book.write_bytes(b"old")

    def rows() -> Iterator[tuple[int]]:
        yield from ((number,) for number in range(5000))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        written(book, Sheet("Blad", (column(Kind.INTEGER),), rows()))
    assert book.read_bytes() == b"old"
    assert list(book.parent.iterdir()) == [book]


def test_errors_are_of_the_house() -> None:
    for error in (CellUnfit, RowUnfit, SheetUnfit):
        assert issubclass(error, NakomingError)
        assert error.code.startswith("NK71")
