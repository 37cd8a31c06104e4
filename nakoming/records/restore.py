"""Restores a backup into an empty database.

What happened after the backup was taken is not known any more: every case that is under way asks before it
does anything again, and heads of chains that left the house later are known as lost.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, inspect, select, update

from nakoming.records import evidence_check, heads, migrate, schema
from nakoming.records.backup_file import BackupRefused, member, opened, row_from, table_from
from nakoming.records.cases import State
from nakoming.records.events import Event
from nakoming.records.evidence import GENESIS, VENDOR_CHAIN
from nakoming.records.key_files import sync_folder
from nakoming.records.outbox import MailState
from nakoming.records.store import new_id

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import ColumnElement, Table

    from nakoming.records.backup_file import Manifest
    from nakoming.records.evidence_check import Finding
    from nakoming.records.store import Records, Tx

_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was restored. `asking`: cases that ask before they go on; `mails`: that may be sent once more."""

    manifest: Manifest
    asking: int
    mails: int
    findings: tuple[Finding, ...]


def restore(source: Path, records: Records) -> Restored:
    """Restore a backup; the database is untouched unless all of it could be.

    Mails that were queued or under way keep their Message-ID and go out: those that left after the backup was
    taken arrive a second time as the same message. The findings are those of the evidence as restored.

    Raises:
        BackupDamaged: a byte of it was changed or is missing.
        BackupRefused: the database is not empty, or the keys are not there.
        RecordsTooNew: the backup, or the database, is of another version.
    """
    with opened(source) as (tar, manifest):
        migrate.require_known(manifest.revision)
        _refuse_full(records, source, manifest)
        _put_keys(records, tar, source, manifest)
        _refuse_without_keys(records, source, manifest)
        _put_files(tar, manifest, "documents", records.documents_folder)
        migrate.upgrade(records, manifest.revision)
        with records.write() as tx:
            _refuse_rows(tx, source)
            _put_tables(tx, tar, manifest)
            asking, mails = _tell(tx, manifest)
    migrate.upgrade(records)
    findings = tuple(evidence_check.verify(records))
    return Restored(manifest=manifest, asking=asking, mails=mails, findings=findings)


def _refuse_full(records: Records, source: Path, manifest: Manifest) -> None:
    migrate.make_folder(records)
    with records.read() as tx:
        found = migrate.current(tx.connection)
        if found is not None:
            _refuse_rows(tx, source)
        if found not in {None, manifest.revision}:
            reason = f"the database is at schema {found}, the backup at {manifest.revision}; use an empty one"
            raise BackupRefused(file=source, what="restored", reason=reason)


def _refuse_rows(tx: Tx, source: Path) -> None:
    there = set(inspect(tx.connection).get_table_names())
    for table in schema.metadata.sorted_tables:
        query = select(func.count()).select_from(table)
        if table.name in there and (count := tx.connection.execute(query).scalar_one()):
            reason = f"the database holds records already ({count} in {table.name}); it must be empty"
            raise BackupRefused(file=source, what="restored", reason=reason)


def _put_keys(records: Records, tar: tarfile.TarFile, source: Path, manifest: Manifest) -> None:
    folder = records.keys.folder
    for name in _named(manifest, "keys"):
        path = folder / name.partition("/")[2]
        there = path.exists() and path != records.heads_file
        if there and path.read_bytes() != member(tar, name).read():
            reason = f"{path} is another key than the backup's; move it away"
            raise BackupRefused(file=source, what="restored", reason=reason)
    _put_files(tar, manifest, "keys", folder)


def _refuse_without_keys(records: Records, source: Path, manifest: Manifest) -> None:
    missing = sorted(chain for chain in manifest.heads if not records.keys.knows(chain))
    if missing:
        reason = f"the keys of {', '.join(missing)} are not in {records.keys.folder}; put them back first"
        raise BackupRefused(file=source, what="restored", reason=reason)


def _named(manifest: Manifest, folder: str) -> Iterator[str]:
    return (name for name in manifest.members if name.startswith(f"{folder}/"))


def _put_files(tar: tarfile.TarFile, manifest: Manifest, what: str, folder: Path) -> None:
    """Write what is not there yet, each file whole or not at all."""
    touched = set()
    for name in _named(manifest, what):
        path = folder / name.partition("/")[2]
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f".{path.name}.{new_id()}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(member(tar, name).read())
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        touched |= {path.parent, *(up for up in path.parents if up.is_relative_to(folder))}
    for each in touched:
        sync_folder(each)


