"""An installation whose customers are backed up: from SQLite files to two folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.installation import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records

CUSTOMERS = ("brouwer", "fenwick", "kestrel")


def terms(customer: str) -> str:
    """What an agreement says of the backup, with the line it is put before."""
    blocks = f"database: {customer}-suite, first_site: near, second_site: far, scratch: trial"
    return f"backup: {{{blocks}}}\nlead_times:"


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """All three customers of the demo are backed up."""
    changes = {each: {"lead_times:\n": f"{terms(each)}\n"} for each in CUSTOMERS}
    with installed(tmp_path / "home", sqlite_url, monkeypatch, **changes) as found:
        yield found
