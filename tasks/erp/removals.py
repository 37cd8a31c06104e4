"""Rows that the ERP no longer has, found by comparing the keys of both sides (`key_comparison`)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy import table as named_table

from blocks.erp.protocol import Rows
from tasks.erp import loading, staging, upsert
from tasks.erp.errors import TooManyGone
from tasks.erp.loaded import Loaded

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from blocks.erp.protocol import ErpSession
    from tasks.erp.interfaces import Interface

# An empty or half empty table at the ERP is a fault of the ERP, not a wish to remove.
MOST = Decimal("0.2")
_FEW = 20
_CHUNK = 10_000
_STILL, _GONE = "erp_staging_still", "erp_staging_gone"


def follow(session: ErpSession, connection: Connection, interface: Interface, batch: loading.Batch) -> Loaded:
    """Remove from the Suite what the ERP no longer has; the caller commits.

    Raises:
        TooManyGone: a fifth of the rows or more is gone; nothing is removed.
        OtherRunLoads: another run has loaded since.
    """
    number = loading.opened(connection, interface, batch)
    keys = list(interface.contract.key)
    table = staging.create(connection, interface.staging_name, keys, {})
    staging.fill(connection, table, _chunks(session, interface, keys))
    gone, known = _gone(connection, interface, table)
    count = connection.execute(select(func.count()).select_from(gone.subquery())).scalar_one()
    if count >= _FEW and Decimal(count) / known > MOST:
        raise TooManyGone(gone=count, known=known, interface=interface.name, limit=f"{MOST:%}")
    removed = upsert.remove(connection, interface, gone, number) if count else 0
    loaded = Loaded(removed=removed)
    loading.close(connection, interface, batch, number, loaded)
    for name in (interface.staging_name, _STILL, _GONE):
        staging.drop(connection, name)
    return loaded


def _chunks(session: ErpSession, interface: Interface, keys: list[str]) -> Any:
    held: list[tuple[Any, ...]] = []
    for key in session.keys(interface.source, keys):
        held.append(key)
        if len(held) == _CHUNK:
            yield Rows(held)
            held = []
    if held:
        yield Rows(held)


def _gone(connection: Connection, interface: Interface, table: Any) -> tuple[Any, int]:
    target = named_table(interface.target, *interface.target_columns)
    keys = select(*interface.converted_key(table, connection.dialect.name))
    still = staging.keep(connection, _STILL, keys, interface.target_key)
    same = upsert.same_key(interface, still.c, target.c)
    gone = (
        select(*(target.c[name] for name in interface.target_key))
        .select_from(target.outerjoin(still, same))
        .where(interface.open_rows(target), still.c[interface.target_key[0]].is_(None))
    )
    gone = staging.keep(connection, _GONE, gone, interface.target_key).select()
    known = connection.execute(
        select(func.count()).select_from(target).where(interface.open_rows(target))
    ).scalar_one()
    return gone, int(known)
