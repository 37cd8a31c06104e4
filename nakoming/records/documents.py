"""Documents: stored per customer by SHA-256, sealed with the customer's key, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import puremagic
from sqlalchemy import select

from nakoming.records import schema, sealed_files
from nakoming.records.errors import (
    DocumentDamaged,
    DocumentMissing,
    DocumentRefused,
    KeyMissing,
    SealBroken,
    StorageFull,
)
from nakoming.records.events import Event
from nakoming.records.key_files import sync_folder
from nakoming.records.store import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Row

    from nakoming.records.store import Records, Tx

_documents = schema.documents
_NAME_LIMIT = 120
_LOOKED_AT = 1 << 16
_UNWANTED = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u202a-\u202e\u2066-\u2069]")
_TEXT_KINDS = {".txt": "text/plain", ".md": "text/markdown", ".csv": "text/csv"}
_PAGE = ".html"
_BINARY_KINDS = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ALLOWED = ", ".join(sorted(_TEXT_KINDS | _BINARY_KINDS))
_SIGNATURES = {
    ".pdf": (b"%PDF-",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".docx": (b"PK\x03\x04",),
    ".xlsx": (b"PK\x03\x04",),
}
_OFFICE_PART = {".docx": b"word/document.xml", ".xlsx": b"xl/workbook.xml"}


@dataclass(frozen=True, kw_only=True)
class Document:
    """A stored document; `size` in bytes."""

    id: str
    customer: str
    sha256: str
    name: str
    media_type: str
    size: int
    stored_at: datetime
    stored_by: str


def add(
    records: Records, customer: str, name: str, content: bytes, *, by: str, made_here: bool = False
) -> Document:
    """Store a document of a customer; the same content a second time is the same document.

    Args:
        records: where.
        customer: whose.
        name: of the file.
        content: its bytes.
        by: who brings it.
        made_here: the product made it itself: it may be a web page, which nobody else may send.

    Raises:
        DocumentRefused: empty, too large, or not of an allowed type.
        StorageFull: no room; nothing was stored.
    """
    name = safe_name(name)
    media_type = checked_type(name, content, records.document_limit, made_here=made_here)
    sha256 = hashlib.sha256(content).hexdigest()
    path = _path(records, customer, sha256)
    if not _is_whole(records, customer, path):
        sealed = records.keys.seal(customer, f"document/{sha256}", content)
        _write_whole(path, (sealed,), name)
    with records.write() as tx:
        return _enter(tx, customer, name, media_type, sha256, len(content), by)


def add_file(records: Records, customer: str, name: str, file: Path, *, by: str, limit: int) -> Document:
    """Store a file that the product made, read and sealed piece by piece: as `add`, in a few megabytes.

    Args:
        records: where.
        customer: whose.
        name: what it is called.
        file: where it lies; it stays there.
        by: who brings it.
        limit: bytes that it may have.

    Raises:
        DocumentRefused: empty, larger than `limit`, or not of an allowed type.
        StorageFull: no room; nothing was stored.
    """
    name, size = safe_name(name), file.stat().st_size
    with file.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        media_type = _type_of_file(name, source, size, limit)
        path = _path(records, customer, sha256)
        if not _is_whole(records, customer, path):
            source.seek(0)
            _write_whole(
                path, sealed_files.sealed(records.keys, customer, f"document/{sha256}", source), name
            )
    with records.write() as tx:
        return _enter(tx, customer, name, media_type, sha256, size, by)


def _type_of_file(name: str, source: BinaryIO, size: int, limit: int) -> str:
    """By its beginning and its end: there the directory of an office document names its parts."""
    if size > limit:
        reason = f"it has {size} bytes"
        raise DocumentRefused(name=name, reason=reason, allowed=f"at most {limit} bytes")
    source.seek(0)
    ends = source.read(_LOOKED_AT)
    if size > _LOOKED_AT:
        source.seek(max(_LOOKED_AT, size - _LOOKED_AT))
        ends += source.read()
    return checked_type(name, ends, len(ends))


def _enter(tx: Tx, customer: str, name: str, media_type: str, sha256: str, size: int, by: str) -> Document:
    known = _by_digest(tx, customer, sha256)
    if known is not None:
        return known
    document_id = new_id()
    row = {
        "id": document_id,
        "customer": customer,
        "sha256": sha256,
        "name_sealed": tx.seal(customer, f"document/{document_id}/name", name),
        "media_type": media_type,
        "size": size,
        "stored_at": tx.now,
        "stored_by": by,
    }
    if not tx.insert_once(_documents, row):  # somebody else stored it at the same moment
        return _enter(tx, customer, name, media_type, sha256, size, by)
    payload = {"sha256": sha256, "name": name, "size": size, "by": by}
    tx.prove(Event.DOCUMENT_STORED, customer, payload, about=f"document:{document_id}")
    return get(tx, customer, document_id)


def get(tx: Tx, customer: str, document_id: str) -> Document:
    """A document of this customer; `DocumentMissing` when it is not there or another's."""
    c = _documents.c
    query = select(_documents).where(c.id == document_id, c.customer == customer)
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        raise DocumentMissing(document=document_id, customer=customer)
    return _document(tx, row)


