"""Stores documents that lie in files, and writes them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.cli import files, printing
from deployments.cli.errors import DocumentUnknown
from nakoming.records import agreements, documents
from tasks.installation import records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nakoming.records.documents import Document


def added(customer: str, paths: Sequence[Path], by: str | None, *, as_json: bool) -> None:
    """Store the files of a customer and print their ids, in the order in which they were named.

    Raises:
        UnknownAgreement: there is no such customer.
        FileUnreadable: a file cannot be read; nothing was stored.
        DocumentRefused: a file is empty, too large or of a false type; nothing was stored.
        StorageFull: there is no room; what was stored before it stands.
    """
    stored = store(customer, paths, by or files.login())
    if as_json:
        printing.emit(stored)
        return
    for document in stored:
        printing.line(document.id)


def store(customer: str, paths: Sequence[Path], by: str) -> list[Document]:
    """The documents of these files; all are looked at before the first is stored."""
    found = records()
    with found.read() as tx:
        agreements.newest_version(tx, customer)
    contents = [(path.name, files.content_of(path, found.document_limit)) for path in paths]
    for name, content in contents:
        documents.checked_type(documents.safe_name(name), content, found.document_limit)
    return [documents.add(found, customer, name, content, by=by) for name, content in contents]


def listed(customer: str, *, as_json: bool) -> None:
    """Print the documents of a customer; `UnknownAgreement` when there is none of that name."""
    with records().read() as tx:
        agreements.newest_version(tx, customer)
        found = documents.listed(tx, customer)
    if as_json:
        printing.emit(found)
        return
    rows = [(each.id, each.name, each.size, each.stored_at, each.stored_by) for each in found]
    printing.table(("id", "name", "bytes", "stored", "by"), rows, empty=f"Nothing is stored of {customer}.")


def got(document_id: str, out: Path, *, as_json: bool) -> None:
    """Write a document to a new file.

    Raises:
        DocumentUnknown: there is no such document.
        DocumentDamaged: it is not what was stored.
        FileExistsAlready: the file is there already.
    """
    found = records()
    with found.read() as tx:
        document = documents.by_id(tx, document_id)
    if document is None:
        raise DocumentUnknown(document=document_id)
    files.write_new(out, documents.pieces(found, document))
    if as_json:
        printing.emit(printing.plain(document) | {"file": str(out)})
    else:
        printing.line(f"{out}: {document.name}, {document.size} bytes, SHA-256 {document.sha256}")
