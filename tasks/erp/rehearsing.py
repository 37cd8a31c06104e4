"""A dry run: every interface through the same statements, in one transaction that is rolled back at its end.

In one transaction, so that the operations of new orders find their orders, as they would in earnest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nakoming.records.engine import writing
from tasks.erp import loading, marks, removals
from tasks.erp.bookkeeping import prepare
from tasks.erp.errors import BatchRefused, SchemaDrifted, TooManyGone
from tasks.erp.fetching import batch_of, columns_seen, filling
from tasks.erp.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from blocks.erp.protocol import ErpSession
    from tasks.erp.fetching import Asked
    from tasks.erp.interfaces import Interface

Rehearsed = dict[str, Loaded | str]
REFUSALS = (BatchRefused, SchemaDrifted, TooManyGone)


def rehearse(
    session: ErpSession, engine: Engine, interfaces: Sequence[Interface], asked: Asked, at: datetime
) -> Rehearsed:
    """What a run would load, per interface; a sentence where it would be refused. Nothing stays.

    Raises:
        ErpError: the connection failed.
    """
    found: Rehearsed = {}
    with engine.connect() as connection, writing(connection).begin() as transaction:
        prepare(connection)
        for interface in interfaces:
            try:
                with connection.begin_nested():
                    found[interface.name] = _one(session, engine, connection, interface, asked, at)
            except REFUSALS as refused:
                found[interface.name] = str(refused)
        transaction.rollback()
    return found


def _one(
    session: ErpSession,
    engine: Engine,
    connection: Connection,
    interface: Interface,
    asked: Asked,
    at: datetime,
) -> Loaded:
    seen = columns_seen(session, interface)
    stood = loading.mark_of(connection, interface.name)
    after = None if asked.full else marks.thawed(stood.value, interface.marked)
    since = session.settles(interface.source, interface.contract.change, after).since
    only = None if asked.order is None else {interface.order_column: asked.order}
    fill, types = filling(session, engine, interface, seen, None if only else since, None, only)
    loaded = loading.load(connection, interface, batch_of(asked, stood.batches, at, None, types), fill)
    if asked.full and interface.contract.deletions.by == "key_comparison":
        loaded += removals.follow(session, connection, interface, batch_of(asked, stood.batches + 1, at))
    return loaded
