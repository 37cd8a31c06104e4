"""An office with a portal, on each of the two databases, and its visitors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.portal_server import Office, Visitor, office, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def at(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """Records on the database in turn."""
    with office(database_url, tmp_path, document_limit=200_000) as opened:
        yield opened


@pytest.fixture
def on_sqlite(sqlite_url: str, tmp_path: Path) -> Iterator[Office]:
    """Records on SQLite, where the database makes no difference."""
    with office(sqlite_url, tmp_path, document_limit=200_000) as opened:
        yield opened


@pytest.fixture
def base(at: Office) -> Iterator[str]:
    """The address of a portal over these records."""
    with serving(at) as address:
        yield address


@pytest.fixture
def visit(at: Office, base: str) -> Callable[..., Visitor]:
    """Follow a person's link with a browser of their own."""
    return lambda gate, *contact: Visitor(base, at.path(gate, *contact))
