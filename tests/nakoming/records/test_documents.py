"""Documents are stored whole or not at all, and given back only as they were."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from nakoming.records import documents
from nakoming.records.errors import (
    DocumentDamaged,
    DocumentMissing,
    DocumentRefused,
    KeyMissing,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nakoming.records.documents import Document
    from nakoming.records.store import Records
    from tests.nakoming.records.conftest import World

_PDF = b"%PDF-1.7 a specification"


def _add(world: World, content: bytes = _PDF, name: str = "spec.pdf", customer: str = "acme") -> Document:
    return documents.add(world.records, customer, name, content, by=f"{customer}:anna")


def _files(records: Records) -> list[Path]:
    return [path for path in records.documents_folder.rglob("*") if path.is_file()]


def test_a_document_comes_back_as_it_was_and_lies_there_unreadable(world: World) -> None:
    document = _add(world)
    assert documents.content(world.records, document) == _PDF
    assert (document.media_type, document.size, document.name) == ("application/pdf", len(_PDF), "spec.pdf")
    [file] = _files(world.records)
    assert b"specification" not in file.read_bytes()
    assert world.events() == ["document:file:stored"]


def test_the_same_content_is_the_same_document_per_customer(world: World) -> None:
    assert _add(world) == _add(world, name="other name.pdf")
    assert _add(world, customer="other").id != _add(world).id
    assert len(_files(world.records)) == 2


def test_two_who_store_the_same_at_once_store_one(world: World) -> None:
    barrier = threading.Barrier(2)

    def add() -> str:
        barrier.wait()
        return _add(world).id

    with ThreadPoolExecutor(2) as pool:
        both = [future.result() for future in [pool.submit(add), pool.submit(add)]]
    assert both[0] == both[1]
    assert world.events() == ["document:file:stored"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.pdf", b"", "it is empty (0 bytes); allowed: files with content"),
        ("large.txt", b"x" * 10_001, "it has 10001 bytes; allowed: at most 10000 bytes"),
        ("page.pdf", b"<html>", "its content is "),
        ("notes.txt", b"\x00\x01", "its content is "),
        ("sheet.xlsx", b"PK\x03\x04 a zip of something else", "its content is "),
        ("run.exe", b"MZ", "the type '.exe' is not taken"),
        ("noending", b"text", "the type 'none' is not taken"),
    ],
)
def test_what_is_not_taken_is_refused_and_leaves_nothing(
    world: World, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(DocumentRefused) as refused:
        _add(world, content, name)
    assert str(refused.value).startswith(f"Document '{name}' is refused: {reason}")
    assert _files(world.records) == []
    assert world.events() == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/spec.pdf", "spec.pdf"),
        ("C:\\temp\\spec.pdf", "spec.pdf"),
        ("a\x00b\u202efdp.pdf", "a_b_fdp.pdf"),
        (" . ", "document"),
        ("x" * 300 + ".pdf", "x" * 120 + ".pdf"),
    ],
)
def test_names_carry_no_path_and_no_tricks(given: str, kept: str) -> None:
    assert documents.safe_name(given) == kept


def test_a_web_page_is_taken_only_from_the_product_itself(world: World) -> None:
    page = b"<!doctype html><title>Controle</title>"
    with pytest.raises(DocumentRefused, match=r"the type '\.html' is not taken"):
        documents.add(world.records, "brouwer", "page.html", page, by="test")
    kept = documents.add(world.records, "brouwer", "page.html", page, by="erp_sync", made_here=True)
    assert kept.media_type == "text/html"


def test_a_document_of_another_customer_is_missing(world: World) -> None:
    document = _add(world)
    sentence = f"There is no document {document.id} of customer other"
    with pytest.raises(DocumentMissing, match=sentence), world.records.read() as tx:
        documents.get(tx, "other", document.id)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_document_is_told_and_mended_by_who_brings_it_again(world: World, damage: str) -> None:
    document = _add(world)
    [file] = _files(world.records)
    sealed = bytearray(file.read_bytes())
    sealed[-1] ^= 1
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(bytes(sealed) if damage == "flipped" else b"")
    with pytest.raises(DocumentDamaged, match="restore it from a backup"):
        documents.content(world.records, document)
    assert _add(world) == document
    assert documents.content(world.records, document) == _PDF


def test_a_destroyed_key_destroys_its_documents(world: World) -> None:
    document = _add(world)
    world.records.keys.destroy("acme")
    with pytest.raises(KeyMissing):
        documents.content(world.records, document)


_FULL = """
    import resource
    from nakoming.records import documents
    from nakoming.records.errors import StorageFull
    records.keys.seal("acme", "x", b"made before the disk is full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        documents.add(records, "acme", "long.txt", b"x" * 5000, by="acme:anna")
    except StorageFull as full:
        print(full)
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_stored(world: World) -> None:
    said = world.python(_FULL).communicate()[0]
    folder = world.records.documents_folder / "acme"
    assert said.startswith(f"'long.txt' cannot be stored in {folder}")
    assert said.rstrip().endswith("Free space there and try again; nothing was lost.")
    assert _files(world.records) == []
    assert world.events() == []
    assert _add(world, b"x" * 5000, "long.txt").size == 5000
