"""Heads of chains that left the house: a chain cannot see its own tail cut off, but who got its head can.

Each is a row of `heads_sent`, a line in `heads.jsonl` beside the keys (outside the database), and stands in
the mail of whoever received it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nakoming.records import schema
from nakoming.records.errors import RecordsError, StorageFull
from nakoming.records.types import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records, Tx

_sent = schema.heads_sent
_HEAD = re.compile(r"(?P<chain>[a-z][a-z0-9-]*):(?P<seq>0|[1-9]\d{0,17}):(?P<leaf>[0-9a-f]{64})")


class HeadUnreadable(RecordsError):
    """What a reader gave as a head is none."""

    template = "'{text}' is no head; allowed: <customer or vendor>:<number>:<64 hexadecimal digits>."
    code = "NK2030"
    exit_status = 2


@dataclass(frozen=True, kw_only=True)
class Head:
    """A record that somebody outside knows by its number and leaf.

    `restored` marks where a chain ended when the records were restored from a backup: what the file knew of
    the chain beyond that is lost.
    """

    chain: str
    seq: int
    leaf: str
    sent_at: datetime | None = None
    source: str = "a reader"
    restored: bool = False


def parse(text: str) -> Head:
    """The head that a reader wrote as `customer:number:leaf`; `HeadUnreadable` when it is none."""
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise HeadUnreadable(text=text)
    return Head(chain=found["chain"], seq=int(found["seq"]), leaf=found["leaf"])


def note_head_sent(tx: Tx, chain: str, *, seq: int | None = None, leaf: str | None = None) -> Head | None:
    """Note that a head leaves the house: a row with this transaction, a line in the file once it committed.

    Without `seq` and `leaf` it is the chain's head as it is now. Nothing for a chain without records.
    """
    if seq is None or leaf is None:
        chains = schema.chains.c
        found = tx.connection.execute(
            select(chains.seq, chains.head).where(chains.chain == chain)
        ).one_or_none()
        if found is None or found.seq == 0:
            return None
        seq, leaf = int(found.seq), str(found.head)
    head = Head(chain=chain, seq=seq, leaf=leaf, sent_at=tx.now, source="the table of heads that were sent")
    row = {"chain": chain, "seq": seq, "head": leaf, "sent_at": tx.now}
    if tx.insert_once(_sent, row):
        tx.after_commit.append(lambda: append(tx.records.heads_file, [head]))
    return head


def append(file: Path, heads: Iterable[Head]) -> None:
    """Add heads to the file: whole lines, on the disk before this returns.

    Raises:
        StorageFull: no room; `write_missing` adds them later.
    """
    lines = b"".join(canonical(_as_data(head)) + b"\n" for head in heads)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = os.lseek(descriptor, 0, os.SEEK_END)
        torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
        os.write(descriptor, b"\n" + lines if torn else lines)
        os.fsync(descriptor)
    except OSError as failed:
        if failed.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageFull(
                name=file.name, folder=file.parent, reason=os.strerror(failed.errno)
            ) from failed
        raise
    finally:
        os.close(descriptor)


def _as_data(head: Head) -> dict[str, Any]:
    sent_at = head.sent_at.isoformat() if head.sent_at else None
    data = {"chain": head.chain, "seq": head.seq, "head": head.leaf, "sent_at": sent_at}
    return data | ({"restored": True} if head.restored else {})


def in_table(tx: Tx, chain: str | None = None) -> Iterator[Head]:
    """The heads that the database knows to have left."""
    query = select(_sent).order_by(_sent.c.chain, _sent.c.seq)
    for row in tx.connection.execute(query if chain is None else query.where(_sent.c.chain == chain)):
        source = "the table of heads that were sent"
        yield Head(chain=row.chain, seq=row.seq, leaf=row.head, sent_at=row.sent_at, source=source)


def in_file(file: Path) -> tuple[list[Head], list[int]]:
    """The heads in the file, and the numbers of the lines that are none (a torn last line is not counted)."""
    if not file.exists():
        return [], []
    *lines, torn = file.read_bytes().split(b"\n")
    del torn  # a crash while it was written; the row in the table stands
    heads, bad = [], []
    for number, line in enumerate(lines, start=1):
        try:
            head = _from_data(json.loads(line), number, file.name)
        except (HeadUnreadable, ValueError, KeyError, TypeError):
            bad.append(number)
            continue
        if canonical(_as_data(head)) == line:  # a line that only reads the same was changed
            heads.append(head)
        else:
            bad.append(number)
    return heads, bad


def _from_data(data: dict[str, Any], number: int, name: str) -> Head:
    read = parse(f"{data['chain']}:{data['seq']}:{data['head']}")
    return Head(
        chain=read.chain,
        seq=read.seq,
        leaf=read.leaf,
        sent_at=datetime.fromisoformat(data["sent_at"]),
        source=f"line {number} of {name}",
        restored=bool(data.get("restored", False)),
    )


def write_missing(records: Records) -> int:
    """Add to the file what a crash or a full disk kept out of it; how many those were."""
    known = {(head.chain, head.seq) for head in in_file(records.heads_file)[0] if not head.restored}
    with records.read() as tx:
        missing = [head for head in in_table(tx) if (head.chain, head.seq) not in known]
    if missing:
        append(records.heads_file, missing)
    return len(missing)
