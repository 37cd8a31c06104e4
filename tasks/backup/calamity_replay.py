"""ERP transactions that the restored database lacks, from the one that was live, as workbooks (S-2.4.5).

The exchange fetches again by itself what an ERP's tables hold: its watermark went back with the database.
These lists are for what it cannot know: what came as files, what the Suite wrote, what the ERP holds already.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from nakoming.records import documents
from tasks.backup.calamity_errors import LedgerSilent
from tasks.backup.calamity_places import ledger_engine, ledger_in, switch_of
from tasks.erp.bookkeeping import files, outgoing, suite_outbox
from tasks.erp.overview import write_overview
from tasks.erp.stored_overview import MOST_BYTES
from tasks.erp.write_back import key_of
from tasks.steps import Work, repeat, step
from tasks.texts import load
from tasks.workbook import Kind, Sheet, SheetColumn, write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from nakoming.records.documents import Document

_WRITER: Final = "restore_calamity"
_OF_OUTGOING: Final = ("interface", "order_number", "state", "created_at", "sent_at", "payload")
_KINDS: Final = {"created_at": Kind.INSTANT, "sent_at": Kind.INSTANT, "taken_at": Kind.INSTANT}


class Replay(BaseModel):
    """What was listed.

    Attributes:
        documents: ids of the workbooks, by name.
        incoming: transactions that came in after the instant.
        outgoing: that went out.
        sent: rows of the outbox that the ERP holds already.
        reason: why nothing is listed; None: all is.
    """

    model_config = ConfigDict(frozen=True)

    documents: dict[str, str] = {}
    incoming: int = 0
    outgoing: int = 0
    sent: int = 0
    reason: str | None = None


@step(doubt=repeat("the same rows are the same documents"), timeout=timedelta(hours=1))
def list_for_replay(
    work: Work,
    *,
    database: str,
    suite: str | None,
    since: datetime,
    until: datetime,
    last_out: int | None,
    language: Literal["nl", "en"],
) -> Replay:
    """List the transactions from `since` on, as the database that was live before knows them."""
    switch = switch_of(work.customer, database, work.lease.case_id)
    former = switch.names.former
    try:
        with ledger_in(switch, suite, former) as connection:
            connection.execute(select(outgoing.c.id).limit(1)).all()
            listed = _Listed(work, connection, since, last_out, language)
            rest = listed.kept(f"erp-outbox-{work.customer}-{work.lease.case_id[:8]}.xlsx")
        name = f"erp-replay-{work.customer}-{work.lease.case_id[:8]}.xlsx"
        with _target(name) as path:
            engine = ledger_engine(switch, suite, former)
            made = write_overview(engine, path, start=since, end=until, language=language)
            stored = _stored(work, path)
    except LedgerSilent as silent:
        return Replay(reason=str(silent.data["reason"]))
    except SQLAlchemyError as error:
        return Replay(reason=" ".join(str(error.__cause__ or error).split())[:200])
    return Replay(
        documents={stored.name: stored.id, rest.name: rest.id},
        incoming=made.incoming,
        outgoing=made.outgoing,
        sent=listed.sent,
    )


@contextmanager
def _target(name: str) -> Iterator[Path]:
    """A file of this name in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="nakoming-replay-") as folder:
        yield Path(folder) / name


def _stored(work: Work, path: Path) -> Document:
    return documents.add_file(work.records, work.customer, path.name, path, by=_WRITER, limit=MOST_BYTES)


class _Listed:
    """The outbox and the files of the former database, sheet by sheet."""

    def __init__(
        self,
        work: Work,
        connection: Connection,
        since: datetime,
        last_out: int | None,
        language: Literal["nl", "en"],
    ) -> None:
        self._work = work
        self._connection = connection
        self._since = since
        self._last_out = last_out or 0
        self._language = language
        self._words: dict[str, str] = load("calamity", "replay")[language]
        self.sent = 0

    def kept(self, name: str) -> Document:
        """Write the workbook and store it."""
        with _target(name) as path:
            write_workbook(path, self._sheets(), language=self._language)
            return _stored(self._work, path)

    def _sheets(self) -> Iterator[Sheet]:
        words = self._words
        yield Sheet(words["sent"], self._columns("key", "id", *_OF_OUTGOING), self._sent())
        waiting = ("id", "interface", "order_number", "created_at", "payload")
        columns = tuple(
            SheetColumn(words[each], Kind.INTEGER if each == "id" else Kind.TEXT) for each in waiting
        )
        yield Sheet(words["not_sent"], columns, self._not_sent())
        yield Sheet(words["files"], self._columns("name", "interface", "taken_at"), self._files())

    def _columns(self, *names: str) -> tuple[SheetColumn, ...]:
        kinds = _KINDS | {"id": Kind.INTEGER}
        return tuple(SheetColumn(self._words[each], kinds.get(each, Kind.TEXT)) for each in names)

    def _sent(self) -> Iterator[tuple[Any, ...]]:
        o = outgoing.c
        query = select(o.id, *(o[name] for name in _OF_OUTGOING)).where(o.sent_at >= self._since)
        for row in self._connection.execute(query.order_by(o.id)):
            self.sent += 1
            yield (key_of(self._work.customer, row.id), *row)

    def _not_sent(self) -> Iterator[tuple[Any, ...]]:
        """What the Suite gave out after the backup and nobody sent: nothing but this list knows it."""
        s = suite_outbox.c
        query = select(s.id, s.interface, s.order_number, s.created_at, s.payload)
        for row in self._connection.execute(query.where(s.id > self._last_out).order_by(s.id)):
            yield (row[0], row[1], row[2], str(row[3]), row[4])
        o = outgoing.c
        taken = select(o.id, o.interface, o.order_number, o.created_at, o.payload).where(
            o.sent_at.is_(None), o.id > self._last_out
        )
        for row in self._connection.execute(taken.order_by(o.id)):
            yield (row[0], row[1], row[2], row[3].isoformat(), row[4])

    def _files(self) -> Iterator[tuple[Any, ...]]:
        f = files.c
        query = select(f.name, f.interface, f.taken_at).where(f.taken_at >= self._since)
        for row in self._connection.execute(query.order_by(f.taken_at)):
            yield tuple(row)
