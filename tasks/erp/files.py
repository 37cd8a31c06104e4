"""A file of the ERP into the Suite: its columns by name, its rows as text, all in one transaction (S-4.2.1).

A content is taken once: its digest is written with its rows. Whatever is cut off in between is done again by
the next run, which finds the digest and only answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from blocks.erp.protocol import Rows
from nakoming.records.engine import writing
from tasks.erp import file_ages, loading, staging
from tasks.erp.bookkeeping import batches, files, prepare
from tasks.erp.errors import BatchRefused
from tasks.erp.fetching import Asked, batch_of
from tasks.erp.file_errors import FileColumnsMissing, FileUnnamed
from tasks.erp.interfaces import INBOUND, interface
from tasks.workbook import errors as workbook_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table

    from blocks.erp.inbox import ErpInbox
    from data_contracts.contract import Column
    from tasks.erp.interfaces import Interface
    from tasks.workbook.rows import Rows as FileRows

REFUSALS = (
    BatchRefused,
    FileColumnsMissing,
    FileUnnamed,
    workbook_errors.CellsMerged,
    workbook_errors.CsvUnreadable,
    workbook_errors.EncodingWrong,
    workbook_errors.FileTooLarge,
    workbook_errors.FormulaWithoutValue,
    workbook_errors.HeaderUnclear,
    workbook_errors.SheetUnclear,
    workbook_errors.WorkbookLocked,
    workbook_errors.WorkbookUnreadable,
)
"""What refuses a file as a whole; nothing of it stays."""
_CHUNK = 2_000


@dataclass(frozen=True, kw_only=True)
class Received:
    """A file as it was fetched: its name there, where it lies here, and the digest of its content."""

    name: str
    path: Path
    digest: str


@dataclass(frozen=True)
class Matched:
    """The columns of a file beside those of the contract.

    Attributes:
        places: for each column of the contract its place in the file; None: it is not there.
        unknown: names in the file that the contract does not know.
        absent: names of the contract that the file does not have, none of them required.
    """

    places: tuple[int | None, ...]
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TakenFile:
    """A file whose rows are in the Suite. `formulas`: how many of its values come from formulas."""

    digest: str
    first_name: str
    interface: str
    batch: int
    taken_at: datetime
    matched: Matched
    is_repeated: bool
    formulas: int = 0


def interface_of(name: str) -> str:
    """Which interface a file is for: its name begins with it.

    Raises:
        FileUnnamed: it begins with none.
    """
    found = next((each for each in INBOUND if name.casefold().startswith(each)), None)
    if found is None:
        raise FileUnnamed(file=name, allowed=", ".join(INBOUND))
    return found


def take(engine: Engine, block: ErpInbox, received: Received, asked: Asked, at: datetime) -> TakenFile:
    """Load a file, unless its content was loaded before.

    Raises:
        NakomingError: one of `REFUSALS`; nothing of the file was loaded.
        OtherRunLoads: another run loads the same interface.
    """
    wanted = interface(interface_of(received.name), asked.own)
    with (
        _opened(received.path, wanted.name, block) as rows,
        engine.connect() as connection,
        writing(connection).begin(),
    ):
        matched = matched_columns(wanted, received.name, rows.columns)
        prepare(connection)
        known = _known(connection, received.digest)
        if known is not None:
            return _found(known, matched)
        batch = batch_of(asked, loading.mark_of(connection, wanted.name).batches, at)
        _load(connection, wanted, matched, rows, batch)
        _enter(connection, received, wanted, batch)
        return replace(_found(_known(connection, received.digest), matched), formulas=rows.formulas)


def _load(
    connection: Connection, wanted: Interface, matched: Matched, rows: FileRows, batch: loading.Batch
) -> None:
    checked = loading.stage(connection, wanted, {}, lambda to, table: _fill(to, table, wanted, matched, rows))
    aged = file_ages.set_aside(connection, wanted, checked)
    loading.merge(connection, wanted, batch, aged.checked)
    file_ages.note(connection, wanted, aged, _newest_batch(connection, wanted))


def note_answered(engine: Engine, digest: str, at: datetime) -> None:
    """Note that a file was answered and moved: when its content comes again, that is a repetition."""
    c = files.c
    with engine.connect() as connection, writing(connection).begin():
        noted = update(files).where(c.digest == digest, c.answered_at.is_(None))
        connection.execute(noted.values(answered_at=at))


def matched_columns(wanted: Interface, file: str, found: Sequence[str]) -> Matched:
    """Match the columns of a file by name; capitals and blanks around do not count.

    Raises:
        FileColumnsMissing: a column that the contract requires is not there.
    """
    places = {name.strip().casefold(): place for place, name in enumerate(found)}
    columns = wanted.contract.table.columns
    absent = [each for each in columns if each.name.casefold() not in places]
    if missing := [each.name for each in absent if each.required or each.name in wanted.contract.key]:
        raise FileColumnsMissing(
            file=file, interface=wanted.name, missing=", ".join(missing), found=", ".join(found)
        )
    known = {each.name.casefold() for each in columns}
    return Matched(
        places=tuple(places.get(each.name.casefold()) for each in columns),
        unknown=tuple(name for name in found if name.strip().casefold() not in known),
        absent=tuple(each.name for each in absent),
    )


def _opened(path: Path, sheet: str, block: ErpInbox) -> FileRows:
    from tasks.workbook import read_csv, read_workbook

    if path.suffix.casefold() == ".csv":
        return read_csv(path, encoding=block.csv_encoding, delimiter=block.csv_delimiter)
    try:
        return read_workbook(path)
    except workbook_errors.SheetUnclear:  # of several sheets the one of the interface's name is meant
        return read_workbook(path, sheet=sheet)


def _fill(connection: Connection, table: Table, wanted: Interface, matched: Matched, rows: FileRows) -> int:
    return staging.fill(connection, table, _chunks(wanted, matched, rows))


def _chunks(wanted: Interface, matched: Matched, rows: FileRows) -> Iterator[Rows]:
    columns = list(zip(wanted.contract.table.columns, matched.places, strict=True))
    while some := list(islice(rows, _CHUNK)):
        yield Rows(
            [
                tuple(None if place is None else _value(column, row[place]) for column, place in columns)
                for row in some
            ]
        )


def _value(column: Column, value: Any) -> Any:
    """A cell as an ERP's column of that kind would give it: Excel knows days only as instants."""
    if isinstance(value, datetime) and column.logical_type == "date" and value.time() == time():
        return value.date()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _known(connection: Connection, digest: str) -> Any:
    return connection.execute(select(files).where(files.c.digest == digest)).one_or_none()


def _found(row: Any, matched: Matched) -> TakenFile:
    return TakenFile(
        digest=row.digest,
        first_name=row.name,
        interface=row.interface,
        batch=row.batch,
        taken_at=row.taken_at,
        matched=matched,
        is_repeated=row.answered_at is not None,
    )


def _enter(connection: Connection, received: Received, wanted: Interface, batch: loading.Batch) -> None:
    number = _newest_batch(connection, wanted)
    row = {"digest": received.digest, "name": received.name, "interface": wanted.name}
    connection.execute(insert(files).values(row | {"batch": number, "taken_at": batch.at}))


def _newest_batch(connection: Connection, wanted: Interface) -> int:
    """The load holds the lock of its interface: the newest batch is its own."""
    newest = select(func.max(batches.c.id)).where(batches.c.interface == wanted.name)
    return int(connection.execute(newest).scalar_one())
