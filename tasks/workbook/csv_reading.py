"""Reads a CSV file that a customer sent, in the encoding and with the separator that its contract declares.

Nothing is guessed: bytes that cannot be of the declared encoding are refused before the first row is given,
and so are those that give themselves away as another one.
"""

from __future__ import annotations

import codecs
import csv
import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, Literal

from tasks.workbook.errors import CsvUnreadable, EncodingWrong, FileTooLarge, HeaderUnclear
from tasks.workbook.limits import DEFAULT, Limits
from tasks.workbook.reading import open_for_reading
from tasks.workbook.rows import Rows

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

Encoding = Literal["utf-8", "utf-8-sig", "cp1252"]
Delimiter = Literal[",", ";", "\t", "|"]
_DELIMITERS: tuple[Delimiter, ...] = (",", ";", "\t", "|")
_PIECE = 1 << 16


def read_csv(
    file: str | os.PathLike[str] | BinaryIO,
    limits: Limits = DEFAULT,
    *,
    encoding: Encoding,
    delimiter: Delimiter = ";",
) -> Rows:
    """Open a CSV file for reading; every value is text.

    Args:
        file: A path; or a seekable binary stream, which stays open.
        limits: What the file may hold.
        encoding: As declared; `utf-8-sig` is UTF-8 with or without its mark.
        delimiter: As declared.

    Returns:
        The rows below the header. It is an iterator, a context manager, and knows its `columns`.

    Raises:
        FileTooLarge: it holds more than the limits; also while rows are read.
        EncodingWrong: it is in another encoding.
        HeaderUnclear: a name is missing or there twice, or another separator was used.
        CsvUnreadable: a line has too many or too few fields, or a quote is not closed; while rows are read.
    """
    with ExitStack() as failing:
        held = failing.enter_context(ExitStack())  # what the rows close at their end; at once when this fails
        opened, name = open_for_reading(file, held)
        size = opened.seek(0, io.SEEK_END)
        if size > limits.file_bytes:
            raise FileTooLarge(file=name, found=size, what="bytes", limit=limits.file_bytes)
        _check_encoding(opened, name, encoding)
        opened.seek(0)
        text = io.TextIOWrapper(opened, encoding, errors="strict", newline="")
        held.callback(_let_go, text)
        rows = Rows(name, limits, _lines(text, name, delimiter), held.close)
        _check_delimiter(rows, name, delimiter)
        failing.pop_all()
    return rows


def _let_go(text: io.TextIOWrapper) -> None:
    """Leave the stream below open: who opened it closes it."""
    if not text.closed:
        text.detach()


def _lines(text: io.TextIOWrapper, name: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    width = 0
    try:
        for fields in reader:
            width = width or len(fields) * any(fields)
            if fields and width and len(fields) != width:
                reason = f"it has {len(fields)} fields, and the header has {width}"
                raise CsvUnreadable(file=name, line=reader.line_num, reason=reason)
            yield fields
    except csv.Error as problem:
        raise CsvUnreadable(file=name, line=reader.line_num, reason=str(problem)) from problem


def _check_delimiter(rows: Rows, name: str, delimiter: str) -> None:
    others = [each for each in _DELIMITERS if each != delimiter and each in rows.columns[0]]
    if len(rows.columns) == 1 and others:
        reason = f"it is one name with {others[0]!r} in it, while the declared separator is {delimiter!r}"
        raise HeaderUnclear(file=name, reason=reason)


def _check_encoding(file: BinaryIO, name: str, encoding: Encoding) -> None:
    """Decode the whole file once; and once more as UTF-8, to see what was declared wrongly."""
    seen = _Seen(encoding)
    file.seek(0)
    while piece := file.read(_PIECE):
        _refuse_marks(seen, piece, name)
        seen.take(piece, name)
    seen.take(b"", name, last=True)
    if encoding == "cp1252" and seen.is_utf_8 and seen.has_beyond_ascii:
        reason = "its bytes are UTF-8; declare that, or save the file anew"
        raise EncodingWrong(file=name, encoding=encoding, reason=reason)


def _refuse_marks(seen: _Seen, piece: bytes, name: str) -> None:
    marked = seen.offset == 0 and piece.startswith(codecs.BOM_UTF8)
    if marked and seen.encoding != "utf-8-sig":
        reason = "it begins with the mark of UTF-8; declare utf-8-sig"
        raise EncodingWrong(file=name, encoding=seen.encoding, reason=reason)
    if 0 in piece:
        reason = f"byte {seen.offset + piece.index(0) + 1} is zero, as in UTF-16 or in a file that is no text"
        raise EncodingWrong(file=name, encoding=seen.encoding, reason=reason)


class _Seen:
    """What was seen of a file's bytes."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.offset = 0
        self.is_utf_8 = True
        self.has_beyond_ascii = False
        self._line = 1
        self._declared = codecs.getincrementaldecoder(encoding)("strict")
        self._utf_8 = codecs.getincrementaldecoder("utf-8")("strict")

    def take(self, piece: bytes, name: str, *, last: bool = False) -> None:
        try:
            self._declared.decode(piece, last)
        except UnicodeDecodeError as problem:
            line = self._line + problem.object[: problem.start].count(b"\n")
            byte = problem.object[problem.start]
            reason = f"line {line} has the byte 0x{byte:02X} where none such can be"
            raise EncodingWrong(file=name, encoding=self.encoding, reason=reason) from problem
        if self.is_utf_8:
            self._try_utf_8(piece, last=last)
        self.has_beyond_ascii = self.has_beyond_ascii or not piece.isascii()
        self.offset += len(piece)
        self._line += piece.count(b"\n")

    def _try_utf_8(self, piece: bytes, *, last: bool) -> None:
        try:
            self._utf_8.decode(piece, last)
        except UnicodeDecodeError:
            self.is_utf_8 = False
