"""An installation whose customers are backed up: from SQLite files to two folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blocks.backup.site_folder import FolderSite
from blocks.backup.source_sqlite import SqliteSource
from tests.harness.installation import backed_up_as, installed
from tests.tasks.backup.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

CUSTOMERS = ("brouwer", "fenwick", "kestrel")


def terms(customer: str, more: str = "") -> dict[str, str]:
    """What to replace in an agreement so that the customer is backed up."""
    blocks = f"database: {customer}-suite, first_site: near, second_site: far, scratch: trial{more}"
    return backed_up_as(customer, f"backup: {{{blocks}}}\n")


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """All three customers of the demo are backed up."""
    changes = {each: terms(each) for each in CUSTOMERS}
    with installed(tmp_path / "home", sqlite_url, monkeypatch, **changes) as found:
        yield found


@pytest.fixture
def vault(records: Records, tmp_path: Path, prefect_api: PrefectServer) -> Vault:
    """Every customer has a database with rows; both sites are empty."""
    del prefect_api
    found = Vault(records, tmp_path / "vault")
    for site in ("near", "far"):
        (found.folder / site).mkdir(parents=True)
        FolderSite(folder=found.folder / site, machine=f"{site}.example").save(site, overwrite=True)
    for customer in CUSTOMERS:
        found.fill(customer, 100)
        SqliteSource(path=found.database(customer)).save(f"{customer}-suite", overwrite=True)
    return found