def by_id(tx: Tx, document_id: str) -> Document | None:
    """The document with this identity, of whatever customer."""
    query = select(_documents).where(_documents.c.id == document_id)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _document(tx, row)


def listed(tx: Tx, customer: str) -> list[Document]:
    """The documents of a customer, newest first."""
    c = _documents.c
    query = select(_documents).where(c.customer == customer).order_by(c.stored_at.desc(), c.id)
    return [_document(tx, row) for row in tx.connection.execute(query)]


def _by_digest(tx: Tx, customer: str, sha256: str) -> Document | None:
    c = _documents.c
    query = select(_documents).where(c.customer == customer, c.sha256 == sha256)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _document(tx, row)


def _document(tx: Tx, row: Row[Any]) -> Document:
    data = row._asdict()
    name = tx.unseal(row.customer, f"document/{row.id}/name", data.pop("name_sealed"))
    return Document(**data, name=name)


def content(records: Records, document: Document) -> bytes:
    """The bytes of a document; `DocumentDamaged` when they are not those that were stored.

    Raises:
        DocumentDamaged: the file is gone or was changed.
        KeyMissing: the customer's key was destroyed, and the document with it.
    """
    return b"".join(pieces(records, document))


def pieces(records: Records, document: Document) -> Iterator[bytes]:
    """The bytes of a document as they are opened, for one that is large; raises as `content`.

    That it was changed may be known after its last piece only: who keeps the pieces throws them away then.
    """
    path = _path(records, document.customer, document.sha256)
    try:
        yield from _opened(records, document.customer, path)
    except (FileNotFoundError, SealBroken) as damaged:
        raise DocumentDamaged(document=document.id, sha256=document.sha256) from damaged


def _opened(records: Records, customer: str, path: Path) -> Iterator[bytes]:
    digest, what = hashlib.sha256(), f"document/{path.name}"
    with path.open("rb") as source:
        for piece in sealed_files.opened(records.keys, customer, what, source):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != path.name:
        raise SealBroken(what=what)


def _is_whole(records: Records, customer: str, path: Path) -> bool:
    """Whether the file is there and can be read: a damaged one is written anew by who brings it again."""
    try:
        deque(_opened(records, customer, path), maxlen=0)
    except (FileNotFoundError, SealBroken, KeyMissing):
        return False
    return True


def safe_name(name: str) -> str:
    """A file name without path, control characters or tricks of direction; never empty."""
    cleaned = _UNWANTED.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, suffix = cleaned.rpartition(".")
    return (stem[:_NAME_LIMIT] + dot + suffix[:10]) if dot else cleaned[:_NAME_LIMIT] or "document"


def checked_type(name: str, content: bytes, limit: int, *, made_here: bool = False) -> str:
    """The media type by content; the name's ending must say the same. `DocumentRefused` otherwise."""
    if not content:
        raise DocumentRefused(name=name, reason="it is empty (0 bytes)", allowed="files with content")
    if len(content) > limit:
        reason = f"it has {len(content)} bytes"
        raise DocumentRefused(name=name, reason=reason, allowed=f"at most {limit} bytes")
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot >= 0 else ""
    if made_here and suffix == _PAGE and _is_text(content):
        return "text/html"
    if suffix in _TEXT_KINDS and _is_text(content):
        return _TEXT_KINDS[suffix]
    if suffix in _BINARY_KINDS and _has_signature(suffix, content):
        return _BINARY_KINDS[suffix]
    if suffix in _TEXT_KINDS or suffix in _BINARY_KINDS:
        reason = f"its content is {_looks_like(content)}, not what '{suffix}' says"
        raise DocumentRefused(name=name, reason=reason, allowed=ALLOWED)
    raise DocumentRefused(name=name, reason=f"the type '{suffix or 'none'}' is not taken", allowed=ALLOWED)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in content


def _has_signature(suffix: str, content: bytes) -> bool:
    part = _OFFICE_PART.get(suffix)
    return content.startswith(_SIGNATURES[suffix]) and (part is None or part in content)


def _looks_like(content: bytes) -> str:
    with suppress(puremagic.PureError, ValueError):
        return puremagic.from_string(content, mime=True) or "of an unknown kind"
    return "of an unknown kind"


def _path(records: Records, customer: str, sha256: str) -> Path:
    return records.documents_folder / customer / sha256[:2] / sha256


def _write_whole(path: Path, sealed: Iterable[bytes], name: str) -> None:
    """Write beside, sync, rename, sync the folder: a crash or a full disk leaves nothing half-stored."""
    temporary = path.with_name(f".{path.name}.{new_id()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with temporary.open("xb") as file:
            file.writelines(sealed)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as failed:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if failed.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}:
            raise StorageFull(name=name, folder=path.parent, reason=os.strerror(failed.errno)) from failed
        raise
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):  # each may be new
        sync_folder(folder)
