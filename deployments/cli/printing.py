"""How commands speak: data on standard output, as JSON or for a person; sentences on standard error.

A person gets tables on a terminal, plain columns in a pipe, and instants on the local clock. Texts come from
customers too, so signs that a terminal would obey are replaced before they are printed.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = Annotated[bool, typer.Option("--json", help="Print the data as JSON.")]
"""The option of every command that prints data."""

NOTHING: Final = "–"
_GAP: Final = "  "
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def say(sentence: str) -> None:
    """Tell the person at the terminal, on standard error."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def emit(data: Any) -> None:
    """Print data as JSON: instants in UTC, names as the records have them."""
    sys.stdout.write(json.dumps(plain(data), indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def line(text: str = "") -> None:
    """Print a line of data (or several)."""
    sys.stdout.write(harmless(text) + "\n")
    sys.stdout.flush()


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names with their values; what has none is left out."""
    known = [(name, cell(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        line(f"{name:<{width}}{_GAP}{value}".rstrip())


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", empty: str = "") -> None:
    """Print rows below their columns; `empty` where there are none."""
    cells = [[cell(value) for value in row] for row in rows]
    if title:
        line(f"\n{title}")
    if not cells:
        line(empty)
    elif sys.stdout.isatty():
        _framed(columns, cells)
    else:
        _in_columns(columns, cells)


def _framed(columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich import box  # takes 50 ms, and only a terminal needs it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        drawn.add_column(Text(name), overflow="fold")  # nothing of a key or a digest is cut off
    for row in cells:
        drawn.add_row(*(Text(value) for value in row))
    Console().print(drawn)


def _in_columns(columns: Sequence[str], cells: list[list[str]]) -> None:
    """No frame and nothing folded: what is printed here may be read by a program."""
    rows = [list(columns), *cells]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    for row in rows:
        padded = (value.ljust(width) for value, width in zip(row, widths, strict=True))
        line(_GAP.join(padded).rstrip())


def cell(value: Any) -> str:
    """A value as a person reads it, on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (datetime, date, time)):
        return _when(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(each) for each in value) or NOTHING
    return harmless(" ".join(str(NOTHING if value is None else value).split())) or NOTHING


def _when(value: datetime | date | time) -> str:
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return moment(value) if isinstance(value, datetime) else day(value)


def moment(at: datetime) -> str:
    """An instant on the agreement's clock (Europe/Amsterdam), with its weekday."""
    from nakoming.agreement.local_time import ZONE  # the time zones are read from disk

    return f"{at.astimezone(ZONE):%a %d %b %Y %H:%M}"


def day(on: date) -> str:
    """A date with its weekday."""
    return f"{on:%a %d %b %Y}"


def harmless(text: str) -> str:
    """The text without signs that would steer a terminal or turn its direction; line ends stay."""
    return "".join("�" if _steers(sign) else sign for sign in text)


def _steers(sign: str) -> bool:
    return sign in _TURNING or (unicodedata.category(sign) == "Cc" and sign not in "\n\t")


def plain(value: Any) -> Any:
    """What JSON can hold of dataclasses, models, instants, amounts and the like."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(by_alias=True))
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (Decimal, PurePath)):
        return str(value)
    return value
