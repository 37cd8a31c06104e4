"""Refuses a key folder that does not belong to the records, before anything is sealed with new keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from nakoming.records import schema
from nakoming.records.errors import RecordsError

if TYPE_CHECKING:
    from nakoming.records.store import Records


class KeysElsewhere(RecordsError):
    """The key folder knows nothing of customers that the records hold."""

    template = (
        "The key folder {folder} holds no key of {customers}, of whom the records hold evidence; "
        "name the right folder in NAKOMING_KEYS, or put the keys back from their copy."
    )
    code = "NK2022"


def require_keys(records: Records) -> None:
    """See that every customer's key is there, or is known to have been destroyed.

    Raises:
        KeysElsewhere: otherwise; new keys would be made silently, and two would be in use.
    """
    with records.read() as tx:
        customers = tx.connection.execute(select(schema.chains.c.chain)).scalars().all()
    unknown = sorted(customer for customer in customers if not records.keys.knows(customer))
    if unknown:
        raise KeysElsewhere(folder=records.keys.folder, customers=", ".join(unknown))
