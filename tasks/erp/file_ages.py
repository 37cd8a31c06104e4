"""Rows of a file that are older than what the Suite holds: left alone, and named in the answer (S-4.2.1).

A file may be late: exported before a newer one, or before the database was fetched. Each of its rows carries
the change column of its contract, and is older when that lies

- below that of the newest file that brought the same key, or
- at or below what was fetched from the ERP's database, while the Suite holds the row.

Versions of files are kept by key. Those of the database are not, for the watermark tells enough: each row up
to it was fetched as it then stood. A row of a file without a version, or with the same one, is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Text, and_, case, cast, collate, delete, func, insert, literal, null, or_, select
from sqlalchemy import table as named_table

from blocks.erp.marks import earlier
from data_contracts import sql
from tasks.erp import loading, marks, staging, upsert
from tasks.erp.bookkeeping import file_versions, outdated
from tasks.erp.keys import key_text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Select, Table

    from tasks.erp.checking import Checked
    from tasks.erp.interfaces import Interface

_AGED, _OLDER = "erp_staging_aged", "erp_staging_older"
_ROW, _KEY, _VERSION, _KNOWN = "nakoming_row", "nakoming_key", "nakoming_version", "nakoming_known"
_ANY_ZONE = timedelta(days=1)


@dataclass(frozen=True)
class Aged:
    """A staged file without its older rows, and what is noted of them where its contract has versions."""

    checked: Checked
    taken: Table | None = None
    older: Table | None = None


def set_aside(connection: Connection, interface: Interface, checked: Checked) -> Aged:
    """Take what is older out of a staged file, before it is merged; `note` writes it down afterwards."""
    if interface.contract.change.kind == "key" or not checked.kept:
        return Aged(checked)  # a key does not say when
    taken = staging.keep(connection, _AGED, _given(connection, interface, checked), [_ROW])
    older = staging.keep(connection, _OLDER, _older_of(connection, interface, taken), [_ROW])
    count = connection.execute(select(func.count()).select_from(older)).scalar_one()
    if count:
        rows = select(older.c[_ROW])
        connection.execute(delete(checked.staging).where(checked.staging.c[staging.ROW_ID].in_(rows)))
        connection.execute(delete(taken).where(taken.c[_ROW].in_(rows)))
    return Aged(replace(checked, out=checked.out + count), taken, older)


def note(connection: Connection, interface: Interface, aged: Aged, batch: int) -> None:
    """Write down the versions of what was taken, and what was left alone though it says something else."""
    if aged.taken is None or aged.older is None:
        return
    known, v = aged.taken.c, file_versions.c
    came = select(known[_KEY]).where(known[_VERSION].is_not(None))
    connection.execute(delete(file_versions).where(v.interface == interface.name, v.key.in_(came)))
    rows = select(literal(interface.name), known[_KEY], known[_VERSION]).where(known[_VERSION].is_not(None))
    connection.execute(insert(file_versions).from_select(["interface", "key", "version"], rows))
    named = (aged.older.c[name] for name in (_KEY, _VERSION, _KNOWN))
    left = select(literal(batch), *named).order_by(aged.older.c[_ROW])
    connection.execute(insert(outdated).from_select(["batch", "key", "version", "known"], left))
    staging.drop(connection, _AGED)
    staging.drop(connection, _OLDER)


def left_alone(engine: Engine, batch: int) -> int:
    """How many rows of a file were left alone because the Suite has newer ones."""
    with engine.connect() as connection:
        counted = select(func.count()).where(outdated.c.batch == batch)
        return int(connection.execute(counted).scalar_one())


def _given(connection: Connection, interface: Interface, checked: Checked) -> Select[Any]:
    """The good rows of a file: which they are, their keys and their versions."""
    dialect = connection.dialect.name
    keys = interface.converted_key(checked.staging, dialect)
    version = sql.speech_of(dialect).text(checked.staging.c[interface.contract.change.column])
    return checked.good(
        [
            checked.staging.c[staging.ROW_ID].label(_ROW),
            *keys,
            key_text(keys).label(_KEY),
            version.label(_VERSION),
        ]
    )


def _older_of(connection: Connection, interface: Interface, taken: Table) -> Select[Any]:
    target = named_table(interface.target, *interface.target_columns)
    at = _fetched_upto(connection, interface)
    fetched = null() if at is None else cast(literal(at), Text)
    v = file_versions.c
    there = target.c[interface.target_key[0]].is_not(None)
    version, by_file = (_ordered(connection, interface, each) for each in (taken.c[_VERSION], v.version))
    by_database = and_(there, version <= _ordered(connection, interface, fetched))
    older_than_file = version < by_file
    return (
        select(
            taken.c[_ROW].label(_ROW),
            taken.c[_KEY].label(_KEY),
            taken.c[_VERSION].label(_VERSION),
            case((older_than_file, v.version), else_=fetched).label(_KNOWN),
        )
        .select_from(
            taken.outerjoin(
                file_versions, and_(v.interface == interface.name, v.key == taken.c[_KEY])
            ).outerjoin(target, upsert.same_key(interface, target.c, taken.c))
        )
        .where(or_(older_than_file, by_database))
    )


def _ordered(connection: Connection, interface: Interface, written: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a version sorts by: a number, or an instant as its text."""
    column = interface.contract.table.column(interface.contract.change.column)
    if column.logical_type in {"integer", "number", "date"}:
        return sql.speech_of(connection.dialect.name).value(column, written)
    text = func.replace(written, "T", " ", type_=Text)
    return collate(text, "C") if connection.dialect.name == "postgresql" else text


def _fetched_upto(connection: Connection, interface: Interface) -> str | None:
    """The version up to which the ERP's database was fetched, as text; None when it never was."""
    mark, overlap = (
        marks.thawed(loading.mark_of(connection, interface.name).value, interface.marked),
        interface.contract.change.overlap,
    )
    if mark is None or isinstance(mark, bytes):
        return None
    if isinstance(overlap, timedelta):
        mark = earlier(mark, overlap, ZoneInfo("UTC"))  # later ones may be there, and not fetched yet
    if isinstance(mark, datetime) and mark.tzinfo is not None:
        mark = (mark - _ANY_ZONE).replace(tzinfo=None)  # a file does not say in which zone its instants are
    return staging.as_text(mark)
