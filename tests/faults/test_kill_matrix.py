"""Kill -9 at every boundary of the RFC street: nothing is lost, nothing is done twice, it goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nakoming.records import evidence_check
from tests.faults.matrix import staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.prefect_server import PrefectServer


@pytest.mark.timeout(900)
def test_baseline(tmp_path: Path, prefect_api: PrefectServer, monkeypatch) -> None:
    import time
    with staged(prefect_api.api_url) as play:
        b = time.monotonic()
        play.run()
        print("seconds", time.monotonic() - b)
        print(play.picture())
        import collections
        c = collections.Counter((l["process"], l.get("kind")) for l in play.play.journal.lines())
        print(c)
        assert 0
