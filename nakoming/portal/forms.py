"""Reading a POST: streamed, bounded, and forgiving, so that a file too large does not lose what was typed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, Self
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from nakoming.portal.errors import FormTooLarge, FormUnreadable

if TYPE_CHECKING:
    from starlette.requests import Request

MEBIBYTE: Final = 2**20
_FIELD_LIMIT: Final = 64 * 1024
_PARTS: Final = 200
_TEXT_BODY: Final = MEBIBYTE
_IN_MEMORY: Final = MEBIBYTE


@dataclass
class Upload:
    """A file of a form. Of one that is `too_large` the content was thrown away; `size` still counts it."""

    name: str
    file: IO[bytes]
    limit: int
    size: int = 0

    @property
    def too_large(self) -> bool:
        """Whether it has more bytes than may be stored."""
        return self.size > self.limit

    def write(self, data: bytes) -> None:
        """Take more content."""
        self.size += len(data)
        if not self.too_large:
            self.file.write(data)

    def content(self) -> bytes:
        """All of it."""
        self.file.seek(0)
        return self.file.read()


@dataclass
class Form:
    """What a POST brought: text fields, and files by the order in which they came."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The value of a field; empty when it is not there."""
        return self.fields.get(name, [""])[0]

    def add(self, name: str, value: str) -> None:
        """Take a field; line ends become those of text files."""
        self.fields.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\x00", ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for upload in self.uploads:
            upload.file.close()


async def read_form(request: Request, *, file_limit: int, most_files: int) -> Form:
    """Read the form of a request; more than the files asked for (and then some) is not even read.

    Raises:
        FormUnreadable: it is no form, is damaged, or is far larger than any answer.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/x-www-form-urlencoded":
        return _from_query(await _bounded(request, _TEXT_BODY))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise FormUnreadable(reason="it is not a form")
    # A little more than is allowed, so that the visitor hears which file is too large.
    limit = _TEXT_BODY + file_limit * (most_files + 3 if most_files else 0)
    reader = _Reader(boundary, file_limit)
    total = 0
    try:
        async for chunk in request.stream():
            total += len(chunk)
            _refuse_over(total, limit)
            reader.parser.write(chunk)
        reader.parser.finalize()
    except FormParserError as damaged:
        reader.form.__exit__()
        raise FormUnreadable(reason="it is damaged") from damaged
    except BaseException:
        reader.form.__exit__()
        raise
    return reader.form


async def _bounded(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        _refuse_over(len(body), limit)
    return bytes(body)


def _refuse_over(size: int, limit: int) -> None:
    if size > limit:
        raise FormTooLarge(reason=f"it has more than {limit} bytes")


def _from_query(body: bytes) -> Form:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_PARTS)
    except ValueError as damaged:
        raise FormUnreadable(reason="it is damaged") from damaged
    form = Form()
    for name, value in pairs:
        form.add(name, value)
    return form


class _Reader:
    """Collects the parts of a multipart body."""

    def __init__(self, boundary: bytes, file_limit: int) -> None:
        self.form = Form()
        self._file_limit = file_limit
        self._parts = 0
        self._header = (bytearray(), bytearray())
        self._name = ""
        self._text = bytearray()
        self._upload: Upload | None = None
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise FormUnreadable(reason=f"it has more than {_PARTS} parts")
        self._name, self._text, self._upload = "", bytearray(), None
        self._header = (bytearray(), bytearray())

    def _header_end(self) -> None:
        name, value = bytes(self._header[0]).lower(), bytes(self._header[1])
        self._header = (bytearray(), bytearray())
        if name != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode(errors="replace")
        if b"filename" in options:
            file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by the form
            self._upload = Upload(options[b"filename"].decode(errors="replace"), file, self._file_limit)
            self.form.uploads.append(self._upload)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._upload is not None:
            self._upload.write(data[start:end])
            return
        if len(self._text) + end - start > _FIELD_LIMIT:
            raise FormTooLarge(reason=f"'{self._name[:40]}' has more than {_FIELD_LIMIT} bytes")
        self._text += data[start:end]

    def _end(self) -> None:
        if self._upload is None and self._name:
            self.form.add(self._name, self._text.decode(errors="replace"))
        if self._upload is not None and not self._upload.name:  # a file input that was left empty
            self._upload.file.close()
            self.form.uploads.remove(self._upload)
