"""The street's installation, and the demo vendor that it builds with and installs by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.installation import installed
from tests.harness.street import CUSTOMER, DEMO_TERMS
from tests.harness.vendor import running_environments, save_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """On the demo's agreements: no lead times, windows that are always open."""
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as found:
        yield found


@pytest.fixture
def on_sla_terms(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """On the SLA's own lead times and windows."""
    with installed(tmp_path / "home", sqlite_url, monkeypatch, brouwer={DEMO_TERMS: ""}) as found:
        yield found


@pytest.fixture
def vendor(tmp_path: Path, prefect_api: PrefectServer) -> Iterator[Path]:
    """Environments that really run, and the blocks that reach them."""
    del prefect_api
    with running_environments(tmp_path / "demo", CUSTOMER) as root:
        save_blocks(root, CUSTOMER)
        yield root
