"""The file of a backup: a tar that any tool opens, whose last line is the SHA-256 of all that lies before it.

Members: `tables/<name>.jsonl` (a line that names columns and their kinds, then a line per row, all canonical
JSON), `documents/…` (sealed as they lie), `keys/…` when asked for, and `manifest.json` as the last one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tarfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, Table, Text

from nakoming.records.errors import RecordsError
from nakoming.records.types import Instant, Json, canonical, from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.types import TypeEngine

FORMAT = 1
MANIFEST = "manifest.json"
_TRAILER = re.compile(rb"sha256:([0-9a-f]{64})\n")
TRAILER_SIZE = 7 + 64 + 1
_SAFE = re.compile(r"(tables|documents|keys)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
_CHUNK = 1 << 20
_KINDS: dict[str, TypeEngine[Any]] = {
    "text": Text(),
    "number": BigInteger(),
    "truth": Boolean(),
    "instant": Instant(),
    "json": Json(),
    "bytes": LargeBinary(),
}


class BackupDamaged(RecordsError):
    """A backup is not what was written."""

    template = "The backup {file} is damaged ({reason}); nothing was restored. Take another backup."
    code = "NK2031"


class BackupRefused(RecordsError):
    """A backup cannot be made or restored there."""

    template = "The backup {file} is not {what}: {reason}."
    code = "NK2032"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup holds. `heads`: chain → number and leaf; `sha256`: of the whole file."""

    taken_at: datetime
    revision: str
    rows: dict[str, int]
    members: dict[str, str]
    heads: dict[str, tuple[int, str]]
    with_keys: bool
    sha256: str = field(default="")

    def as_data(self) -> dict[str, Any]:
        """Plain data, as it lies in the backup."""
        data = asdict(self) | {"format": FORMAT, "taken_at": self.taken_at.isoformat()}
        del data["sha256"]
        return data | {"heads": {chain: list(head) for chain, head in self.heads.items()}}


def manifest_from(data: dict[str, Any], sha256: str) -> Manifest:
    """The manifest that `as_data` gave."""
    return Manifest(
        taken_at=datetime.fromisoformat(data["taken_at"]),
        revision=data["revision"],
        rows=data["rows"],
        members=data["members"],
        heads={chain: (seq, leaf) for chain, (seq, leaf) in data["heads"].items()},
        with_keys=data["with_keys"],
        sha256=sha256,
    )


class Digesting:
    """A file that is written, and the digest of what was."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write and digest."""
        self._digest.update(data)
        return self._file.write(data)

    @property
    def hexdigest(self) -> str:
        """The SHA-256 of what was written so far."""
        return self._digest.hexdigest()


def digest_of(file: IO[bytes], size: int | None = None) -> str:
    """The SHA-256 of what lies ahead in a file, of so many bytes when `size` is given."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK if size is None else min(_CHUNK, size)):
        digest.update(chunk)
        size = None if size is None else size - len(chunk)
    return digest.hexdigest()


def check_whole(source: Path) -> str:
    """The SHA-256 of a backup file, once it is certain that no byte of it was changed or is missing.

    Raises:
        BackupDamaged: it was changed, cut off, or is no backup.
    """
    size = source.stat().st_size - TRAILER_SIZE
    with source.open("rb") as file:
        found = digest_of(file, max(size, 0))
        trailer = _TRAILER.fullmatch(file.read())
    if size <= 0 or trailer is None:
        raise BackupDamaged(file=source, reason="its end is missing")
    if trailer[1].decode() != found:
        raise BackupDamaged(file=source, reason="its content does not match its SHA-256")
    return found


@contextmanager
def opened(source: Path) -> Iterator[tuple[tarfile.TarFile, Manifest]]:
    """A backup file whose every member is what the manifest says.

    Raises:
        BackupDamaged: it is not.
    """
    sha256 = check_whole(source)
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(source, "r:"))
            manifest = _manifest(tar, source, sha256)
            _check_members(tar, source, manifest)
        except (tarfile.TarError, KeyError, TypeError, ValueError) as broken:
            raise BackupDamaged(file=source, reason=f"it cannot be read: {broken}") from broken
        yield tar, manifest


def _manifest(tar: tarfile.TarFile, source: Path, sha256: str) -> Manifest:
    if MANIFEST not in tar.getnames():
        raise BackupDamaged(file=source, reason="it has no manifest")
    data = json.loads(member(tar, MANIFEST).read())
    if data.get("format") != FORMAT:
        reason = f"its format is {data.get('format')}, this program knows {FORMAT}"
        raise BackupRefused(file=source, what="restored", reason=reason)
    return manifest_from(data, sha256)


def _check_members(tar: tarfile.TarFile, source: Path, manifest: Manifest) -> None:
    names = [each.name for each in tar.getmembers() if each.name != MANIFEST]
    missing = sorted(manifest.members.keys() - set(names))
    foreign = sorted(set(names) - manifest.members.keys())
    if missing or foreign or len(names) != len(set(names)):
        reason = f"{(missing or foreign or names)[0]} is {'missing' if missing else 'too many'}"
        raise BackupDamaged(file=source, reason=reason)
    for each in tar.getmembers():
        if not each.isreg() or not (each.name == MANIFEST or _SAFE.fullmatch(each.name)):
            raise BackupDamaged(file=source, reason=f"{each.name!r} does not belong in it")
    for name, digest in manifest.members.items():
        if digest_of(member(tar, name)) != digest:
            raise BackupDamaged(file=source, reason=f"{name} does not match its SHA-256")


def member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A member, opened for reading."""
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def columns_of(table: Table) -> list[list[str]]:
    """The names and kinds of a table's columns: a backup can be read when the schema has moved on."""
    return [[column.name, _kind(column.type)] for column in table.columns]


def _kind(kind: TypeEngine[Any]) -> str:
    for types, name in (
        (Instant, "instant"),
        (Json, "json"),
        (LargeBinary, "bytes"),
        (Boolean, "truth"),
    ):
        if isinstance(kind, types):
            return name
    return "number" if kind.python_type is int else "text"


def table_from(name: str, columns: list[list[str]]) -> Table:
    """The table that `columns_of` described."""
    return Table(name, MetaData(), *(Column(column, _KINDS[kind]) for column, kind in columns))


def row_line(columns: list[list[str]], row: Any) -> bytes:
    """A row as a line of canonical JSON."""
    return canonical([_plain(kind, value) for (_, kind), value in zip(columns, row, strict=True)]) + b"\n"


def row_from(columns: list[list[str]], line: bytes) -> dict[str, Any]:
    """The row that `row_line` wrote."""
    values = zip(columns, json.loads(line), strict=True)
    return {name: _value(kind, value) for (name, kind), value in values}


def _plain(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "instant":
        return to_micros(value)
    return base64.b64encode(value).decode() if kind == "bytes" else value


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "instant":
        return from_micros(value)
    return base64.b64decode(value, validate=True) if kind == "bytes" else value
