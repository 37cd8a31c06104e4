"""A backup of the records: all tables as they were at one instant, and the sealed documents.

It is portable: what SQLite gave, PostgreSQL takes, and the other way round. Keys stay out of it unless they
are asked for: whoever holds a backup alone can read nothing in it.
"""

from __future__ import annotations

import errno
import io
import os
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from sqlalchemy import select

from nakoming.records import heads, migrate, schema
from nakoming.records.backup_file import (
    MANIFEST,
    BackupRefused,
    Digesting,
    Manifest,
    columns_of,
    digest_of,
    manifest_from,
    row_line,
)
from nakoming.records.errors import StorageFull
from nakoming.records.events import Event
from nakoming.records.evidence import VENDOR_CHAIN
from nakoming.records.key_files import sync_folder
from nakoming.records.restore import Restored, restore
from nakoming.records.types import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Table

    from nakoming.records.store import Records, Tx

__all__ = ["Manifest", "Restored", "backup", "restore"]

_PAGE = 2_000  # rows that are held at a time
_DAY_ONE = 0  # the files in it carry no time of their own


def backup(records: Records, target: Path, *, with_keys: bool = False) -> Manifest:
    """Write a backup of everything to `target`, whole or not at all; the vendor's chain says so afterwards.

    Raises:
        BackupRefused: there is a file of that name.
        StorageFull: no room; nothing is left behind.
        RecordsTooNew: the database is not at the schema this program knows.
    """
    migrate.require_current(records)
    heads.write_missing(records)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if target.exists():
        raise BackupRefused(file=target, what="made", reason="there is a file of that name")
    part = target.with_name(f".{target.name}.part")
    with _room(part, target.name):
        manifest = _write(records, part, with_keys=with_keys)
        part.replace(target)
        sync_folder(target.parent)
    with records.write() as tx:
        payload = {"file": target.name, "sha256": manifest.sha256, "rows": sum(manifest.rows.values())}
        tx.prove(Event.RECORDS_BACKED_UP, VENDOR_CHAIN, payload)
    return manifest


@contextmanager
def _room(part: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        if failed.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}:
            raise StorageFull(name=name, folder=part.parent, reason=os.strerror(failed.errno)) from failed
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(records: Records, part: Path, *, with_keys: bool) -> Manifest:
    part.touch(mode=0o600)
    with part.open("wb") as file:
        digesting = Digesting(file)
        # A stream: what was written is never touched again, so its digest is that of the file.
        with tarfile.open(fileobj=cast("IO[bytes]", digesting), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            data = _fill(records, tar, part.parent, with_keys=with_keys)
        sha256 = digesting.hexdigest
        file.write(f"sha256:{sha256}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    return manifest_from(data, sha256)


def _fill(records: Records, tar: tarfile.TarFile, folder: Path, *, with_keys: bool) -> dict[str, Any]:
    rows: dict[str, int] = {}
    members: dict[str, str] = {}
    with records.snapshot() as tx:
        taken_at = tx.now
        revision = migrate.current(tx.connection)
        for table in schema.metadata.sorted_tables:
            name = f"tables/{table.name}.jsonl"
            with tempfile.TemporaryFile(dir=folder) as dump:
                rows[table.name] = _dump(tx, table, dump)
                members[name] = _add(tar, name, dump)
        ends = {row.chain: (row.seq, row.head) for row in tx.connection.execute(select(schema.chains))}
    # Later than the tables: a document is stored before its row, so none of theirs is missing.
    for name, path in _files(records, with_keys=with_keys):
        with suppress(FileNotFoundError), path.open("rb") as content:  # erased in the meantime
            members[name] = _add(tar, name, content)
    manifest = Manifest(
        taken_at=taken_at,
        revision=str(revision),
        rows=rows,
        members=members,
        heads=ends,
        with_keys=with_keys,
    )
    _add(tar, MANIFEST, io.BytesIO(canonical(manifest.as_data()) + b"\n"))
    return manifest.as_data()


def _dump(tx: Tx, table: Table, dump: IO[bytes]) -> int:
    columns = columns_of(table)
    dump.write(canonical({"columns": columns, "table": table.name}) + b"\n")
    count = 0
    query = select(table).order_by(*table.primary_key.columns)
    for row in tx.connection.execute(query, execution_options={"yield_per": _PAGE}):
        dump.write(row_line(columns, row))
        count += 1
    return count


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> str:
    """Add a member; its digest."""
    info = tarfile.TarInfo(name)
    info.size = content.seek(0, os.SEEK_END)
    info.mode, info.mtime = 0o600, _DAY_ONE
    content.seek(0)
    digest = digest_of(content)
    content.seek(0)
    tar.addfile(info, content)
    return digest


def _files(records: Records, *, with_keys: bool) -> Iterator[tuple[str, Path]]:
    folders = [("documents", records.documents_folder)]
    if with_keys:
        folders.append(("keys", records.keys.folder))
    for name, folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):  # such are being written
                yield f"{name}/{path.relative_to(folder).as_posix()}", path
