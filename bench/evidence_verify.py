"""How fast is a chain of evidence checked?

Records with real payloads, sealed and salted, in SQLite. Peer: the bare loop that hashes as many records of
the same form, without a database, without payloads and without keys.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from nakoming.records.store import Records

_CHAIN = "brouwer"
_A_TRANSACTION = 500
_TIMES = 3
_TARGET = 50_000


def run(count: int = 20_000, *, peers: bool = True) -> list[Figure]:
    """Write `count` records, check them three times."""
    del peers
    from nakoming.records import migrate
    from nakoming.records.store import Records

    at_start = machine()
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'records.sqlite'}"
        records = Records(url, keys=folder / "keys", documents=folder / "documents", pooled=True)
        migrate.upgrade(records)
        _write(records, count)
        seconds = [_checked(records) for _ in range(_TIMES)]
        records.engine.dispose()
    hashing = [_hashed(count) for _ in range(_TIMES)]
    return [
        Figure(
            name="evidence-verify",
            value=count / median(seconds),
            unit="records/s",
            peer="bare hashing loop",
            peer_value=count / median(hashing),
            limit=_TARGET,
            machine=at_start,
        )
    ]


def _write(records: Records, count: int) -> None:
    from nakoming.records.events import Event

    for first in range(0, count, _A_TRANSACTION):
        with records.write() as tx:
            for number in range(first, min(count, first + _A_TRANSACTION)):
                payload = {"step": f"build/{number}/artefact", "attempt": 1, "output": "0" * 64}
                tx.prove(Event.STEP_DONE, _CHAIN, payload, about=f"step:{number:032x}")


def _checked(records: Records) -> float:
    from nakoming.records import evidence_check

    begun = time.monotonic()
    found = evidence_check.verify(records, _CHAIN)
    seconds = time.monotonic() - begun
    assert not found, f"the chain is damaged: {found[0].text}"
    return seconds


def _hashed(count: int) -> float:
    """Each record holds its predecessor's leaf, so nothing can be hashed ahead."""
    from nakoming.records import evidence

    row = {"about": "step:" + "0" * 32, "at": "1", "case": None, "chain": _CHAIN, "clause": None}
    row |= {"event": "step:effect:done", "payload": "0" * 64, "previous": evidence.GENESIS}
    begun = time.monotonic()
    for number in range(count):
        row["seq"] = number
        row["previous"] = evidence.leaf_of(row)
    return time.monotonic() - begun
