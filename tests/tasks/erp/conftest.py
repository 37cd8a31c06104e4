"""A customer's ERP and Suite, on both databases in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.erp import BothSides, on_postgresql, on_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BothSides]:
    """An ERP with the mess of real ones, and an empty Suite."""
    if request.param == "sqlite":
        yield on_sqlite(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as erp, server.database() as suite:
        yield on_postgresql(server, erp, suite)
