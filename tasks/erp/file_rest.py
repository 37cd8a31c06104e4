"""Which files of an inbox rest: a long rest is waited for between two runs, never inside one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from blocks.erp.inbox_session import InboxFile
from nakoming.records.engine import writing
from tasks.erp.bookkeeping import listed, prepare

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from blocks.erp.inbox_session import InboxSession

LONGEST_WAIT = timedelta(seconds=5)


def arrived(
    session: InboxSession, engine: Engine, inbox: str, settle: timedelta, now: datetime
) -> list[InboxFile]:
    """The files that have been the same, by size and time, for as long as the inbox wants.

    A short rest is waited for. For a longer one each run remembers what it saw, and takes what was seen so
    long ago and is the same now.
    """
    if settle <= LONGEST_WAIT:
        return session.arrived()
    present = session.listing()
    with engine.connect() as connection, writing(connection).begin():
        prepare(connection)
        since = _since(connection, inbox)
        c = listed.c
        connection.execute(delete(listed).where(c.inbox == inbox))
        if present:
            connection.execute(insert(listed), [_row(inbox, each, since.get(each, now)) for each in present])
    return [each for each in present if each in since and now - since[each] >= settle]


def _since(connection: Connection, inbox: str) -> dict[InboxFile, datetime]:
    rows = connection.execute(select(listed).where(listed.c.inbox == inbox))
    return {InboxFile(row.name, row.size, row.modified): row.seen_at for row in rows}


def _row(inbox: str, file: InboxFile, seen_at: datetime) -> dict[str, object]:
    named = {"inbox": inbox, "name": file.name, "size": file.size, "modified": file.modified}
    return named | {"seen_at": seen_at}
