"""Documents of any size are sent piece by piece, with length and digest, and never whole when damaged."""

from __future__ import annotations

import base64
import hashlib
import os
import tracemalloc
from collections import deque
from typing import TYPE_CHECKING

import httpx
import pytest

from nakoming.agreement.gate_rules import Kind
from nakoming.records import documents
from nakoming.records.sealed_files import PIECE
from tests.harness.portal_server import CUSTOMER, Office, Visitor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.documents import Document
    from nakoming.records.gate_model import Gate

pytestmark = pytest.mark.clause("S-4.2.2")
PIECES = 24


@pytest.fixture
def base(on_sqlite: Office) -> Iterator[str]:
    with serving(on_sqlite) as address:
        yield address


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A document of many pieces, larger than anybody may send."""
    path = tmp_path / "overview.csv"
    with path.open("wb") as file:
        for _ in range(PIECES):
            file.write(base64.b64encode(os.urandom(PIECE * 3 // 4 - 3)) + b"\n")
    return path


def asked(office: Office, file: Path) -> tuple[Gate, Document]:
    """A question about the document."""
    stored = documents.add_file(
        office.records, CUSTOMER, "overzicht één.csv", file, by="vendor:vera", limit=PIECE * PIECES
    )
    gate = office.ask(kind=Kind.APPROVAL, stored=(stored.id,))
    return gate, stored


def test_a_large_document_is_streamed_with_its_length_and_digest(
    on_sqlite: Office, base: str, large: Path
) -> None:
    gate, stored = asked(on_sqlite, large)
    visitor = Visitor(base, on_sqlite.path(gate))
    read, most = hashlib.sha256(), 0
    tracemalloc.start()
    try:
        with visitor.client.stream("GET", f"{visitor.path}/documents/{stored.id}") as got:
            for piece in got.iter_raw():
                read.update(piece)
                most = max(most, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert got.status_code == 200
    assert got.headers["content-length"] == str(large.stat().st_size)
    digest = base64.b64encode(read.digest()).decode()
    assert read.hexdigest() == stored.sha256
    assert got.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert got.headers["content-type"].startswith("text/csv")
    assert "filename*=UTF-8''overzicht%20%C3%A9%C3%A9n.csv" in got.headers["content-disposition"]
    assert got.headers["cache-control"] == "no-store"
    assert most < large.stat().st_size  # the portal is served by this process, and so is its memory seen here


def test_what_was_changed_never_arrives_whole(on_sqlite: Office, base: str, large: Path) -> None:
    gate, stored = asked(on_sqlite, large)
    visitor = Visitor(base, on_sqlite.path(gate))
    sealed = on_sqlite.records.documents_folder / CUSTOMER / stored.sha256[:2] / stored.sha256
    damage(sealed, at=-1)
    with visitor.client.stream("GET", f"{visitor.path}/documents/{stored.id}") as answer:
        came = answer.iter_raw()
        with pytest.raises(httpx.RemoteProtocolError):
            deque(came, maxlen=0)
        assert answer.num_bytes_downloaded < stored.size
    damage(sealed, at=100)  # in its first piece: known before anything is sent
    assert visitor.client.get(f"{visitor.path}/documents/{stored.id}").status_code == 500
    sealed.unlink()
    assert visitor.client.get(f"{visitor.path}/documents/{stored.id}").status_code == 500


def damage(path: Path, *, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
