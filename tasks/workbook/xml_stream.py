"""XML of a customer's file, read as it is unpacked: elements by their local names, and never a DOCTYPE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.workbook.container import Container

_SEPARATOR = " "  # between a namespace and a name; no name has a blank


class Handler(Protocol):
    """What a reader of one part is told."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; an attribute of another namespace has that, and a blank, before its name."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, data: str) -> None:
        """Text within the element; it may come in pieces."""


class DoctypeFound(ValueError):
    """A DOCTYPE could define entities that grow without end; Office writes none."""


def read(container: Container, part: str, handler: Handler, limit: int | None = None) -> None:
    """Read a whole part.

    Raises:
        FileTooLarge: it is larger than the limit.
        WorkbookUnreadable: it is not there or no XML.
    """
    for _ in steps(container, part, handler, limit):
        pass


def steps(container: Container, part: str, handler: Handler, limit: int | None = None) -> Iterator[None]:
    """Read a part, and stop after each piece, so that what was found can be taken.

    Raises:
        FileTooLarge: it is larger than the limit.
        WorkbookUnreadable: it is not there or no XML.
    """
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    start, end, local = handler.start, handler.end, _LocalNames()

    def on_start(name: str, attributes: dict[str, str]) -> None:
        start(local[name], attributes)

    def on_end(name: str) -> None:
        end(local[name])

    def on_doctype(*_: object) -> None:
        raise DoctypeFound

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = on_doctype
    try:
        for piece in container.pieces(part, limit):
            parser.Parse(piece, False)  # expat takes it by place only
            yield
        parser.Parse(b"", True)  # the same
    except DoctypeFound as problem:
        raise container.unreadable(f"its part {part} has a DOCTYPE, which Excel never writes") from problem
    except expat.ExpatError as problem:
        raise container.unreadable(f"its part {part} is no XML ({problem})") from problem
    except ValueError as problem:
        raise container.unreadable(f"its part {part} holds what Excel never writes ({problem})") from problem
    yield


class _LocalNames(dict[str, str]):
    """Names without their namespaces, found once each: there are few, and millions of elements."""

    def __missing__(self, name: str) -> str:
        self[name] = found = name.rpartition(_SEPARATOR)[2]
        return found
