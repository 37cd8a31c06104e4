"""How fast, and in how much memory, is an overview written as Excel?

500,000 rows of 12 mixed columns, each writer in a process of its own that makes the rows too. Peer:
openpyxl's write-only mode, which is given instants as local times, for it takes none with a zone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMES = 3
_RATIO = 0.2
_MEBIBYTES = 150
_ZONE = ZoneInfo("Europe/Amsterdam")
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_DAY = date(2024, 1, 1)
_COLUMNS = (
    ("number", "integer"),
    ("order", "text"),
    ("article", "text"),
    ("ordered", "integer"),
    ("amount", "decimal"),
    ("due_on", "date"),
    ("changed_at", "instant"),
    ("is_ready", "boolean"),
    ("status", "text"),
    ("formula", "text"),
    ("hours", "decimal"),
    ("remark", "text"),
)


class _Measured(NamedTuple):
    seconds: float
    mebibytes: float


def run(count: int = 500_000, *, peers: bool = True) -> list[Figure]:
    """Write `count` rows, ours three times and the peer's once."""
    at_start = machine()
    with TemporaryDirectory(prefix="bench-") as name:
        target = Path(name, "overview.xlsx")
        ours = [_apart("own", target, count) for _ in range(_TIMES)]
        theirs = _apart("openpyxl", target, count) if peers else None
    shared: dict[str, Any] = {"machine": at_start, "peer": "openpyxl write-only" if theirs else None}
    return [
        Figure(
            name="excel-overview/time",
            value=median([each.seconds for each in ours]),
            unit="s",
            peer_value=theirs and theirs.seconds,
            limit=_RATIO,
            judged="ratio",
            **shared,
        ),
        Figure(
            name="excel-overview/memory",
            value=max(each.mebibytes for each in ours),
            unit="MiB",
            peer_value=theirs and theirs.mebibytes,
            limit=_MEBIBYTES,
            **shared,
        ),
    ]


def _apart(writer: str, target: Path, count: int) -> _Measured:
    command = [sys.executable, "-m", "bench.excel_overview", writer, str(target), str(count)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return _Measured(*map(float, ran.stdout.split()))


def _rows(count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        yield (
            number,
            f"PO-2026-{number:07d}",
            f"Article {number % 997} ø16 <steel> & co",
            number % 500,
            Decimal(number * 7 % 100_000) / 100,
            _DAY + timedelta(days=number % 900),
            _FIRST + timedelta(seconds=number * 61),
            number % 3 == 0,
            "ready" if number % 2 else "in progress",
            f"=SUM(A{number})" if number % 10 == 0 else "none",
            number * 0.37,
            None if number % 5 else f"remark {number}",
        )


def _own(target: Path, count: int) -> None:
    from tasks.workbook import Kind, Sheet, SheetColumn, write_workbook

    columns = tuple(SheetColumn(name, Kind(kind), total=name == "amount") for name, kind in _COLUMNS)
    written = write_workbook(target, [Sheet("Orders", columns, _rows(count))], language="en", zone=_ZONE)
    assert written.rows == count


def _openpyxl(target: Path, count: int) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Orders")
    sheet.append([name for name, _ in _COLUMNS])
    place = [name for name, _ in _COLUMNS].index("changed_at")
    for row in _rows(count):
        sheet.append([*row[:place], row[place].astimezone(_ZONE).replace(tzinfo=None), *row[place + 1 :]])
    book.save(target)


def _peak() -> float:
    """Peak memory in MiB since the program began; `ru_maxrss` counts what its starter had too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _main() -> None:
    writer, target, count = sys.argv[1:]
    begun = time.monotonic()
    {"own": _own, "openpyxl": _openpyxl}[writer](Path(target), int(count))
    print(time.monotonic() - begun, _peak())


if __name__ == "__main__":
    _main()
