from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from tasks.workbook import Limits, read_csv
from tasks.workbook.errors import CsvUnreadable, EncodingWrong, FileTooLarge, HeaderUnclear

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.errors import NakomingError

TEXT = "naam;stad\nJoão;Nürnberg\nMeaño;’s-Hertogenbosch\n"
ROWS = [("João", "Nürnberg"), ("Meaño", "’s-Hertogenbosch")]


def read(content: bytes, **more: Any) -> list[tuple[Any, ...]]:
    return list(read_csv(BytesIO(content), **{"encoding": "utf-8"} | more))


def refused(error: type[NakomingError], words: str, content: bytes, **more: Any) -> None:
    with pytest.raises(error, match=words) as found:
        read(content, **more)
    assert str(found.value).endswith(".")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_the_declared_encoding_is_read(encoding: str) -> None:
    assert read(TEXT.encode(encoding), encoding=encoding) == ROWS


def test_the_mark_of_utf_8_may_be_left_out() -> None:
    assert read(TEXT.encode(), encoding="utf-8-sig") == ROWS


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (TEXT.encode("cp1252"), "utf-8", "encoding utf-8: line 2 has the byte 0xE3 where none such can be"),
        (TEXT.encode("cp1252"), "utf-8-sig", "encoding utf-8-sig: line 2 has the byte 0xE3"),
        (TEXT.encode(), "cp1252", "its bytes are UTF-8; declare that"),
        (b"a;b\n1;\x81\n", "cp1252", "line 2 has the byte 0x81"),
        (TEXT.encode("utf-8-sig"), "utf-8", "it begins with the mark of UTF-8; declare utf-8-sig"),
        (TEXT.encode("utf-8-sig"), "cp1252", "it begins with the mark of UTF-8"),
        (TEXT.encode("utf-16"), "cp1252", "is zero, as in UTF-16"),
        (b"a;b\n\xc3", "utf-8", "line 2 has the byte 0xC3"),
    ],
)
def test_another_encoding_is_refused_before_a_row_is_given(content: bytes, encoding: Any, words: str) -> None:
    with pytest.raises(EncodingWrong, match=words):
        read_csv(BytesIO(content), encoding=encoding)


def test_a_letter_on_the_border_of_two_pieces_is_whole() -> None:
    letters = ("naam;b\n" + "é" * 40_000 + ";1\n").encode()
    assert read(letters) == [("é" * 40_000, "1")]


def test_quotes_line_breaks_and_empty_fields() -> None:
    content = b'a;b\n"x;""y""";"1\r\n2"\n;\n\n"";3\n'
    rows = read_csv(BytesIO(content), encoding="utf-8")
    assert list(rows) == [('x;"y"', "1\r\n2"), (None, "3")]
    assert rows.empty == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_declared_separator_is_taken(delimiter: str) -> None:
    assert read(f"a{delimiter}b\n1{delimiter}2\n".encode(), delimiter=delimiter) == [("1", "2")]


def test_another_separator_is_said() -> None:
    refused(HeaderUnclear, "one name with ',' in it, while the declared separator is ';'", b"a,b\n1,2\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a;b\n1;2\n1;2;3\n", "^Line 3 of 'stream' cannot be read: it has 3 fields, and the header has 2"),
        (b"a;b\n1;2\n3\n", "^Line 3 of 'stream' cannot be read: it has 1 fields"),
        (b'a;b\n1;"2\n3;4\n', "^Line 3 of 'stream' cannot be read: unexpected end of data"),
        (b'a;b\n1;"2"x\n', "^Line 2 of 'stream' cannot be read"),
        (b"a;b\n" + b"x" * 200_000 + b";1\n", "^Line 2 of 'stream' cannot be read: field larger than"),
    ],
)
def test_a_line_that_is_no_csv_is_named(content: bytes, words: str) -> None:
    refused(CsvUnreadable, words, content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"a;;c\n", "column B has no name"),
        (b"Order;order\n", "'Order' names two columns"),
    ],
)
def test_a_header_that_is_not_clear_is_refused(content: bytes, words: str) -> None:
    refused(HeaderUnclear, words, content)


def test_limits_hold() -> None:
    refused(
        FileTooLarge, "has 8 bytes, and at most 5 are allowed", b"a;b\n1;2\n", limits=Limits(file_bytes=5)
    )
    refused(FileTooLarge, "2 rows or more, and at most 1", b"a\n1\n2\n", limits=Limits(rows=1))
    refused(FileTooLarge, "2 columns", b"a;b\n", limits=Limits(columns=1))


def test_a_file_is_closed_and_a_stream_is_not(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(TEXT.encode())
    assert list(read_csv(path, encoding="utf-8")) == ROWS
    with read_csv(path, encoding="utf-8") as rows:
        next(rows)
    stream = BytesIO(TEXT.encode())
    list(read_csv(stream, encoding="utf-8"))
    assert not stream.closed


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b"a;b\n1\n")
    with pytest.raises(CsvUnreadable, match=r"Line 2 of 'orders\.csv'"):
        list(read_csv(path, encoding="utf-8"))
