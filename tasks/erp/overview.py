"""All transactions of a period in one workbook, straight from the ledger of the exchange (S-4.2.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from nakoming.records.engine import writing
from tasks.erp.bookkeeping import batches, outgoing, prepare, quarantine, transactions
from tasks.workbook import Kind, Sheet, SheetColumn, write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Select

    from nakoming.agreement.people import Language
    from tasks.workbook import Written

_WORDS = {
    "nl": {
        "in": "Van ERP naar Suite",
        "out": "Van Suite naar ERP",
        "bad": "Tegengehouden",
        "at": "Tijdstip",
        "interface": "Koppeling",
        "key": "Sleutel",
        "change": "Wijziging",
        "run": "Run",
        "number": "Nummer",
        "order": "Order",
        "content": "Inhoud",
        "state": "Stand",
        "sent_at": "Verzonden",
        "acknowledged_at": "Bevestigd",
        "message": "Melding van de ERP",
        "reason": "Reden",
        "created": "nieuw",
        "changed": "gewijzigd",
        "removed": "vervallen",
        "taken": "wacht",
        "sent": "verzonden",
        "acknowledged": "bevestigd",
        "dead": "geweigerd",
        "dropped": "vervallen",
        "waiting": "wacht op herstel",
        "replayed": "opnieuw geladen",
        "superseded": "vervangen",
    },
    "en": {
        "in": "From ERP to Suite",
        "out": "From Suite to ERP",
        "bad": "Held back",
        "at": "Instant",
        "interface": "Interface",
        "key": "Key",
        "change": "Change",
        "run": "Run",
        "number": "Number",
        "order": "Order",
        "content": "Content",
        "state": "State",
        "sent_at": "Sent",
        "acknowledged_at": "Acknowledged",
        "message": "The ERP's message",
        "reason": "Reason",
        "created": "new",
        "changed": "changed",
        "removed": "removed",
        "taken": "waiting",
        "sent": "sent",
        "acknowledged": "acknowledged",
        "dead": "refused",
        "dropped": "dropped",
        "waiting": "waiting for repair",
        "replayed": "loaded again",
        "superseded": "superseded",
    },
}
_FETCHED_AT_ONCE = 2000


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What was written, and what the ledger counts: the rows of the workbook equal the ledger's."""

    written: Written
    incoming: int
    outgoing: int
    held_back: int

    @property
    def is_whole(self) -> bool:
        """Whether every transaction of the ledger stands in the workbook."""
        return self.written.rows == self.incoming + self.outgoing + self.held_back


def write_overview(
    engine: Engine, path: Path, *, start: datetime, end: datetime, language: Language
) -> Overview:
    """Write all transactions from `start` until before `end`, at one instant of the ledger."""
    _prepared(engine)
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            counts = [_count(connection, query) for query in _queries(start, end)]
            sheets = _sheets(connection, start, end, _WORDS[language], language)
            written = write_workbook(path, sheets, language=language)
    incoming, going, held = counts
    return Overview(written=written, incoming=incoming, outgoing=going, held_back=held)


def _prepared(engine: Engine) -> None:
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)


def _queries(start: datetime, end: datetime) -> tuple[Select[Any], Select[Any], Select[Any]]:
    b, o, q = batches.c, outgoing.c, quarantine.c
    incoming = (
        select(b.loaded_at, b.interface, transactions.c.key, transactions.c.change, b.run)
        .join_from(batches, transactions, transactions.c.batch == b.id)
        .where(b.loaded_at >= start, b.loaded_at < end)
        .order_by(b.id, transactions.c.key)
    )
    going = (
        select(
            o.created_at,
            o.id,
            o.interface,
            o.order_number,
            o.payload,
            o.state,
            o.sent_at,
            o.acknowledged_at,
            o.message,
        )
        .where(o.created_at >= start, o.created_at < end)
        .order_by(o.id)
    )
    held = (
        select(q.quarantined_at, q.interface, q.key, q.reasons, q.state, q.row)
        .where(q.quarantined_at >= start, q.quarantined_at < end)
        .order_by(q.id)
    )
    return incoming, going, held


def _count(connection: Connection, query: Select[Any]) -> int:
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    return int(connection.execute(counted).scalar_one())


def _sheets(
    connection: Connection, start: datetime, end: datetime, words: dict[str, str], language: str
) -> Iterator[Sheet]:
    incoming, going, held = _queries(start, end)
    columns = _columns(words)
    yield Sheet(words["in"], columns["in"], (_incoming(row, words) for row in _rows(connection, incoming)))
    yield Sheet(words["out"], columns["out"], (_outgoing(row, words) for row in _rows(connection, going)))
    yield Sheet(
        words["bad"], columns["bad"], (_held(row, words, language) for row in _rows(connection, held))
    )


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    options = {"stream_results": True, "max_row_buffer": _FETCHED_AT_ONCE}
    yield from connection.execution_options(**options).execute(query)


def _columns(words: dict[str, str]) -> dict[str, tuple[SheetColumn, ...]]:
    text = Kind.TEXT
    instant = SheetColumn(words["at"], Kind.INSTANT)
    interface = SheetColumn(words["interface"], text, width=16)
    return {
        "in": (
            instant,
            interface,
            SheetColumn(words["key"], text, width=24),
            SheetColumn(words["change"], text, width=12),
            SheetColumn(words["run"], text, width=34),
        ),
        "out": (
            instant,
            SheetColumn(words["number"], Kind.INTEGER),
            interface,
            SheetColumn(words["order"], text, width=16),
            SheetColumn(words["content"], text, width=60),
            SheetColumn(words["state"], text, width=14),
            SheetColumn(words["sent_at"], Kind.INSTANT),
            SheetColumn(words["acknowledged_at"], Kind.INSTANT),
            SheetColumn(words["message"], text, width=50),
        ),
        "bad": (
            instant,
            interface,
            SheetColumn(words["key"], text, width=24),
            SheetColumn(words["reason"], text, width=60),
            SheetColumn(words["state"], text, width=18),
            SheetColumn(words["content"], text, width=60),
        ),
    }


def _incoming(row: Any, words: dict[str, str]) -> tuple[Any, ...]:
    return row.loaded_at, row.interface, row.key, words[row.change], row.run


def _outgoing(row: Any, words: dict[str, str]) -> tuple[Any, ...]:
    content = "; ".join(f"{name} {value}" for name, value in json.loads(row.payload).items())
    return (
        row.created_at,
        row.id,
        row.interface,
        row.order_number,
        content,
        words[row.state],
        row.sent_at,
        row.acknowledged_at,
        row.message,
    )


def _held(row: Any, words: dict[str, str], language: str) -> tuple[Any, ...]:
    content = "; ".join(f"{name} {value}" for name, value in json.loads(row.row).items() if value is not None)
    reasons = " ".join(json.loads(row.reasons)[language])
    return row.quarantined_at, row.interface, row.key, reasons, words[row.state], content
