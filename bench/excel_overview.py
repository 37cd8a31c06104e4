"""How fast, and in how much memory, does an overview get from the ledger into the store of documents?

500,000 transactions with 12 filled columns stand in a ledger. Ours is the way of the product: read, write,
count and add up once more, seal, store, prove. Peer: openpyxl in write-only mode, given the same rows of
the same ledger (instants as local times, for it takes none with a zone) and only has to write a file. Each
runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

_TIMES = 3
_RATIO = 0.2
_MEBIBYTES = 150
_AT_ONCE = 10_000
_ZONE = ZoneInfo("Europe/Amsterdam")
_FIRST = datetime(2024, 1, 1, 8, tzinfo=UTC)
_DAYS = (date(2024, 1, 1), date(2025, 12, 31))
_CUSTOMER = "brouwer"


class _Measured(NamedTuple):
    seconds: float
    mebibytes: float


def run(count: int = 500_000, *, peers: bool = True) -> list[Figure]:
    """Write `count` rows, ours three times and the peer's once."""
    at_start = machine()
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _prepare(folder, count)
        ours = [_apart("own", folder, count) for _ in range(_TIMES)]
        theirs = _apart("openpyxl", folder, count) if peers else None
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


def _apart(writer: str, folder: Path, count: int) -> _Measured:
    command = [sys.executable, "-m", "bench.excel_overview", writer, str(folder), str(count)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return _Measured(*map(float, ran.stdout.split()))


def _suite(folder: Path) -> Engine:
    from blocks.suite_database import SuiteDatabase

    return SuiteDatabase(dialect="sqlite", path=folder / "suite.sqlite").engine()


def _prepare(folder: Path, count: int) -> None:
    """The ledger, and an installation whose store is empty."""
    from sqlalchemy import insert

    from nakoming.records import migrate
    from nakoming.records.engine import writing
    from tasks.erp.bookkeeping import outgoing, prepare

    migrate.upgrade(_records(folder))
    with _suite(folder).connect() as connection, writing(connection).begin():
        prepare(connection)
        for first in range(0, count, _AT_ONCE):
            rows = [_row(number) for number in range(first, min(first + _AT_ONCE, count))]
            connection.execute(insert(outgoing), rows)


def _records(folder: Path) -> Any:
    from nakoming.records.store import Records

    home = folder / "home"
    home.mkdir(exist_ok=True)
    return Records(f"sqlite:///{home / 'records.sqlite'}", keys=home / "keys", documents=home / "documents")


def _row(number: int) -> dict[str, Any]:
    order, at = f"PO-2026-{number:07d}", _FIRST + timedelta(seconds=number * 61)
    told = {"order_no": order, "op_no": number % 90 + 1, "employee": f"E{number % 997} ø16 <steel> & co"}
    return {
        "id": number + 1,
        "interface": "hours_out",
        "order_number": order,
        "payload": json.dumps(told | {"worked_on": f"{at:%Y-%m-%d}", "minutes": number % 480 + 1}),
        "created_at": at,
        "state": "acknowledged",
        "attempts": 1,
        "message": f"=SUM(A{number})" if number % 10 == 0 else None,
        "sent_at": at + timedelta(seconds=20),
        "acknowledged_at": at + timedelta(seconds=21),
        "guarantee": "exactly-once",
        "settled_because": None,
    }


def _own(folder: Path, count: int) -> None:
    from tasks.erp.period import Period
    from tasks.erp.stored_overview import keep

    kept = keep(_records(folder), _CUSTOMER, _suite(folder), Period(*_DAYS), "en")
    assert kept.document is not None
    assert kept.outgoing == count


def _openpyxl(folder: Path, count: int) -> None:
    from openpyxl import Workbook

    from tasks.erp.overview_words import columns

    book = Workbook(write_only=True)
    sheet = book.create_sheet("From Suite to ERP")
    sheet.append([each.name for each in columns("en")])
    written = 0
    for row in _rows_of(folder):
        sheet.append(row)
        written += 1
    book.save(folder / "theirs.xlsx")
    assert written == count


def _rows_of(folder: Path) -> Iterator[list[Any]]:
    from tasks.erp.overview_rows import OverviewRows
    from tasks.erp.overview_words import OUT
    from tasks.erp.period import Period

    period = Period(*_DAYS)
    with _suite(folder).connect() as connection:
        for row in OverviewRows(connection, period.start, period.end, "en").of(OUT):
            yield [_local(value) if isinstance(value, datetime) else value for value in row]


def _local(value: datetime) -> datetime:
    return value.astimezone(_ZONE).replace(tzinfo=None)


def _peak() -> float:
    """Peak memory in MiB since the program began; `ru_maxrss` counts what its starter had too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _main() -> None:
    writer, folder, count = sys.argv[1:]
    begun = time.monotonic()
    {"own": _own, "openpyxl": _openpyxl}[writer](Path(folder), int(count))
    print(time.monotonic() - begun, _peak())


if __name__ == "__main__":
    _main()
