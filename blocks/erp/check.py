"""What `nakoming check` says of a connection to an ERP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blocks.erp.session import SqlSession


def said_of(session: SqlSession) -> tuple[str, ...]:
    """One sentence each: it answers, its clock, its place for keys."""
    table = session.bounds.key_table
    if session.holds_keys:
        keys = f"It keeps our keys in {table}: what is written back happens exactly once."
    else:
        place = table or "table of keys"
        keys = f"It has no {place}: what is written back is found by natural keys, or by a key column."
    return (
        f"The ERP {session.where} answers and lets us in.",
        f"Its clock says {session.now():%Y-%m-%d %H:%M:%S} UTC.",
        keys,
    )
