"""Evidence: append-only, hash-chained, written in the transaction of what it proves.

One chain per customer and one for the vendor, with dense sequence numbers. A record holds its predecessor's
leaf; leaf = SHA-256(0x00 ‖ canonical JSON) is the RFC 9162 leaf, so that Merkle heads can be added later.
The record names the payload by SHA-256(salt ‖ payload); salt and payload lie sealed in an erasable table.
This module is the only writer of evidence.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from nakoming.records import schema
from nakoming.records.types import canonical, to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from nakoming.records.events import Event
    from nakoming.records.keys import Keyring

VENDOR_CHAIN = "vendor"
GENESIS = "0" * 64
SALT_BYTES = 16
_chains = schema.chains.c
# Made once: making a statement takes as long as executing it.
_HEAD = select(_chains.seq, _chains.head).where(_chains.chain == bindparam("of_chain")).with_for_update()
_NEW_HEAD = update(schema.chains).where(_chains.chain == bindparam("of_chain"))
_INSERT = insert(schema.evidence)
_INSERT_PAYLOADS = insert(schema.evidence_payloads)


@dataclass(kw_only=True)
class Entry:
    """One piece of evidence; `seq` and `leaf` are known once its transaction is about to commit."""

    chain: str
    event: Event
    at: datetime
    payload: dict[str, Any]
    case_id: str | None = None
    about: str | None = None
    clause: str | None = None
    seq: int = field(default=0, init=False)
    leaf: str = field(default="", init=False)


def leaf_of(row: dict[str, Any]) -> str:
    """The leaf hash (hex) of a record as it lies in the chain."""
    return hashlib.sha256(b"\x00" + canonical(row)).hexdigest()


def chained_form(
    *,
    chain: str,
    seq: int,
    event: str,
    case_id: str | None,
    about: str | None,
    clause: str | None,
    at: datetime,
    payload_digest: str,
    previous: str,
) -> dict[str, Any]:
    """What is hashed. The field names and forms are fixed for ever."""
    return {
        "about": about,
        "at": str(to_micros(at)),
        "case": case_id,
        "chain": chain,
        "clause": clause,
        "event": event,
        "payload": payload_digest,
        "previous": previous,
        "seq": seq,
    }


def payload_digest(salted: bytes) -> str:
    """The digest by which a record names its payload (salt first, then canonical JSON)."""
    return hashlib.sha256(salted).hexdigest()


def sealed_as(chain: str, seq: int) -> str:
    """The name under which the keyring seals a payload."""
    return f"evidence/{chain}/{seq}"


def write(connection: Connection, keys: Keyring, entries: Sequence[Entry]) -> None:
    """Append `entries` to their chains: called once, last, by the transaction that made them.

    Chains are locked in sorted order, so two transactions never wait for each other in a ring.
    """
    for chain in sorted({entry.chain for entry in entries}):
        _append(connection, keys, chain, [entry for entry in entries if entry.chain == chain])


def _append(connection: Connection, keys: Keyring, chain: str, entries: Sequence[Entry]) -> None:
    seq, previous = _lock_head(connection, chain)
    records, payloads = [], []
    for entry in entries:
        seq += 1
        salted = os.urandom(SALT_BYTES) + canonical(entry.payload)
        row: dict[str, Any] = {
            "chain": chain,
            "seq": seq,
            "event": str(entry.event),
            "case_id": entry.case_id,
            "about": entry.about,
            "clause": entry.clause,
            "at": entry.at,
            "payload_digest": payload_digest(salted),
            "previous": previous,
        }
        entry.seq, entry.leaf = seq, leaf_of(chained_form(**row))
        previous = entry.leaf
        records.append(row | {"leaf": entry.leaf})
        sealed = keys.seal(chain, sealed_as(chain, seq), salted)
        payloads.append({"chain": chain, "seq": seq, "payload_sealed": sealed})
    connection.execute(_INSERT, records)
    connection.execute(_INSERT_PAYLOADS, payloads)
    connection.execute(_NEW_HEAD, {"of_chain": chain, "seq": seq, "head": previous})


def _lock_head(connection: Connection, chain: str) -> tuple[int, str]:
    found = connection.execute(_HEAD, {"of_chain": chain}).one_or_none()
    if found is None:
        start_chain(connection, chain)
        found = connection.execute(_HEAD, {"of_chain": chain}).one()
    return found.seq, found.head


def start_chain(connection: Connection, chain: str) -> None:
    """Make a chain's empty head; harmless when another transaction did."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as upsert
    else:
        from sqlalchemy.dialects.sqlite import insert as upsert  # type: ignore[assignment]
    row = upsert(schema.chains).values(chain=chain, seq=0, head=GENESIS)
    connection.execute(row.on_conflict_do_nothing())
