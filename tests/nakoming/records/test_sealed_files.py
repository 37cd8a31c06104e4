"""A large file is sealed and opened piece by piece, and nothing of it can be changed unseen."""

from __future__ import annotations

import io
import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from nakoming.records import documents, sealed_files
from nakoming.records.errors import DocumentDamaged, DocumentRefused, KeyMissing, SealBroken
from nakoming.records.keys import Keyring
from nakoming.records.sealed_files import PIECE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nakoming.records.conftest import World

_TAG, _HEADER = 16, 35
_PDF = b"%PDF-1.7 "


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def sealed(keys: Keyring, plain: bytes, what: str = "document/1") -> bytes:
    return b"".join(sealed_files.sealed(keys, "acme", what, io.BytesIO(plain)))


def opened(keys: Keyring, content: bytes, what: str = "document/1", customer: str = "acme") -> bytes:
    return b"".join(sealed_files.opened(keys, customer, what, io.BytesIO(content)))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_every_size_comes_back(keys: Keyring, size: int) -> None:
    plain = os.urandom(size)
    content = sealed(keys, plain)
    assert opened(keys, content) == plain
    assert size < PIECE - 1 or plain[:64] not in content


def test_what_was_sealed_at_once_is_opened_too(keys: Keyring) -> None:
    assert opened(keys, keys.seal("acme", "document/1", b"of before")) == b"of before"


def test_each_file_has_a_key_of_its_own(keys: Keyring) -> None:
    assert sealed(keys, b"the same") != sealed(keys, b"the same")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole, _: whole[:-1],
        lambda whole, step: whole[: _HEADER + 2 * step],  # the last piece is gone
        lambda whole, step: whole[: _HEADER + step] + whole[_HEADER + 2 * step :],  # one in the middle
        lambda whole, step: whole[:_HEADER] + whole[_HEADER + step :] + whole[_HEADER : _HEADER + step],
        lambda whole, step: whole + whole[_HEADER : _HEADER + step],
        lambda whole, _: whole[:40] + bytes([whole[40] ^ 1]) + whole[41:],
        lambda whole, _: whole[:10] + bytes([whole[10] ^ 1]) + whole[11:],  # the salt
        lambda whole, _: whole[:20],
    ],
)
def test_a_change_is_seen(keys: Keyring, damage: object) -> None:
    content = sealed(keys, os.urandom(2 * PIECE + 9))
    with pytest.raises(SealBroken):
        opened(keys, damage(content, PIECE + _TAG))  # type: ignore[operator]


def test_it_fits_nowhere_else(keys: Keyring) -> None:
    content = sealed(keys, b"a plan")
    with pytest.raises(SealBroken):
        opened(keys, content, "document/2")
    keys.seal("other", "x", b"")
    with pytest.raises(SealBroken):
        opened(keys, content, customer="other")


def test_a_large_document_takes_a_few_megabytes_to_store_and_to_read(world: World, tmp_path: Path) -> None:
    file = tmp_path / "large.pdf"
    with file.open("wb") as target:
        target.write(_PDF)
        for _ in range(30):
            target.write(os.urandom(PIECE))
    tracemalloc.start()
    document = documents.add_file(world.records, "acme", file.name, file, by="test", limit=2**30)
    assert sum(map(len, documents.pieces(world.records, document))) == document.size == file.stat().st_size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * PIECE
    again = documents.add_file(world.records, "acme", file.name, file, by="test", limit=2**30)
    assert again == document
    assert world.events() == ["document:file:stored"]


def test_a_large_document_is_refused_or_damaged_as_a_small_one(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.pdf"
    file.write_bytes(_PDF + bytes(2 * PIECE))
    with pytest.raises(DocumentRefused, match="at most 100 bytes"):
        documents.add_file(world.records, "acme", file.name, file, by="test", limit=100)
    with pytest.raises(DocumentRefused, match="not what"):
        documents.add_file(world.records, "acme", "plan.xlsx", file, by="test", limit=2**30)
    document = documents.add_file(world.records, "acme", file.name, file, by="test", limit=2**30)
    (stored,) = [each for each in world.records.documents_folder.rglob("*") if each.is_file()]
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-40])
    with pytest.raises(DocumentDamaged):
        documents.content(world.records, document)
    documents.add_file(world.records, "acme", file.name, file, by="test", limit=2**30)
    assert documents.content(world.records, document) == file.read_bytes()
    world.records.keys.destroy("acme")
    with pytest.raises(KeyMissing):
        documents.content(world.records, document)