def _put_tables(tx: Tx, tar: tarfile.TarFile, manifest: Manifest) -> None:
    order = [table.name for table in schema.metadata.sorted_tables if table.name in manifest.rows]
    for name in [*order, *sorted(manifest.rows.keys() - set(order))]:
        lines = iter(member(tar, f"tables/{name}.jsonl"))
        columns = json.loads(next(lines))["columns"]
        _put_rows(tx, table_from(name, columns), (row_from(columns, line) for line in lines))


def _put_rows(tx: Tx, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    """Insert in batches. A case's parent may come after it, so parents are named once all are there."""
    parents = {}
    adapt = _ADAPTED.get(table.name)
    while batch := list(islice(rows, _BATCH)):
        for row in batch:
            if adapt is not None:
                row.update(adapt(tx, row))
            if row.get("parent_id") is not None:
                parents[row["id"]] = row["parent_id"]
                row["parent_id"] = None
        tx.connection.execute(insert(table), batch)
    for child, parent in parents.items():
        tx.connection.execute(update(table).where(table.c.id == child).values(parent_id=parent))


def _adapted_case(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    """A case under way asks before it does anything again; one that was worked on wants to go on."""
    if row["state"] == State.CLOSED:
        return {}
    return {
        "ask_everything": True,
        "lease_owner": None,
        "lease_until": None,
        "lease_epoch": row["lease_epoch"] + 1,
        "wake_at": tx.now if row["state"] == State.OPEN else row["wake_at"],
        "woken_at": None,
    }


def _adapted_mail(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    if row["state"] not in _UNSENT:
        return {}
    return {"state": str(MailState.QUEUED), "owner": None, "next_at": tx.now}


def _adapted_lease(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    del tx
    return {"owner": None, "until": None, "case_id": None, "epoch": row["epoch"] + 1}


def _adapted_wake_up(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    """Prefect may know nothing of the scheduled run that showed it; it is shown anew."""
    del tx, row
    return {"prefect_run_id": None}


_UNSENT = (MailState.QUEUED, MailState.SENDING)
_ADAPTED: dict[str, Callable[[Tx, dict[str, Any]], dict[str, Any]]] = {
    "cases": _adapted_case,
    "outbox": _adapted_mail,
    "resource_leases": _adapted_lease,
    "wake_ups": _adapted_wake_up,
}


def _tell(tx: Tx, manifest: Manifest) -> tuple[int, int]:
    """The evidence of the restore, and the marks of what is lost with it; how many cases ask, mails wait."""
    noted = _note_known_heads(tx, manifest)
    asking = _count(tx, schema.cases, schema.cases.c.state != State.CLOSED)
    mails = _count(tx, schema.outbox, schema.outbox.c.state.in_(_UNSENT))
    payload = {
        "backup": manifest.sha256,
        "taken_at": manifest.taken_at.isoformat(),
        "cases_asking": asking,
        "mails_that_may_arrive_twice": mails,
        "heads": {chain: seq for chain, (seq, _) in manifest.heads.items()},
    }
    tx.prove(Event.RECORDS_RESTORED, VENDOR_CHAIN, payload)
    if noted:
        tx.after_commit.append(lambda: heads.append(tx.records.heads_file, noted))
    return asking, mails


def _count(tx: Tx, table: Table, which: ColumnElement[bool]) -> int:
    return int(tx.connection.execute(select(func.count()).select_from(table).where(which)).scalar_one())


def _note_known_heads(tx: Tx, manifest: Manifest) -> list[heads.Head]:
    """Take over what the file knows of the restored chains; the marks of those that had gone further."""
    in_file = [head for head in heads.in_file(tx.records.heads_file)[0] if not head.restored]
    for head in in_file:
        end, _ = manifest.heads.get(head.chain, (0, GENESIS))
        if head.seq <= end:
            row = {"chain": head.chain, "seq": head.seq, "head": head.leaf, "sent_at": head.sent_at}
            tx.insert_once(schema.heads_sent, row)
    marks = []
    for chain in sorted({head.chain for head in in_file}):
        end, leaf = manifest.heads.get(chain, (0, GENESIS))
        if any(head.chain == chain and head.seq > end for head in in_file):
            mark = heads.Head(chain=chain, seq=end, leaf=leaf, sent_at=tx.now, restored=True)
            marks.append(mark)
    return marks
