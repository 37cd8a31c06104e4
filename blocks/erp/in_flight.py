"""Which transactions may still commit a row of a table, as PostgreSQL and SQL Server tell it.

PostgreSQL: who writes to a table takes ROW EXCLUSIVE on it before a default or a trigger can take a value of
a sequence, keeps it until its end, and is visible before it lets go. So of all values up to one that was
seen, the only ones that can still appear are of those who hold that lock now; later comers take higher ones.
The order of transaction ids (`xmin`) would prove nothing: it is not the order of a sequence.

Out of sight: sequences with a CACHE, values that a program takes itself before it writes, foreign tables, and
a standby, whose locks are not those of its primary. There an overlap helps, and the comparison each night.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from blocks.erp.errors import ErpStatementRefused, ErpTableMissing
from blocks.erp.settling import OVERLAP, Committed
from blocks.erp.statements import Condition, split

if TYPE_CHECKING:
    from blocks.erp.session import SqlSession

# The table, what inherits from it or is a part of it, and what lies under it when it is a view.
_WRITERS: Final = """
WITH RECURSIVE lies_in (oid) AS (
    SELECT CAST(CAST(CAST(:p0 AS text) AS regclass) AS oid)
    UNION
    SELECT below.oid FROM lies_in CROSS JOIN LATERAL (
        SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i WHERE i.inhparent = lies_in.oid
        UNION ALL
        SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.objid = r.oid
        WHERE r.ev_class = lies_in.oid AND d.classid = CAST('pg_catalog.pg_rewrite' AS regclass)
            AND d.refclassid = CAST('pg_catalog.pg_class' AS regclass)) AS below)
SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks l JOIN lies_in ON lies_in.oid = l.relation
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""
_STANDBY: Final = "SELECT pg_catalog.pg_is_in_recovery()"
_PREPARED: Final = "-1/"  # a transaction that was prepared for two-phase commit has no backend any more
_PATIENCE: Final = 0.5
_LOOK_AGAIN: Final = 0.02
_ROW_VERSIONS: Final = "SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1, CAST(@@DBTS AS bigint)"
_ROW_VERSION_BYTES: Final = 8


def at_postgresql(session: SqlSession, table: str, highest: Any) -> Committed:
    """Settled up to `highest` when all have ended who were writing after it was seen.

    Waits half a second for short transactions; with a longer one the watermark stays, and rows are read
    again.
    """
    try:
        if _asked(session, _STANDBY)[0][0] not in {False, "0"}:
            return Committed(highest, OVERLAP)
        writing = _writers(session, table)
    except (ErpStatementRefused, ErpTableMissing):  # no PostgreSQL, but one that speaks like it
        return Committed(highest, OVERLAP)
    patient_until, pause = time.monotonic() + _PATIENCE, threading.Event()
    while writing and time.monotonic() < patient_until:
        pause.wait(_LOOK_AGAIN)
        now = _writers(session, table)
        writing = {each for each in now if each in writing or each.startswith(_PREPARED)}
    return Committed(None if writing else highest)


def at_sql_server(session: SqlSession, table: str, column: str, highest: Any) -> Committed:
    """Below the lowest row version that is still being written; a column that is none has an overlap.

    A row version comes as bytes, or as a number from a view that casts it.
    """
    number = int.from_bytes(highest) if isinstance(highest, bytes) else highest
    if not isinstance(number, int):
        return Committed(highest, OVERLAP)
    ((limit, newest),) = _asked(session, _ROW_VERSIONS)
    if number > newest:  # the database has never given that out: something else fills the column
        return Committed(highest, OVERLAP)
    if number <= limit:
        return Committed(highest)
    bound = limit.to_bytes(_ROW_VERSION_BYTES) if isinstance(highest, bytes) else limit
    return Committed(session.highest(table, column, (Condition(column, "<="), bound)))


def _writers(session: SqlSession, table: str) -> set[str]:
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in split(table) if part is not None)
    return {str(row[0]) for row in _asked(session, _WRITERS, quoted)}


def _asked(session: SqlSession, query: str, *values: Any) -> list[Any]:
    with session.speaking("asking what is being written"):
        return list(session.execute(session.statements.plain(query), values).fetchall())
